#!/usr/bin/env python3
"""Times `wt adapt` and `wt merge-fact` on files laid out as SAM ViT-H, against `wt import`.

Exits 0 if every limit is kept, 1 if one is missed. README.md explains the numbers.
"""

import sys
from pathlib import Path

import bench
import measure
from bench import MIB, Step
from table import row

SHARE_OF_IMPORT, PEAK_RSS = 1.3, 256 * MIB
CLASSES = 12


class SurgeryBench(bench.Bench):
    outputs = ["imported.safetensors", "adapted.safetensors", "merged.safetensors",
               "delta.safetensors", "deployed.safetensors"]

    def __init__(self, *words):
        super().__init__(*words)
        self.paths = {name.split(".")[0]: self.work / name for name in self.outputs}
        self.runs = {name: [] for name in ("import", "adapt", "merge model", "merge delta")}

    def run(self) -> list[dict]:
        paths, source = self.paths, self.source
        self.rounds(
            [self.step("import", [source], "imported")],
            [self.step("adapt", [source, "--classes", CLASSES], "adapted")],
            [self.step("merge model", [paths["adapted"]], "merged")],
            [Step([], self.extract)],
            [self.step("merge delta", [paths["delta"], "--base", source], "deployed")])
        return self.rows()

    def step(self, name: str, words: list, output: str) -> Step:
        """A command whose output stays only if a later step reads it."""
        def action() -> None:
            self.runs[name].append(self.write(name.split()[0], words, output))
            if output != "adapted":
                self.paths[output].unlink(missing_ok=True)
        return Step([word for word in words if isinstance(word, Path)], action)

    def extract(self) -> None:
        self.write("extract", [self.paths["adapted"]], "delta")
        self.paths["adapted"].unlink(missing_ok=True)

    def write(self, command: str, words: list, output: str) -> measure.Run:
        return self.wt(command, *words, "-o", self.paths[output], "--force", "--json")

    def rows(self) -> list[dict]:
        seconds = {name: bench.wall(runs) for name, runs in self.runs.items()}
        rows = [row(f"wt {name}", "s", values) for name, values in seconds.items()]
        rest = list(seconds)[1:]
        rows += [bench.ratio(f"{name} / import", seconds[name], seconds["import"], SHARE_OF_IMPORT)
                 for name in rest]
        rows += [row(f"{name} peak RSS", "MiB", bench.mib(self.runs[name]), PEAK_RSS / MIB,
                     judge=max) for name in rest]
        return rows + [row("failures", "", [len(self.failures)], 0)]


if __name__ == "__main__":
    sys.exit(bench.judge(SurgeryBench, __doc__.splitlines()[0]))
