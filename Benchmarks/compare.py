#!/usr/bin/env python3
"""Times a forward pass of an MA-SAM of real width in `wt` and in PyTorch, on the same weights and input.

They run in turn, each in a process of its own; judged is the best of the repeats. The outputs
must agree, or there is nothing to compare. --targets measures everything else that has a target too, and
ends with the table of all of it. README.md explains the numbers.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import NamedTuple

from masam import (MODELS, SIZE, SLICES, build, in_another_process, largest_difference, make, record,
                   save_outputs)

HERE = Path(__file__).resolve().parent
# Of the outputs' largest magnitude, against PyTorch's f32.
TOLERANCE = {"f32": 2e-5, "bf16": 2e-2}
# Shares of a peer's time, and of the rate of matrix products measured beside it.
LIMITS = {("f32", "PyTorch"): 0.45, ("f32", "compiled"): 0.60, ("bf16", "PyTorch"): 0.55}
SHARE_OF_PRODUCTS = {"f32": 0.80, "bf16": 0.70}


class Verdict(NamedTuple):
    """A figure held against its limit, and what it was made of."""

    name: str
    value: float
    relation: str
    limit: float
    basis: str = ""

    @property
    def passes(self):
        return self.value <= self.limit if self.relation == "<=" else self.value >= self.limit

    def __str__(self):
        return (f"{self.name} {number(self.value)} ({self.relation} {number(self.limit)}) "
                f"{'PASS' if self.passes else 'MISS'}")


def number(value):
    """With as many digits as say something."""
    return f"{value:.1e}" if 0 < abs(value) < 0.01 else f"{value:.3g}"


def main():
    arguments = checked(parser())
    if arguments.torch_side:
        return torch_side(arguments)
    if arguments.targets:
        if (arguments.model, arguments.precision, arguments.compiled) != ("vit_b", "f32", False):
            parser().error("--targets chooses models, precisions and peers itself")
        import targets
        return targets.measure(arguments)
    return 0 if all(verdict.passes for verdict in measure(arguments)) else 1


def parser():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=MODELS, default="vit_b")
    parser.add_argument("--precision", choices=TOLERANCE, default="f32",
                        help="bf16 is held against PyTorch's autocast")
    parser.add_argument("--compiled", action="store_true", help="against torch.compile as well")
    parser.add_argument("--wt", default=HERE.parent / ".build/release/wt", metavar="PATH")
    parser.add_argument("--rounds", type=positive, default=3)
    parser.add_argument("--repeat", type=positive, default=2, help="passes in each process")
    parser.add_argument("--targets", action="store_true",
                        help="every row of the table of targets, one after another; more than an hour")
    parser.add_argument("--torch-side", metavar="DIR", help=argparse.SUPPRESS)
    return parser


def positive(text):
    """A whole number from one on."""
    if (number := int(text)) < 1:
        raise ValueError
    return number


def checked(parser):
    """What the command line says, once the program that it names is known to be there."""
    parser.set_defaults(torch_side=None)
    arguments = parser.parse_args()
    if not arguments.torch_side and not os.access(arguments.wt, os.X_OK):
        parser.error(f"no program at {arguments.wt}: make build, or name one with --wt")
    return arguments


def processors():
    """Those that this process may use."""
    return len(os.sched_getaffinity(0))


def turns(contenders, number):
    """Each of them in a round, another one first every time."""
    names = list(contenders)
    first = number % len(names)
    return [(name, contenders[name]) for name in names[first:] + names[:first]]


def measure(arguments):
    """The figures that have a limit."""
    with tempfile.TemporaryDirectory(prefix="wt-compare-") as folder:
        return compare(arguments, Path(folder))


def compare(arguments, folder):
    make(arguments.model, folder)
    if arguments.precision != "f32":
        in_another_process(lambda: record(arguments.model, folder))
    work = plan(arguments, folder)["flops"]
    times, loads, memory, rates = {}, {}, {}, {}
    for number in range(arguments.rounds):
        print(f"round {number + 1} of {arguments.rounds}", file=sys.stderr)
        for name, command in turns(commands(arguments, folder), number):
            rate = product_rate(arguments, folder)
            report = run(command)
            times.setdefault(name, []).append(min(report["seconds"]["compute"]))
            loads.setdefault(name, []).append(report["seconds"]["load"])
            memory[name] = max(memory.get(name, 0), report["peak_rss_bytes"])
            # The better of before and after, as a moment that others disturb would flatter our share.
            rates.setdefault(name, []).append(max(rate, product_rate(arguments, folder)))
    return tell(arguments, folder, work, times, loads, memory, rates)


def run(command):
    """What a program says in JSON; its complaints go where ours go."""
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def product_rate(arguments, folder):
    """Of a lone product of the model's size in wt, in operations a second."""
    return plan(arguments, folder)["flops_per_second"]["products"]


def plan(arguments, folder):
    return run([str(arguments.wt), "plan", str(folder / "model.safetensors"), "--precision",
                arguments.precision, "--json"])


def tell(arguments, folder, work, times, loads, memory, rates):
    ours, rate = median(times["wt"]), median(rates["wt"])
    # Of each round by itself, as the machine's speed changes from one to the next.
    shares = {name: median(work / seconds / rate for seconds, rate in zip(values, rates[name]))
              for name, values in times.items()}
    print(f"MA-SAM {arguments.model}, {SLICES} slices at {SIZE}, {arguments.precision}, "
          f"{processors()} CPUs, {work / 1e12:.3f} TFLOP; products run at {rate / 1e9:.0f} GFLOP/s")
    for name, values in times.items():
        print(f"  {name:8} median {median(values):7.2f} s  min {min(values):7.2f}  "
              f"max {max(values):7.2f}  {work / 1e9 / median(values):6.0f} GFLOP/s, "
              f"{shares[name]:.2f} of products  peak RSS {memory[name] / 2**30:.2f} GiB, "
              f"loaded in {median(loads[name]):.2f} s")
    verdicts = [Verdict(f"wt / {name}", ours / median(values), "<=", limit,
                        f"{ours:.2f} s against {median(values):.2f} s")
                for name, values in times.items()
                if (limit := LIMITS.get((arguments.precision, name)))]
    reference = folder / ("PyTorch" if arguments.precision == "f32" else "f32")
    reference = reference.with_suffix(".safetensors")
    difference = largest_difference(folder / "wt.safetensors", reference)
    verdicts += [
        Verdict("share of the products' rate", shares["wt"], ">=",
                SHARE_OF_PRODUCTS[arguments.precision],
                f"{work / ours / 1e9:.0f} of {rate / 1e9:.0f} GFLOP/s"),
        Verdict("outputs' difference from PyTorch's f32", difference, "<=",
                TOLERANCE[arguments.precision])]
    if arguments.compiled:
        verdicts.append(Verdict(
            "compiled outputs' difference from PyTorch's f32",
            largest_difference(folder / "compiled.safetensors", reference), "<=",
            TOLERANCE[arguments.precision]))
    for verdict in verdicts:
        print(f"  {verdict}")
    if arguments.precision != "f32":
        theirs = largest_difference(folder / "PyTorch.safetensors", reference)
        print(f"  PyTorch's own {arguments.precision} differs by {theirs:.1e}")
    return verdicts


def commands(arguments, folder):
    torch = [sys.executable, __file__, "--model", arguments.model, "--repeat",
             str(arguments.repeat), "--torch-side", str(folder), "--precision", arguments.precision]
    ours = [str(arguments.wt), "forward", str(folder / "model.safetensors"),
            str(folder / "input.safetensors"), "-o", str(folder / "wt.safetensors"), "--force",
            "--repeat", str(arguments.repeat), "--precision", arguments.precision, "--json"]
    compiled = {"compiled": torch + ["--compiled"]} if arguments.compiled else {}
    return {"PyTorch": torch} | compiled | {"wt": ours}


def torch_side(arguments):
    import contextlib
    import resource
    import time

    import torch
    from safetensors.torch import load_file
    folder = Path(arguments.torch_side)
    torch.set_num_threads(processors())
    model = build(arguments.model)
    start = time.perf_counter()
    model.load_state_dict(load_file(folder / "model.safetensors"), assign=True)
    loading = time.perf_counter() - start
    stacks, times = load_file(folder / "input.safetensors")["input"], []
    if arguments.compiled:
        model = torch.compile(model, fullgraph=True)
    rounding = (torch.autocast("cpu", dtype=torch.bfloat16) if arguments.precision == "bf16"
                else contextlib.nullcontext())
    with torch.no_grad(), rounding:
        if arguments.compiled:
            model(stacks)
        for _ in range(arguments.repeat):
            start = time.perf_counter()
            outputs = model(stacks)
            times.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    name = "compiled" if arguments.compiled else "PyTorch"
    save_outputs(outputs, folder / f"{name}.safetensors")
    print(json.dumps({"seconds": {"load": loading, "compute": times}, "peak_rss_bytes": peak}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
