"""Measures every row of the project's targets in one run, and prints them as one table.

The parts are those that the other benchmarks measure alone; `compare.py --targets` starts this.
"""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import compare
import compare_training
from compare import HERE, Verdict

FORWARD = [["--compiled"], ["--precision", "bf16"], ["--model", "vit_h", "--rounds", "1"],
           ["--model", "vit_h", "--precision", "bf16", "--rounds", "1"]]
TRAINING = [["--rounds", "2"], ["--precision", "bf16"],
            ["--model", "vit_h", "--alone", "--steps", "2"],
            ["--model", "vit_h", "--precision", "bf16", "--checkpointed"]]
FILES = ["import_vit_h.py", "export_vit_h.py", "surgery_vit_h.py"]
# What a figure of the files' benchmarks is compared to, where its name has a slash; else its unit.
UNITS = {"s": " in s", "MiB": " in MiB"}


def measure(arguments):
    rows = []
    for part in parts(arguments):
        rows += part()
        sys.stdout.flush()
    print_table(rows)
    return 0 if all(verdict.passes for _, verdict in rows) else 1


def parts(arguments):
    """What is measured, in turn; each gives a row for every figure that has a limit."""
    wt = ["--wt", str(arguments.wt)]
    rounds = ["--rounds", str(arguments.rounds)]
    for words in FORWARD:
        yield lambda: models(compare, "forward pass", wt + rounds + words)
    for words in TRAINING:
        yield lambda: models(compare_training, "training step", wt + words)
    for name in FILES:
        yield lambda: files(name, wt + rounds)


def models(script, work, words):
    arguments = script.parser().parse_args(words)
    title = f"{work}, {arguments.model}, {arguments.precision}"
    print(f"{title}", file=sys.stderr)
    return [(title, verdict) for verdict in script.measure(arguments)]


def files(name, words):
    """The figures of a benchmark that runs in a small process of its own, as its limits on memory want."""
    print(name, file=sys.stderr)
    command = [sys.executable, str(HERE / name), *words, "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    if not done.stdout:
        raise SystemExit(f"{name}: {done.stderr.strip()}")
    result = json.loads(done.stdout)
    title = f"{Path(name).stem.split('_')[0]}, {result['layout']}"
    return [(title, verdict(row)) for row in result["rows"] if row["limit"] is not None]


def verdict(row):
    relation = ">=" if row["at_least"] else "<="
    return Verdict(row["name"] + UNITS.get(row["unit"], ""), row["judged"], relation, row["limit"])


def print_table(rows):
    print(f"\n{processor()}, {os.cpu_count()} CPUs\n")
    print("| work | figure | measured | target | | of |")
    print("|---|---|---|---|---|---|")
    for title, verdict in rows:
        relation = "at most" if verdict.relation == "<=" else "at least"
        print(f"| {title} | {verdict.name} | {compare.number(verdict.value)} | {relation} "
              f"{compare.number(verdict.limit)} | {'met' if verdict.passes else 'missed'} | {verdict.basis} |")


def processor():
    """As the system names it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")),
                platform.processor())
