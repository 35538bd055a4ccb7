#!/usr/bin/env python3
"""Times `wt import` on a file laid out as SAM ViT-H, against PyTorch, in one run.

Exits 0 if every limit is kept, 1 if one is missed. README.md explains the numbers.
"""

import sys

import bench
import measure
from bench import MIB, Step
from sam_layout import ENCODERS, largest_tensor_bytes
from table import row

SPARE_RSS = 64 * MIB  # allowed above the largest tensor
INSPECT_SECONDS, INSPECT_RSS = 0.060, 64 * MIB
VERSION_SECONDS = 0.030
SHORT_RUNS = 20


class ImportBench(bench.Bench):
    outputs = ["torch.safetensors", "wt.safetensors"]

    def __init__(self, *words):
        super().__init__(*words)
        self.torch_out, self.wt_out = (self.work / name for name in self.outputs)
        self.torch, self.torch_whole, self.wt_runs, self.matches = [], [], [], []

    def run(self) -> list[dict]:
        self.rounds([Step([self.source], self.run_torch), Step([self.source], self.run_wt)],
                    [self.plain_copy(self.source)])
        return self.rows(self.short_runs("inspect", self.source), self.short_runs("--version"))

    def run_torch(self) -> None:
        result, run = bench.torch_side("convert", self.source, self.torch_out)
        self.torch.append(result)
        self.torch_whole.append(run)
        self.torch_out.unlink()

    def run_wt(self) -> None:
        run = self.wt("import", self.source, "--output", self.wt_out, "--force", "--json")
        self.wt_runs.append(run)
        is_written = self.written(run, "import", self.wt_out)
        self.matches.append(self.identical("import", self.wt_out) if is_written else 0)
        self.wt_out.unlink(missing_ok=True)

    def short_runs(self, *words) -> list[measure.Run]:
        bench.say(f"wt {words[0]}, {SHORT_RUNS} times")
        return [self.wt(*words) for _ in range(SHORT_RUNS)]

    def title(self) -> str:
        theirs = self.torch[0]
        return f"{super().title()}, torch {theirs['torch']}, safetensors {theirs['safetensors']}"

    def summary(self) -> dict:
        return super().summary() | {"rounds": [
            {"torch": torch, "wt": {"seconds": wt.seconds}, "copy": {"seconds": copy}}
            for torch, wt, copy in zip(self.torch, self.wt_runs, self.copy)]}

    def rows(self, inspect: list[measure.Run], version: list[measure.Run]) -> list[dict]:
        wt, tensors = bench.wall(self.wt_runs), ENCODERS[self.args.layout].tensors
        torch = [result["seconds"] for result in self.torch]
        rss_limit = (largest_tensor_bytes(self.args.layout) + SPARE_RSS) / MIB
        return [
            row("PyTorch load+save+fsync", "s", torch),
            row("PyTorch, whole process", "s", bench.wall(self.torch_whole)),
            row("plain copy + fsync", "s", self.copy),
            row("wt import, whole process", "s", wt),
            bench.ratio("wt / PyTorch", wt, torch, 1.0),
            self.unsynced_row(),
            row("PyTorch peak RSS", "MiB", bench.mib(self.torch_whole)),
            row("wt import peak RSS", "MiB", bench.mib(self.wt_runs), rss_limit, judge=max),
            row("identical tensors", "", self.matches, tensors, judge=min, at_least=True),
            row("wt inspect", "s", bench.wall(inspect), INSPECT_SECONDS),
            row("wt inspect peak RSS", "MiB", bench.mib(inspect), INSPECT_RSS / MIB, judge=max),
            row("wt --version", "s", bench.wall(version), VERSION_SECONDS),
            row("failures", "", [len(self.failures)], 0),
        ]


if __name__ == "__main__":
    sys.exit(bench.judge(ImportBench, __doc__.splitlines()[0]))
