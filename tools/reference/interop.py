"""Reads what `wt export` writes with PyTorch, safetensors and h5py, and compares every bit.

    python3 tools/reference/interop.py .build/release/wt
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import h5py
import hdf5plugin  # noqa: F401  registers the Zstandard filter
import numpy
import safetensors
import torch

FIXTURES = pathlib.Path("Tests/Fixtures/torch")
# What torch cannot load itself, or holds two models.
LEFT_OUT = {"two_candidates.pth", "big_endian.pth"}


class Run:
    """Counts the files that were read back, and the tensors that differ."""

    def __init__(self, wt):
        self.wt, self.files, self.tensors, self.problems = wt, 0, 0, []

    def export(self, source, target, form, *options):
        command = [self.wt, "export", source, "-o", target, "--to", form, "--quiet", *options]
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
        if done.returncode != 0:
            self.problems.append(f"{' '.join(map(str, command))}: {done.stderr.strip()}")
        return done.returncode == 0

    def compare(self, label, wanted, found):
        self.files += 1
        if wanted.keys() != found.keys():
            self.problems.append(f"{label}: other names")
            return
        for name, tensor in wanted.items():
            self.tensors += 1
            if not same(tensor, found[name]):
                self.problems.append(f"{label}: {name} differs")


def same(wanted, found):
    if (wanted.dtype, wanted.shape) != (found.dtype, found.shape):
        return False
    return packed(wanted) == packed(found)


def packed(tensor):
    plain = tensor.detach().resolve_conj().resolve_neg().contiguous()
    return bytes(plain.clone().untyped_storage())


def flat(value, prefix=""):
    """The tensors of a nested dictionary under dotted names, as wt names them."""
    result = {}
    for key, item in value.items():
        name = f"{prefix}{key}"
        if isinstance(item, torch.Tensor):
            result[name] = item
        elif isinstance(item, dict):
            result |= flat(item, name + ".")
    return result


def model(value):
    """The part that wt takes for the model."""
    for key in ("model", "state_dict"):
        if isinstance(value.get(key), dict):
            return flat(value[key])
    return flat(value)


def random_set(seed):
    """Tensors of every type, rank 0 to 8, with random bits."""
    generator = torch.Generator().manual_seed(seed)
    names = [name for name in (
        "bool uint8 int8 int16 uint16 int32 uint32 int64 uint64 float16 bfloat16 float32 float64 "
        "complex64 float8_e4m3fn float8_e5m2 float8_e4m3fnuz float8_e5m2fnuz float8_e8m0fnu"
    ).split() if hasattr(torch, name)]
    result = {}
    for place, name in enumerate(names):
        dtype = getattr(torch, name)
        rank = int(torch.randint(0, 9, (1,), generator=generator))
        shape = [int(n) for n in torch.randint(0 if rank > 5 else 1, 4, (rank,), generator=generator)]
        width = torch.empty((), dtype=dtype).element_size()
        count = width
        for extent in shape:
            count *= extent
        bits = torch.randint(0, 256, (count,), dtype=torch.uint8, generator=generator)
        if dtype == torch.bool:
            bits &= 1
        result[f"layer.{place}.{name}"] = bits.view(dtype).reshape(shape)
    return result


def sources(folder):
    for path in sorted(FIXTURES.glob("*.pth")):
        if path.name not in LEFT_OUT:
            yield path, model(torch.load(path, weights_only=False))
    for seed in range(20):
        tensors = random_set(seed)
        path = folder / f"random{seed}.pth"
        torch.save(tensors, path)
        yield path, tensors


def check(run, path, wanted, folder):
    target = folder / "out.pth"
    if run.export(path, target, "torch", "--force"):
        run.compare(f"{path.name} as torch", wanted, torch.load(target, weights_only=True))
    # safetensors has no complex numbers of these widths.
    if any(t.dtype in (torch.complex32, torch.complex128) for t in wanted.values()):
        return
    target = folder / "out.safetensors"
    if run.export(path, target, "safetensors", "--force"):
        with safetensors.safe_open(target, framework="pt") as file:
            run.compare(f"{path.name} as safetensors", wanted,
                        {name: file.get_tensor(name) for name in file.keys()})
    for compression in ("none", "gzip", "zstd"):
        check_hdf5(run, path, wanted, folder, compression)
    if sum(t.nbytes for t in wanted.values()) > 1000:
        check_shards(run, path, wanted, folder)


def check_hdf5(run, path, wanted, folder, compression):
    """Compares bytes and shapes; types that HDF5 has no name for are bits there."""
    target = folder / "out.h5"
    if not run.export(path, target, "hdf5", "--force", "--compression", compression):
        return
    run.files += 1
    with h5py.File(target) as file:
        for name, tensor in wanted.items():
            run.tensors += 1
            found = numpy.asarray(file[name.replace(".", "/")][()])
            if found.shape != tuple(tensor.shape) or found.tobytes() != packed(tensor):
                run.problems.append(f"{path.name} as HDF5 ({compression}): {name} differs")


def check_shards(run, path, wanted, folder):
    target = folder / f"{path.stem}-sharded.safetensors"
    if not run.export(path, target, "safetensors", "--force", "--shard-size", "500B"):
        return
    index = json.loads((folder / f"{target.name}.index.json").read_text())["weight_map"]
    found = {}
    for name, shard in index.items():
        with safetensors.safe_open(folder / shard, framework="pt") as file:
            found[name] = file.get_tensor(name)
    run.compare(f"{path.name} in shards", wanted, found)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wt", help="the program to check")
    run = Run(pathlib.Path(parser.parse_args().wt).resolve())
    torch.manual_seed(7)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for path, wanted in sources(folder):
            check(run, path, wanted, folder)
    for problem in run.problems[:20]:
        print(problem)
    print(f"{run.files} files with {run.tensors} tensors read back, {len(run.problems)} problems")
    return 1 if run.problems or run.files == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
