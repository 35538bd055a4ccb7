"""What the benchmarks share: options, the generated input, rounds of measured steps, the verdict.

Nothing heavy is imported here: measure.py says why.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import NamedTuple

import measure
from sam_layout import ENCODERS
from table import missed, print_table, row

HERE = Path(__file__).resolve().parent
MIB = 1 << 20
WARMED = 2.5  # times the input's size: what a step may need in memory
UNSYNCED_SHARE, UNSYNCED_SECONDS = 0.1, 0.05  # of a plain copy, or at least


class Stop(Exception):
    """Something the benchmark itself needs did not work."""


class Step(NamedTuple):
    """One measured command, and the files that it reads."""

    inputs: list[Path]
    action: Callable[[], None]


class Bench:
    """The measured rounds of one benchmark, and what went wrong in them."""

    outputs: list[str] = []  # names in the folder that are removed at the end

    def __init__(self, args: argparse.Namespace, source: Path, work: Path):
        self.args, self.source, self.work = args, source, work
        self.copy, self.unsynced, self.failures = [], [], []

    def run(self) -> list[dict]:
        """Measures, and gives the lines of the table."""
        raise NotImplementedError

    def rounds(self, *groups: list[Step]) -> None:
        """Takes every step in every round; in a group neither side always follows the other.

        Before a step nothing is left to be written, its input is in the page cache, and memory is
        warm; nothing of this is measured.
        """
        for number in range(self.args.rounds):
            say(f"round {number + 1} of {self.args.rounds}")
            for group in groups:
                for step in reversed(group) if number % 2 else group:
                    os.sync()
                    for path in step.inputs:
                        read_through(path)
                    measure.warm_memory(int(WARMED * self.source.stat().st_size))
                    step.action()

    def wt(self, *words) -> measure.Run:
        """One run of `wt`; a failing one is noted."""
        run = measure.run([self.args.wt, *map(str, words)])
        if run.exit_code != 0:
            self.failures.append(f"{words[0]}: exit code {run.exit_code}: {run.last_words()}")
        return run

    def written(self, run: measure.Run, command: str, output: Path) -> bool:
        """Whether `wt` wrote the file and said so in JSON; takes the time of one more flush."""
        if run.exit_code == 0 and not _is_object(run.stdout):
            self.failures.append(f"{command}: --json did not print one JSON object")
        if not output.exists():
            self.failures.append(f"{command}: wrote no output")
            self.unsynced.append(0)
            return False
        with open(output, "rb") as file:
            start = time.perf_counter()
            os.fsync(file.fileno())
            self.unsynced.append(time.perf_counter() - start)
        return True

    def identical(self, command: str, output: Path) -> int:
        """How many of the generated tensors a file holds, byte for byte."""
        try:
            result, _ = torch_side("compare", self.args.layout, self.source, output)
        except Stop as problem:
            self.failures.append(f"{command}: {problem}")
            return 0
        self.failures += [f"{command}: {text}" for text in result["problems"]]
        return result["identical"]

    def plain_copy(self, source: Path) -> Step:
        """The floor for anything that moves this many bytes."""
        def copy() -> None:
            output = self.work / "copy"
            start = time.perf_counter()
            with open(output, "wb", buffering=0) as target:
                read_through(source, target)
                os.fsync(target.fileno())
            self.copy.append(time.perf_counter() - start)
            output.unlink()
        return Step([source], copy)

    def unsynced_row(self) -> dict:
        limit = max(UNSYNCED_SHARE * median(self.copy), UNSYNCED_SECONDS)
        return row("left unsynced by wt", "s", self.unsynced, limit)

    def title(self) -> str:
        return (f"SAM {self.args.layout}: {self.source.name}, {self.args.rounds} rounds, "
                f"{os.cpu_count()} CPUs, input in page cache")

    def summary(self) -> dict:
        """What the machine-readable result says beside the table."""
        return {"layout": self.args.layout, "cpus": os.cpu_count(), "failures": self.failures,
                "rss_floor_mib": measure.rss_floor() / MIB}


def options(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--layout", choices=ENCODERS, default="vit_h")
    parser.add_argument("--wt", metavar="PATH", default=HERE.parent / ".build/release/wt")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--work-dir", metavar="DIR", help="default: a temporary directory")
    parser.add_argument("--input", metavar="FILE", help="a checkpoint to use, made if absent")
    parser.add_argument("--keep", action="store_true", help="leave the generated input in place")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    return parser


def arguments(parser: argparse.ArgumentParser) -> argparse.Namespace:
    args = parser.parse_args()
    if args.rounds < 1:
        parser.error("--rounds must be at least 1")
    found = shutil.which(args.wt)
    if not found:
        parser.error(f"no program at {args.wt}; build it with `swift build -c release`")
    args.wt = os.path.abspath(found)
    return args


def judge(kind: type[Bench], description: str) -> int:
    """Runs a benchmark, prints its table, and leaves nothing that it was not asked to leave."""
    args = arguments(options(description))
    work = Path(args.work_dir or tempfile.mkdtemp(prefix="wt-bench-"))
    work.mkdir(parents=True, exist_ok=True)
    source = Path(args.input or work / f"sam_{args.layout}_random.pth")
    found = source.exists()
    try:
        if not found:
            make(args.layout, source)
        bench = kind(args, source, work)
        rows = bench.run()
    except (Stop, OSError) as problem:
        say(f"stopped: {problem}")
        return 1
    finally:
        for name in [*kind.outputs, "copy"]:
            (work / name).unlink(missing_ok=True)
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


def wall(runs: list[measure.Run]) -> list[float]:
    return [run.seconds for run in runs]


def mib(runs: list[measure.Run]) -> list[float]:
    return [run.peak_rss / MIB for run in runs]


def ratio(name: str, ours: list[float], theirs: list[float], limit: float) -> dict:
    """The ratio of the two medians is judged; the outer figures are the best and worst round's."""
    pairs = [mine / other for mine, other in zip(ours, theirs)]
    return row(name, "x", pairs, limit, middle=median(ours) / median(theirs))


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False
