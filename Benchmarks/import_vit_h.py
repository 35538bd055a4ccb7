#!/usr/bin/env python3
"""Times `wt import` on a file laid out as SAM ViT-H, against PyTorch, in one run.

Exits 0 if every limit is kept, 1 if one is missed. README.md explains the numbers.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import measure
from sam_layout import ENCODERS, largest_tensor_bytes
from table import missed, print_table, row

HERE = Path(__file__).resolve().parent
MIB = 1 << 20
SPARE_RSS = 64 * MIB  # allowed above the largest tensor
INSPECT_SECONDS, INSPECT_RSS = 0.060, 64 * MIB
VERSION_SECONDS = 0.030
SHORT_RUNS = 20
UNSYNCED_SHARE, UNSYNCED_SECONDS = 0.1, 0.05  # of a plain copy, or at least


def wall(runs: list[measure.Run]) -> list[float]:
    return [run.seconds for run in runs]


def mib(runs: list[measure.Run]) -> list[float]:
    return [run.peak_rss / MIB for run in runs]


class Stop(Exception):
    """Something the benchmark itself needs did not work."""


def main() -> int:
    args = arguments()
    work = Path(args.work_dir or tempfile.mkdtemp(prefix="wt-import-"))
    work.mkdir(parents=True, exist_ok=True)
    source = work / f"sam_{args.layout}_random.pth"
    found = source.exists()
    outputs = [work / f"{source.stem}.{end}"
               for end in ("torch.safetensors", "wt.safetensors", "copy.pth")]
    try:
        if not found:
            make(args.layout, source)
        bench = Bench(args, source, *outputs)
        rows = bench.run()
    except (Stop, OSError) as problem:
        say(f"stopped: {problem}")
        return 1
    finally:
        for output in outputs:
            output.unlink(missing_ok=True)
        source.with_name(f"{source.name}.part").unlink(missing_ok=True)
        if args.keep and source.exists():
            say(f"kept {source}")
        elif not found:
            source.unlink(missing_ok=True)
        if not args.work_dir and not args.keep:
            shutil.rmtree(work, ignore_errors=True)
    if args.json:
        print(json.dumps(bench.summary() | {"rows": rows, "passed": not missed(rows)}))
    else:
        print_table(bench.title(), rows, bench.failures)
    return 1 if missed(rows) else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--layout", choices=ENCODERS, default="vit_h")
    parser.add_argument("--wt", metavar="PATH", default=HERE.parent / ".build/release/wt")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--work-dir", metavar="DIR", help="default: a temporary directory")
    parser.add_argument("--keep", action="store_true", help="leave the generated input in place")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    args = parser.parse_args()
    if args.rounds < 1:
        parser.error("--rounds must be at least 1")
    found = shutil.which(args.wt)
    if not found:
        parser.error(f"no program at {args.wt}; build it with `swift build -c release`")
    args.wt = os.path.abspath(found)
    return args


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def torch_side(*words) -> tuple[dict, measure.Run]:
    """One command of torch_side.py, in a fresh interpreter."""
    run = measure.run([sys.executable, str(HERE / "torch_side.py"), *map(str, words)])
    if run.exit_code != 0:
        raise Stop(f"torch_side.py {words[0]} exited with {run.exit_code}: {run.last_words()}")
    return json.loads(run.stdout), run


def make(layout: str, source: Path) -> None:
    size = 4 * ENCODERS[layout].elements
    free = shutil.disk_usage(source.parent).free
    if free < 2.5 * size:
        raise Stop(f"{source.parent} has {free // MIB} MiB free, {5 * size // 2 // MIB} needed")
    say(f"writing {source} ({size // MIB} MiB of seeded random floats)")
    torch_side("make", layout, source)


def read_through(path: Path, target=None) -> None:
    """Reads a file in small pieces, which also fills the page cache; copies it if asked."""
    piece = memoryview(bytearray(MIB))
    with open(path, "rb", buffering=0) as file:
        while count := file.readinto(piece):
            if target:
                target.write(piece[:count])


class Bench:
    """The measured rounds, and every figure taken in them."""

    def __init__(self, args, source: Path, torch_out: Path, wt_out: Path, copy_out: Path):
        self.args, self.source = args, source
        self.torch_out, self.wt_out, self.copy_out = torch_out, wt_out, copy_out
        self.torch, self.torch_whole, self.torch_parts = [], [], []
        self.wt, self.unsynced, self.copy = [], [], []
        self.failures, self.identical = [], []

    def run(self) -> list[dict]:
        for number in range(self.args.rounds):
            say(f"round {number + 1} of {self.args.rounds}")
            steps = [self.run_torch, self.run_wt, self.run_copy]
            if number % 2:  # neither side always follows the other
                steps[:2] = steps[1::-1]
            for step in steps:
                os.sync()
                read_through(self.source)  # the input is in the page cache for everyone
                measure.warm_memory(5 * self.source.stat().st_size // 2)
                step()
        return self.rows(self.short_runs("inspect", self.source), self.short_runs("--version"))

    def run_torch(self) -> None:
        result, run = torch_side("convert", self.source, self.torch_out)
        self.torch.append(result["seconds"])
        self.torch_parts.append(result)
        self.torch_whole.append(run)
        self.torch_out.unlink()

    def run_wt(self) -> None:
        run = measure.run([self.args.wt, "import", str(self.source), "--output",
                           str(self.wt_out), "--force", "--json"])
        self.wt.append(run)
        if self.check("import", run):
            self.one_object(run)
        if not self.wt_out.exists():
            self.failures.append("import: wrote no output")
            self.unsynced.append(0)
            self.identical.append(0)
            return
        with open(self.wt_out, "rb") as file:
            start = time.perf_counter()
            os.fsync(file.fileno())
            self.unsynced.append(time.perf_counter() - start)
        self.identical.append(self.compare())
        self.wt_out.unlink()

    def compare(self) -> int:
        """How many of the input's tensors the output holds, byte for byte."""
        try:
            result, _ = torch_side("compare", self.args.layout, self.source, self.wt_out)
        except Stop as problem:
            self.failures.append(f"import: {problem}")
            return 0
        self.failures += [f"import: {text}" for text in result["problems"]]
        return result["identical"]

    def run_copy(self) -> None:
        start = time.perf_counter()
        with open(self.copy_out, "wb", buffering=0) as target:
            read_through(self.source, target)
            os.fsync(target.fileno())
        self.copy.append(time.perf_counter() - start)
        self.copy_out.unlink()

    def short_runs(self, *words) -> list[measure.Run]:
        say(f"wt {words[0]}, {SHORT_RUNS} times")
        runs = [measure.run([self.args.wt, *map(str, words)]) for _ in range(SHORT_RUNS)]
        for run in runs:
            self.check(words[0], run)
        return runs

    def check(self, name: str, run: measure.Run) -> bool:
        if run.exit_code != 0:
            self.failures.append(f"{name}: exit code {run.exit_code}: {run.last_words()}")
        return run.exit_code == 0

    def one_object(self, run: measure.Run) -> None:
        try:
            good = isinstance(json.loads(run.stdout), dict)
        except ValueError:
            good = False
        if not good:
            self.failures.append("import: --json did not print one JSON object")

    def title(self) -> str:
        theirs = self.torch_parts[0]
        return (f"SAM {self.args.layout}: {self.source.name}, {self.args.rounds} rounds, "
                f"{os.cpu_count()} CPUs, torch {theirs['torch']}, "
                f"safetensors {theirs['safetensors']}, input in page cache")

    def summary(self) -> dict:
        """Every round's figures, for the machine-readable result."""
        return {
            "layout": self.args.layout, "cpus": os.cpu_count(), "failures": self.failures,
            "rss_floor_mib": measure.rss_floor() / MIB,
            "rounds": [
                {"torch": torch, "wt": {"seconds": wt.seconds}, "copy": {"seconds": copy}}
                for torch, wt, copy in zip(self.torch_parts, self.wt, self.copy)],
        }

    def rows(self, inspect: list[measure.Run], version: list[measure.Run]) -> list[dict]:
        wt, tensors = wall(self.wt), ENCODERS[self.args.layout].tensors
        pairs = [ours / theirs for ours, theirs in zip(wt, self.torch)]
        rss_limit = (largest_tensor_bytes(self.args.layout) + SPARE_RSS) / MIB
        rest_limit = max(UNSYNCED_SHARE * median(self.copy), UNSYNCED_SECONDS)
        return [
            row("PyTorch load+save+fsync", "s", self.torch),
            row("PyTorch, whole process", "s", wall(self.torch_whole)),
            row("plain copy + fsync", "s", self.copy),
            row("wt import, whole process", "s", wt),
            # The middle figure is of the medians, the outer two of the best and worst pair.
            row("wt / PyTorch", "x", pairs, 1.0, middle=median(wt) / median(self.torch)),
            row("left unsynced by wt", "s", self.unsynced, rest_limit),
            row("PyTorch peak RSS", "MiB", mib(self.torch_whole)),
            row("wt import peak RSS", "MiB", mib(self.wt), rss_limit, judge=max),
            row("identical tensors", "", self.identical, tensors, judge=min, at_least=True),
            row("wt inspect", "s", wall(inspect), INSPECT_SECONDS),
            row("wt inspect peak RSS", "MiB", mib(inspect), INSPECT_RSS / MIB, judge=max),
            row("wt --version", "s", wall(version), VERSION_SECONDS),
            row("failures", "", [len(self.failures)], 0),
        ]


if __name__ == "__main__":
    sys.exit(main())
