"""What needs PyTorch, each command in a process of its own; prints one JSON object.

    python torch_side.py make LAYOUT FILE.pth
    python torch_side.py convert FILE.pth OUT.safetensors
    python torch_side.py save FILE.safetensors OUT.pth|OUT.safetensors|OUT.h5
    python torch_side.py compare LAYOUT FILE.pth OUT.pth|OUT.safetensors|OUT.h5
"""

import json
import os
import sys
import time
from collections import OrderedDict
from contextlib import contextmanager
from pathlib import Path

import h5py
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
    """The baseline of import: load, save, flush to disk."""
    return _timed(lambda: torch.load(source, map_location="cpu", weights_only=True), target)


def save(source: str, target: str) -> dict:
    """The baseline of export: load with safetensors, save as the target's name ends, flush."""
    return _timed(lambda: safetensors.torch.load_file(source), target)


def _timed(load, target: str) -> dict:
    """Imports are done before the clock starts."""
    write = WRITERS[Path(target).suffix]
    start = time.perf_counter()
    state = load()
    loaded = time.perf_counter()
    write(state, target)
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
        "h5py": h5py.__version__,
    }


def _write_hdf5(state: dict, target: str) -> None:
    """A dataset a tensor, in groups as the name's dots say, laid out as h5py does by itself."""
    with h5py.File(target, "w") as file:
        for key, tensor in state.items():
            file.create_dataset(key.replace(".", "/"), data=tensor.numpy())


WRITERS = {".pth": torch.save, ".safetensors": safetensors.torch.save_file, ".h5": _write_hdf5}


def compare(name: str, source: str, target: str) -> dict:
    """Counts the tensors whose name, type, shape and every byte agree."""
    expected = layout(name)
    state = torch.load(source, map_location="cpu", weights_only=True, mmap=True)
    problems = []
    identical = 0
    if {key: tuple(tensor.shape) for key, tensor in state.items()} != expected:
        problems.append(f"{source} does not hold the layout of {name}")
    with READERS[Path(target).suffix](target) as (names, tensor_of):
        problems += [f"{key}: not in the input" for key in sorted(names - state.keys())]
        for key, tensor in state.items():
            problem = _difference(tensor, tensor_of(key)) if key in names else "missing"
            if problem:
                problems.append(f"{key}: {problem}")
            else:
                identical += 1
    return {"tensors": len(expected), "identical": identical, "problems": problems}


@contextmanager
def _read_torch(path: str):
    state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    yield set(state), state.__getitem__


@contextmanager
def _read_safetensors(path: str):
    with safetensors.safe_open(path, framework="pt") as file:
        yield set(file.keys()), file.get_tensor


@contextmanager
def _read_hdf5(path: str):
    with h5py.File(path) as file:
        places = {}
        file.visititems(lambda place, item: places.update({place.replace("/", "."): item})
                        if isinstance(item, h5py.Dataset) else None)
        yield set(places), lambda key: torch.from_numpy(places[key][...])


READERS = {".pth": _read_torch, ".safetensors": _read_safetensors, ".h5": _read_hdf5}


def _difference(wanted: torch.Tensor, got: torch.Tensor) -> str | None:
    if (got.dtype, got.shape) != (wanted.dtype, wanted.shape):
        return f"{got.dtype} {list(got.shape)} instead of {wanted.dtype} {list(wanted.shape)}"
    same = torch.equal(got.contiguous().view(torch.uint8), wanted.contiguous().view(torch.uint8))
    return None if same else "bytes differ"


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    commands = {"make": make, "convert": convert, "save": save, "compare": compare}
    print(json.dumps(commands[command](*arguments)))
