"""What needs PyTorch, each command in a process of its own; prints one JSON object.

    python torch_side.py make LAYOUT FILE.pth
    python torch_side.py convert FILE.pth OUT.safetensors
    python torch_side.py compare LAYOUT FILE.pth OUT.safetensors
"""

import json
import os
import sys
import time
from collections import OrderedDict

import safetensors
import safetensors.torch
import torch

from sam_layout import layout

SEED = 1234


def make(name: str, path: str) -> dict:
    """Saves a state dict of seeded random 32-bit floats, complete or not at all."""
    generator = torch.Generator().manual_seed(SEED)
    state = OrderedDict()
    modules = OrderedDict()
    for key, shape in layout(name).items():
        state[key] = torch.empty(shape).normal_(std=0.02, generator=generator)
        parts = key.split(".")[:-1]
        for end in range(len(parts) + 1):
            modules.setdefault(".".join(parts[:end]), {"version": 1})
    state._metadata = modules  # as Module.state_dict() leaves it
    part = f"{path}.part"
    torch.save(state, part)
    os.replace(part, path)
    return {"bytes": os.path.getsize(path)}


def convert(source: str, target: str) -> dict:
    """The baseline: load, save, flush to disk. Imports are done before the clock starts."""
    start = time.perf_counter()
    state = torch.load(source, map_location="cpu", weights_only=True)
    loaded = time.perf_counter()
    safetensors.torch.save_file(state, target)
    saved = time.perf_counter()
    with open(target, "rb") as file:
        os.fsync(file.fileno())
    end = time.perf_counter()
    return {
        "seconds": end - start,
        "load": loaded - start,
        "save": saved - loaded,
        "fsync": end - saved,
        "torch": torch.__version__,
        "safetensors": safetensors.__version__,
    }


def compare(name: str, source: str, target: str) -> dict:
    """Counts the tensors whose name, type, shape and every byte agree."""
    expected = layout(name)
    state = torch.load(source, map_location="cpu", weights_only=True, mmap=True)
    problems = []
    identical = 0
    if {key: tuple(tensor.shape) for key, tensor in state.items()} != expected:
        problems.append(f"{source} does not hold the layout of {name}")
    with safetensors.safe_open(target, framework="pt") as result:
        names = set(result.keys())
        problems += [f"{key}: not in the input" for key in sorted(names - state.keys())]
        for key, tensor in state.items():
            problem = _difference(tensor, result.get_tensor(key)) if key in names else "missing"
            if problem:
                problems.append(f"{key}: {problem}")
            else:
                identical += 1
    return {"tensors": len(expected), "identical": identical, "problems": problems}


def _difference(wanted: torch.Tensor, got: torch.Tensor) -> str | None:
    if (got.dtype, got.shape) != (wanted.dtype, wanted.shape):
        return f"{got.dtype} {list(got.shape)} instead of {wanted.dtype} {list(wanted.shape)}"
    same = torch.equal(got.contiguous().view(torch.uint8), wanted.contiguous().view(torch.uint8))
    return None if same else "bytes differ"


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    print(json.dumps({"make": make, "convert": convert, "compare": compare}[command](*arguments)))
