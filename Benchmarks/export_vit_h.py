#!/usr/bin/env python3
"""Times `wt export` on a file laid out as SAM ViT-H, against each form's own library, in one run.

Exits 0 if every limit is kept, 1 if one is missed. README.md explains the numbers.
"""

import sys
from pathlib import Path

import bench
from bench import MIB, Step
from sam_layout import ENCODERS, largest_tensor_bytes
from table import row

SPARE_RSS = 64 * MIB  # allowed above the largest tensor
# What `wt export --to` makes, the end of its name, and the call that makes it in Python.
FORMS = {"torch": ("pth", "torch.save"), "safetensors": ("safetensors", "save_file"),
         "hdf5": ("h5", "h5py")}


class ExportBench(bench.Bench):
    outputs = ["imported.safetensors",
               *(f"{side}.{end}" for side in ("peer", "wt") for end, _ in FORMS.values())]

    def __init__(self, *words):
        super().__init__(*words)
        self.imported = self.work / "imported.safetensors"
        self.peers, self.peers_whole, self.wt_runs, self.matches = (
            {form: [] for form in FORMS} for _ in range(4))

    def run(self) -> list[dict]:
        done = self.wt("import", self.source, "--output", self.imported, "--force", "--json")
        if done.exit_code != 0:
            raise bench.Stop(f"wt import: {done.last_words()}")
        steps = [[self.step(self.run_peer, form), self.step(self.run_wt, form)] for form in FORMS]
        self.rounds(*steps, [self.plain_copy(self.imported)])
        return self.rows()

    def step(self, action, form: str) -> Step:
        return Step([self.imported], lambda: action(form))

    def output(self, side: str, form: str) -> Path:
        return self.work / f"{side}.{FORMS[form][0]}"

    def run_peer(self, form: str) -> None:
        output = self.output("peer", form)
        result, run = bench.torch_side("save", self.imported, output)
        self.peers[form].append(result)
        self.peers_whole[form].append(run)
        output.unlink()

    def run_wt(self, form: str) -> None:
        output = self.output("wt", form)
        run = self.wt("export", self.imported, "--to", form, "--output", output, "--force",
                      "--json")
        self.wt_runs[form].append(run)
        is_written = self.written(run, f"export {form}", output)
        self.matches[form].append(self.identical(f"export {form}", output) if is_written else 0)
        output.unlink(missing_ok=True)

    def title(self) -> str:
        theirs = self.peers["hdf5"][0]
        names = ", ".join(f"{name} {theirs[name]}" for name in ("torch", "safetensors", "h5py"))
        return f"{super().title()}, {names}"

    def summary(self) -> dict:
        return super().summary() | {"rounds": [
            {form: {"peer": self.peers[form][number],
                    "wt": {"seconds": self.wt_runs[form][number].seconds}} for form in FORMS}
            | {"copy": {"seconds": copy}} for number, copy in enumerate(self.copy)]}

    def rows(self) -> list[dict]:
        times = [line for form in FORMS for line in self.times(form)]
        memory = [line for form in FORMS for line in self.memory(form)]
        return [row("plain copy + fsync", "s", self.copy), *times, self.unsynced_row(), *memory,
                row("failures", "", [len(self.failures)], 0)]

    def times(self, form: str) -> list[dict]:
        peer, results = FORMS[form][1], self.peers[form]
        whole = [result["seconds"] for result in results]
        ours = bench.wall(self.wt_runs[form])
        return [
            row(f"{peer} load+save+fsync", "s", whole),
            row(f"{peer} save+fsync", "s", [each["save"] + each["fsync"] for each in results]),
            row(f"wt export {form}", "s", ours),
            bench.ratio(f"wt {form} / {peer}", ours, whole, 1.0),
        ]

    def memory(self, form: str) -> list[dict]:
        tensors = ENCODERS[self.args.layout].tensors
        limit = (largest_tensor_bytes(self.args.layout) + SPARE_RSS) / MIB
        return [
            row(f"{FORMS[form][1]} peak RSS", "MiB", bench.mib(self.peers_whole[form])),
            row(f"wt export {form} peak RSS", "MiB", bench.mib(self.wt_runs[form]), limit,
                judge=max),
            row(f"identical tensors, {form}", "", self.matches[form], tensors, judge=min,
                at_least=True),
        ]


if __name__ == "__main__":
    sys.exit(bench.judge(ExportBench, __doc__.splitlines()[0]))
