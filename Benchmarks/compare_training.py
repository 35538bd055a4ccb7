#!/usr/bin/env python3
"""Times a training step of an MA-SAM of real width in `wt` and in PyTorch, on the same weights and batch.

Both run in turn, each in a process of its own; judged is the best of the warm steps (the first is left
out). The losses of all steps must agree, or there is nothing to compare, and so must what was trained:
the last one's parameters, by how far they went from where both began; those in bf16 with ours in f32, too.
"""

import argparse
import json
import math
import shutil
import sys
import tempfile
from pathlib import Path
from statistics import median

import compare
import masam
from compare import HERE, Verdict
from masam import CLASSES, MODELS, SIZE, SLICES

# Shares of the peer's time; ViT-H is too much for a plain step of PyTorch's, whose blocks are checkpointed.
LIMITS = {("vit_b", "f32"): 0.55, ("vit_b", "bf16"): 0.75, ("vit_h", "f32"): 0.65,
          ("vit_h", "bf16"): 0.65}
MEMORY = {("vit_b", "f32"): 2.5e9, ("vit_b", "bf16"): 2.5e9, ("vit_h", "f32"): 7e9,
          ("vit_h", "bf16"): 5.5e9}
# Between the losses of any step.
TOLERANCE = {"f32": 5e-6, "bf16": 2e-2}
# Between the changes of all parameters, as a share of their length; in bf16 from PyTorch's and from f32's. AdamW's
# first steps are as long for a gradient that rounding has made as for any other: PyTorch's own are 0.30 from f32's.
CHANGE_TOLERANCE = {"f32": 1e-4, "bf16": 3e-1}
LR = 8e-4


def main():
    arguments = compare.checked(parser())
    if arguments.torch_side:
        return torch_side(arguments)
    return 0 if all(verdict.passes for verdict in measure(arguments)) else 1


def parser():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=MODELS, default="vit_b")
    parser.add_argument("--wt", default=HERE.parent / ".build/release/wt", metavar="PATH")
    parser.add_argument("--rounds", type=compare.positive, default=1)
    parser.add_argument("--steps", type=several, default=3, help="in each process, two or more")
    parser.add_argument("--precision", choices=TOLERANCE, default="f32",
                        help="bf16 is held against PyTorch's autocast")
    parser.add_argument("--checkpointed", action="store_true",
                        help="PyTorch calculates each block again, as ViT-H is too much for it otherwise")
    parser.add_argument("--alone", action="store_true", help="without PyTorch")
    parser.add_argument("--torch-side", metavar="DIR", help=argparse.SUPPRESS)
    return parser


def several(text):
    """The first step of a process is not counted, so there must be another one."""
    return 1 + compare.positive(str(int(text) - 1))


def measure(arguments):
    """The figures that have a limit."""
    with tempfile.TemporaryDirectory(prefix="wt-compare-") as folder:
        return run_rounds(arguments, Path(folder))


def run_rounds(arguments, folder):
    masam.make(arguments.model, folder)
    make_batch(folder)
    times, memory, losses = {}, {}, {}
    for number in range(arguments.rounds):
        print(f"round {number + 1} of {arguments.rounds}", file=sys.stderr)
        for name, command in compare.turns(commands(arguments, folder), number):
            if name == "wt":
                shutil.rmtree(run_folder(folder, arguments.precision), ignore_errors=True)
            report = compare.run(command)
            times.setdefault(name, []).append(min(report["seconds"]["compute"][1:]))
            memory[name] = max(memory.get(name, 0), report["peak_rss_bytes"])
            losses[name] = report.get("losses") or logged_losses(folder, arguments.precision)
    if arguments.precision != "f32" and not arguments.alone:
        compare.run(training(arguments, folder, "f32"))
    return tell(arguments, folder, times, memory, losses)


def tell(arguments, folder, times, memory, losses):
    import numpy
    case = (arguments.model, arguments.precision)
    print(f"MA-SAM {arguments.model}, a step of {SLICES} slices at {SIZE}, {arguments.precision}, "
          f"{compare.processors()} CPUs{', PyTorch with checkpointing' if arguments.checkpointed else ''}")
    for name, values in times.items():
        print(f"  {name:8} median {median(values):7.2f} s  min {min(values):7.2f}  "
              f"max {max(values):7.2f}  peak RSS {memory[name] / 1e9:.2f} GB  "
              f"losses {' '.join(f'{loss:.7f}' for loss in losses[name])}")
    basis = f"PyTorch: {memory['PyTorch'] / 1e9:.2f}" if "PyTorch" in memory else ""
    verdicts = [Verdict("peak RSS in GB", memory["wt"] / 1e9, "<=", MEMORY[case] / 1e9, basis)]
    if "PyTorch" in times:
        ours, theirs = median(times["wt"]), median(times["PyTorch"])
        difference = masam.relative_difference(
            numpy.array(losses["wt"]), numpy.array(losses["PyTorch"]))
        changes = changes_differences(arguments, folder)
        verdicts += [
            Verdict("wt / PyTorch", ours / theirs, "<=", LIMITS[case],
                    f"{ours:.2f} s against {theirs:.2f} s"),
            Verdict("losses' difference", difference, "<=", TOLERANCE[arguments.precision]),
            Verdict("trained parameters' difference", changes["PyTorch's"], "<=",
                    CHANGE_TOLERANCE[arguments.precision])]
        if "f32's" in changes:
            print(f"  PyTorch's own trained parameters differ from f32's by {compare.number(changes['their own'])}")
            verdicts.append(Verdict("trained parameters' difference from f32's", changes["f32's"], "<=",
                                    CHANGE_TOLERANCE[arguments.precision]))
    for verdict in verdicts:
        print(f"  {verdict}")
    return verdicts


def commands(arguments, folder):
    ours = training(arguments, folder, arguments.precision)
    theirs = [sys.executable, __file__, "--model", arguments.model, "--steps", str(arguments.steps),
              "--torch-side", str(folder), "--precision", arguments.precision]
    theirs += ["--checkpointed"] if arguments.checkpointed else []
    return {"wt": ours} if arguments.alone else {"PyTorch": theirs, "wt": ours}


def training(arguments, folder, precision):
    """wt's command."""
    return [str(arguments.wt), "train", str(folder / "model.safetensors"), "--batches",
            str(folder / "batch.safetensors"), "-o", str(run_folder(folder, precision)), "--steps",
            str(arguments.steps), "--warmup", "1", "--lr", str(LR), "--lr-exponent", "0",
            "--fact-dropout", "0", "--precision", precision, "--json"]


def make_batch(folder):
    import numpy as np
    from safetensors.numpy import save_file
    random = np.random.default_rng(0)
    coarse = random.integers(0, CLASSES + 1, (1, SLICES, SIZE // 16, SIZE // 16), dtype=np.uint8)
    labels = coarse.repeat(16, axis=-1).repeat(16, axis=-2)
    images = random.random((1, 1, SLICES, 3, SIZE, SIZE), dtype=np.float32)
    save_file({"images": images, "labels": labels}, folder / "batch.safetensors")


def run_folder(folder, precision):
    return folder / f"run-{precision}"


def logged_losses(folder, precision):
    lines = (run_folder(folder, precision) / "log.jsonl").read_text().splitlines()
    return [json.loads(line)["loss"] for line in lines]


def changes_differences(arguments, folder):
    """How far what was trained lies from PyTorch's, and of bf16 how far both lie from what our f32 trains.

    Our f32 is held against PyTorch's when that is what is measured; PyTorch's takes too much memory for ViT-H.
    """
    from safetensors.numpy import load_file
    start, theirs = load_file(folder / "model.safetensors"), load_file(folder / "PyTorch.safetensors")
    ours, exact = (load_file(last_delta(arguments, folder, precision))
                   for precision in (arguments.precision, "f32"))
    if theirs.keys() - (ours.keys() & exact.keys()):
        return {"PyTorch's": math.inf}
    pairs = {"PyTorch's": (ours, theirs)}
    if arguments.precision != "f32":
        pairs |= {"f32's": (ours, exact), "their own": (theirs, exact)}
    return {name: changes_difference(theirs.keys(), start, *pair) for name, pair in pairs.items()}


def last_delta(arguments, folder, precision):
    return run_folder(folder, precision) / f"checkpoints/step-{arguments.steps:08}/delta.safetensors"


def changes_difference(names, start, found, exact):
    """As a share of how far they went, of the part of the model that is worst."""
    apart, gone = {}, {}
    for name in names:
        value = exact[name]
        for sums, other in ((apart, found[name]), (gone, start[name])):
            length = float(((value - other).astype(float) ** 2).sum())
            sums[part(name)] = sums.get(part(name), 0) + length
    # A part that has not moved has learnt nothing, and NaN is larger than no number.
    shares = [(apart[key] / gone[key]) ** 0.5 if gone[key] else math.inf for key in gone]
    return max(shares) if all(map(math.isfinite, shares)) else math.inf


def part(name):
    """Of the model: one whose gradients are wrong must not vanish among the others."""
    if "FacT" in name:
        return "factors"
    if "adapter_" in name:
        return "adapters after attention" if "_2." in name else "adapters before attention"
    return name.split(".")[0]


def torch_side(arguments):
    import contextlib
    import resource
    import time

    import torch
    from make_training_fixtures import losses, trained
    from safetensors.torch import load_file, save_file
    folder = Path(arguments.torch_side)
    torch.set_num_threads(compare.processors())
    model = masam.build(arguments.model)
    model.load_state_dict(load_file(folder / "model.safetensors"), assign=True)
    batch = load_file(folder / "batch.safetensors")
    chosen = trained(model)
    parameters = [parameter for _, parameter in chosen]
    optimiser = torch.optim.AdamW(parameters, lr=LR, weight_decay=0.1)
    if arguments.checkpointed:
        checkpoint_blocks(model)
    times, found = [], []
    for _ in range(arguments.steps):
        start = time.perf_counter()
        rounding = (torch.autocast("cpu", dtype=torch.bfloat16) if arguments.precision == "bf16"
                    else contextlib.nullcontext())
        with rounding:
            logits = model(batch["images"][0])["low_res_logits"]
        loss = losses(logits.float(), batch["labels"][0])[0]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        times.append(time.perf_counter() - start)
        found.append(loss.item())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    save_file({name: parameter.detach().contiguous() for name, parameter in chosen},
              folder / "PyTorch.safetensors")
    print(json.dumps({"seconds": {"compute": times}, "peak_rss_bytes": peak, "losses": found}))
    return 0


def checkpoint_blocks(model):
    """Has PyTorch keep the inputs of blocks only, and calculate the rest again."""
    from torch.utils.checkpoint import checkpoint
    encoder = model.image_encoder
    plain = encoder.run_block

    def run_block(index, x, slices):
        return checkpoint(plain, index, x, slices, use_reentrant=False)

    encoder.run_block = run_block


if __name__ == "__main__":
    sys.exit(main())
