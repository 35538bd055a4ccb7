#!/usr/bin/env python3
"""Times `wt adapt` and `wt merge-fact` on files laid out as SAM ViT-H, against `wt import`.

Exits 0 if every limit is kept, 1 if one is missed. README.md explains the numbers.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from statistics import median

import import_vit_h
import measure
from sam_layout import ENCODERS
from table import missed, print_table, row

HERE = Path(__file__).resolve().parent
MIB = 1 << 20
SHARE_OF_IMPORT, PEAK_RSS = 1.3, 256 * MIB
CLASSES = 12


def main() -> int:
    args = arguments()
    work = Path(args.work_dir or tempfile.mkdtemp(prefix="wt-surgery-"))
    work.mkdir(parents=True, exist_ok=True)
    source = Path(args.input or work / f"sam_{args.layout}_random.pth")
    found = source.exists()
    try:
        if not found:
            import_vit_h.make(args.layout, source)
        bench = Bench(args, source, work)
        rows = bench.run()
    except (import_vit_h.Stop, OSError) as problem:
        import_vit_h.say(f"stopped: {problem}")
        return 1
    finally:
        for name in OUTPUTS:
            (work / name).unlink(missing_ok=True)
        if not found:
            source.unlink(missing_ok=True)
        if not args.work_dir:
            shutil.rmtree(work, ignore_errors=True)
    if args.json:
        print(json.dumps({"rows": rows, "failures": bench.failures, "passed": not missed(rows)}))
    else:
        title = f"SAM {args.layout}, {args.rounds} rounds, {os.cpu_count()} CPUs, in page cache"
        print_table(title, rows, bench.failures)
    return 1 if missed(rows) else 0


OUTPUTS = ["imported.safetensors", "adapted.safetensors", "merged.safetensors",
           "delta.safetensors", "deployed.safetensors"]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--layout", choices=ENCODERS, default="vit_h")
    parser.add_argument("--wt", metavar="PATH", default=HERE.parent / ".build/release/wt")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--work-dir", metavar="DIR", help="default: a temporary directory")
    parser.add_argument("--input", metavar="FILE", help="a checkpoint to use, made if absent")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    args = parser.parse_args()
    if args.rounds < 1:
        parser.error("--rounds must be at least 1")
    found = shutil.which(args.wt)
    if not found:
        parser.error(f"no program at {args.wt}; build it with `swift build -c release`")
    args.wt = os.path.abspath(found)
    return args


class Bench:
    """The measured rounds, and every figure taken in them."""

    def __init__(self, args, source: Path, work: Path):
        self.args, self.source, self.failures = args, source, []
        self.paths = {name.split(".")[0]: work / name for name in OUTPUTS}
        self.runs = {name: [] for name in ("import", "adapt", "merge model", "merge delta")}

    def run(self) -> list[dict]:
        paths = self.paths
        for number in range(self.args.rounds):
            import_vit_h.say(f"round {number + 1} of {self.args.rounds}")
            self.step("import", [self.source], paths["imported"])
            self.step("adapt", [self.source, "--classes", CLASSES], paths["adapted"])
            self.step("merge model", [paths["adapted"]], paths["merged"])
            paths["imported"].unlink(missing_ok=True)
            paths["merged"].unlink(missing_ok=True)
            self.wt("extract", [paths["adapted"]], paths["delta"])
            self.step("merge delta", [paths["delta"], "--base", self.source], paths["deployed"])
            for name in ("adapted", "deployed"):
                paths[name].unlink(missing_ok=True)
        return self.rows()

    def step(self, name: str, words: list, target: Path) -> None:
        """One measured command, with its input in the page cache and nothing left to be written."""
        os.sync()
        for word in words:
            if isinstance(word, Path):
                import_vit_h.read_through(word)
        measure.warm_memory(5 * self.source.stat().st_size // 2)
        self.runs[name].append(self.wt(name.split()[0], words, target))

    def wt(self, command: str, words: list, target: Path) -> measure.Run:
        run = measure.run([self.args.wt, command, *map(str, words), "-o", str(target), "--force",
                           "--json"])
        if run.exit_code != 0:
            self.failures.append(f"{command}: exit code {run.exit_code}: {run.last_words()}")
        return run

    def rows(self) -> list[dict]:
        seconds = {name: [run.seconds for run in runs] for name, runs in self.runs.items()}
        peaks = {name: [run.peak_rss / MIB for run in runs] for name, runs in self.runs.items()}
        rows = [row(f"wt {name}", "s", values) for name, values in seconds.items()]
        for name in list(seconds)[1:]:
            pairs = [ours / base for ours, base in zip(seconds[name], seconds["import"])]
            rows.append(row(f"{name} / import", "x", pairs, SHARE_OF_IMPORT,
                            middle=median(seconds[name]) / median(seconds["import"])))
        rows += [row(f"{name} peak RSS", "MiB", values, PEAK_RSS / MIB, judge=max)
                 for name, values in list(peaks.items())[1:]]
        return rows + [row("failures", "", [len(self.failures)], 0)]


if __name__ == "__main__":
    sys.exit(main())
