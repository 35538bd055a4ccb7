"""Measures every row of the project's targets in one run, and prints them as one table.

The parts are those that the other benchmarks measure alone; `compare.py --targets` starts this.
"""

import json
import platform
import subprocess
import sys
from multiprocessing import get_context
from pathlib import Path

import compare
import compare_training
from compare import HERE, Verdict

# A round of ViT-H takes minutes: it has one, of three passes or steps in each process.
ONCE = ["--rounds", "1"]
FORWARD = [["--compiled"], ["--precision", "bf16"],
           ["--model", "vit_h", "--compiled", "--repeat", "3", *ONCE],
           ["--model", "vit_h", "--precision", "bf16", "--repeat", "3", *ONCE]]
TRAINING = [[], ["--precision", "bf16"], ["--model", "vit_h", "--alone", "--steps", "2", *ONCE],
            ["--model", "vit_h", "--precision", "bf16", "--checkpointed", *ONCE]]
FILES = ["import_vit_h.py", "export_vit_h.py", "surgery_vit_h.py"]
UNITS = {"s": " in s", "MiB": " in MiB"}


def measure(arguments):
    rows = []
    try:
        for title, part in parts(arguments):
            print(title, file=sys.stderr)
            rows += [(title, verdict) for verdict in attempt(part)]
    finally:
        print_table(rows)
    return 0 if all(verdict.passes for _, verdict in rows) else 1


def attempt(part):
    """A part in a process of its own: Linux hands a process's peak of memory on to those that it starts.

    One that fails is a missed row, so that what the others measured is not lost.
    """
    context = get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=answer, args=(part, sender))
    process.start()
    sender.close()
    try:
        return receiver.recv()
    except EOFError:
        return [Verdict("not measured", float("nan"), "<=", 0)]
    finally:
        process.join()


def answer(part, sender):
    try:
        sender.send(part())
    finally:
        sys.stdout.flush()


def parts(arguments):
    """What is measured, in turn: a title, and what gives a verdict for every figure with a limit."""
    wt = ["--wt", str(arguments.wt)]
    rounds = ["--rounds", str(arguments.rounds)]
    for words in FORWARD:
        yield models(compare, "forward pass", wt + rounds + words)
    for words in TRAINING:
        yield models(compare_training, "training step", wt + rounds + words)
    for name in FILES:
        yield f"{name.split('_')[0]}, vit_h", lambda: files(name, wt + rounds)


def models(script, work, words):
    arguments = script.parser().parse_args(words)
    peer = ", PyTorch's blocks done again" if "--checkpointed" in words else ""
    title = f"{work}, {arguments.model}, {arguments.precision}{peer}"
    return title, lambda: script.measure(arguments)


def files(name, words):
    """The figures of a benchmark that runs in a small process of its own, as its limits on memory want."""
    command = [sys.executable, str(HERE / name), *words, "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    result = json.loads(done.stdout)
    for failure in result["failures"]:
        print(failure, file=sys.stderr)
    return [verdict(row) for row in result["rows"] if row["limit"] is not None]


def verdict(row):
    relation = ">=" if row["at_least"] else "<="
    return Verdict(row["name"] + UNITS.get(row["unit"], ""), row["judged"], relation, row["limit"])


def print_table(rows):
    print(f"\n{processor()}, {compare.processors()} CPUs\n")
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
