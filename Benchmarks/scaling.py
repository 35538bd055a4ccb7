#!/usr/bin/env python3
"""Times `wt` with one thread and with all, and a training step with the loader and without it.

ViT-B, five slices at 512 x 512; whatever is compared runs in turn, each in a process of its own.
README.md explains the lines.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path
from statistics import fmean, median

import compare
import compare_training
import masam
from compare import HERE, Verdict, run
from masam import CLASSES, SIZE, SLICES

# Of a step on data that lie ready.
LOADER_LIMIT = 1.03


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wt", default=HERE.parent / ".build/release/wt", metavar="PATH")
    parser.add_argument("--rounds", type=compare.positive, default=3)
    parser.add_argument("--steps", type=compare_training.several, default=4,
                        help="in each process; the first is left out")
    arguments = compare.checked(parser)
    with tempfile.TemporaryDirectory(prefix="wt-scaling-") as folder:
        return measure(arguments, Path(folder))


def measure(arguments, folder):
    masam.make("vit_b", folder)
    compare_training.make_batch(folder)
    prepare(arguments, folder)
    times = {}
    for number in range(arguments.rounds):
        print(f"round {number + 1} of {arguments.rounds}", file=sys.stderr)
        for name, command in compare.turns(commands(arguments, folder), number):
            shutil.rmtree(folder / "run", ignore_errors=True)
            seconds = run(command)["seconds"]["compute"]
            # Of all that are warm: what holds a step up now and then must count.
            times.setdefault(name, []).append(fmean(seconds[1:]))
    return tell(times)


def commands(arguments, folder):
    wt, model = str(arguments.wt), str(folder / "model.safetensors")
    forward = [wt, "forward", model, str(folder / "input.safetensors"), "-o",
               str(folder / "wt.safetensors"), "--force", "--repeat", "3", "--json", "--threads"]
    train = [wt, "train", model, "-o", str(folder / "run"), "--steps", str(arguments.steps),
             "--warmup", "1", "--batch-size", "1", "--json"]
    return {"one thread": forward + ["1"], "all threads": forward + [str(compare.processors())],
            "fixed batch": train + ["--batches", str(folder / "batch.safetensors")],
            "loader": train + [str(folder / "data.h5")]}


def prepare(arguments, folder):
    """A scan of random numbers with labels in blocks, as training data."""
    masam.in_another_process(lambda: make_scan(folder))
    run([str(arguments.wt), "prepare", str(folder / "scans"), "-o", str(folder / "data.h5"),
         "--profile", "btcv", "--json"])


def make_scan(folder):
    import numpy
    random = numpy.random.default_rng(0)
    slices = 4 * SLICES
    coarse = random.integers(0, CLASSES + 1, (slices, SIZE // 16, SIZE // 16), dtype=numpy.uint8)
    (folder / "scans").mkdir()
    numpy.savez(folder / "scans/case.npz", label=coarse.repeat(16, axis=1).repeat(16, axis=2),
                image=random.normal(0, 300, (slices, SIZE, SIZE)).astype(numpy.float32))


def tell(times):
    print(f"MA-SAM vit_b, {SLICES} slices at {SIZE}, f32, {compare.processors()} CPUs")
    for name, values in times.items():
        print(f"  {name:12} median {median(values):7.2f} s  min {min(values):7.2f}  max {max(values):7.2f}")
    middle = {name: median(values) for name, values in times.items()}
    print(f"  one thread / all threads {middle['one thread'] / middle['all threads']:.2f}")
    verdict = Verdict("loader / fixed batch", middle["loader"] / middle["fixed batch"], "<=", LOADER_LIMIT)
    print(f"  {verdict}")
    return 0 if verdict.passes else 1


if __name__ == "__main__":
    sys.exit(main())
