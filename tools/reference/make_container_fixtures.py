"""Writes the checkpoints of the other containers under Tests/Fixtures, and what they hold to
expected-containers.json: streams from before torch 1.6, numpy's pickles, .npy, .npz, and sharded
safetensors.

Run from the root of the repository: python3 tools/reference/make_container_fixtures.py
"""

import collections
import hashlib
import json
import pickle

import numpy
import safetensors.torch
import torch

import make_fixtures as shared
import sam_shapes

FIXTURES = shared.FIXTURES
KINDS = {"b": "BOOL", "i": "I", "u": "U", "f": "F", "c": "C"}


def record_arrays(path, arrays):
    """Notes numpy arrays as what they are in C order and little-endian."""
    noted = {}
    for name, array in arrays.items():
        array = numpy.asarray(array)
        plain = numpy.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"))
        kind = KINDS[array.dtype.kind]
        noted[name] = {
            "dtype": kind if kind == "BOOL" else f"{kind}{8 * array.dtype.itemsize}",
            "shape": list(array.shape), "sha256": hashlib.sha256(plain.tobytes()).hexdigest(),
        }
    shared.expected[path] = noted


def folder(name):
    path = FIXTURES / name
    path.mkdir(parents=True, exist_ok=True)
    return path


def legacy():
    def save(name, value, tensors, protocol=2):
        torch.save(value, folder("legacy") / name, pickle_protocol=protocol,
                   _use_new_zipfile_serialization=False)
        shared.record(f"legacy/{name}", tensors)

    for protocol in (2, 3, 4, 5):
        plain = shared.plain()
        save(f"plain_protocol{protocol}.pth", plain, plain, protocol)
    every = shared.dtypes()
    # Complex32 has no storage class of its own and cannot be written this way.
    every.pop("C32")
    save("dtypes.pth", every, every)
    base = torch.arange(60, dtype=torch.float32)
    views = {
        "all": base, "same": base, "head": base[:8], "grid": base[8:20].view(3, 4),
        "transposed": base[:12].view(3, 4).t(), "steps": base[::3], "scalar": base[41],
        "expanded": base[2:5].unsqueeze(1).expand(3, 4), "half": torch.randn(6, 4).half().t(),
        "complex": torch.randn(3, 2, dtype=torch.complex128).t(), "empty": torch.empty(0, 3),
        "conj": torch.randn(3, dtype=torch.complex64).conj(),
    }
    save("views.pth", views, views)
    parameters = {
        "trained": torch.nn.Parameter(torch.randn(3, 2)),
        "frozen": torch.nn.Parameter(torch.randn(2), requires_grad=False),
    }
    save("parameters.pth", parameters, parameters)
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3))
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.randn(2, 4)).sum().backward()
    optimizer.step()
    state = model.state_dict()
    save("training.pth", {
        "model": state, "optimizer": optimizer.state_dict(), "epoch": 7,
        "best": numpy.float64(0.5), "history": numpy.arange(4.0), "loss": torch.tensor(0.25),
        "table": collections.defaultdict(list, a=[1]),
    }, state)
    sam = sam_shapes.sam()
    save("sam_tiny.pth", sam, sam)
    single = torch.load(folder("legacy") / "single.pth", weights_only=True)
    shared.record("legacy/single.pth", single)


def numpy_pickles():
    def dump(name, value, arrays, protocol):
        with open(folder("numpy") / name, "wb") as file:
            pickle.dump(value, file, protocol=protocol)
        record_arrays(f"numpy/{name}", arrays)

    # What MA-SAM dumps: slices of a volume that was turned and flipped.
    volume = numpy.random.standard_normal((8, 8, 5))
    turned = numpy.flip(numpy.rot90(volume), axis=0)
    shapes = {
        "contiguous": volume, "turned": turned, "fortran": numpy.asfortranarray(volume),
        "exchanged": volume.transpose(1, 0, 2), "mask": (turned > 0).astype(numpy.uint8),
    }
    for protocol in (2, 3, 4, 5):
        for name, array in shapes.items():
            if name == "mask" and protocol != 4:
                continue
            dump(f"{name}_protocol{protocol}.pkl", array, {"array": array}, protocol)
        nest = nested()
        dump(f"nested_protocol{protocol}.pkl", nest[0], nest[1], protocol)
        kinds = every_kind()
        dump(f"kinds_protocol{protocol}.pkl", kinds, kinds, protocol)
        dump(f"scalar_protocol{protocol}.pkl", numpy.float32(1.5), {"array": numpy.float32(1.5)},
             protocol)


def nested():
    """A dictionary as training code dumps it, and its arrays by the names that they get."""
    image = numpy.random.standard_normal((4, 3)).astype(numpy.float32)
    stack = [numpy.arange(3, dtype=numpy.int16), numpy.ones((2, 2), dtype=bool)]
    value = {
        "image": image, "case": "img0001", "slices": stack, "spacing": (numpy.float64(0.75), 3),
        "again": image, "info": {"affine": numpy.eye(4), "labels": {1: numpy.zeros(2)},
                                 "organ": numpy.str_("liver"), "seen": {1, 2}},
    }
    return value, {
        "image": image, "slices.0": stack[0], "slices.1": stack[1],
        "spacing.0": numpy.float64(0.75), "again": image, "info.affine": numpy.eye(4),
        "info.labels.1": numpy.zeros(2),
    }


def every_kind():
    result = {}
    for code in ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8",
                 "c16", ">i2", ">u4", ">i8", ">f2", ">f4", ">f8", ">c8", ">c16"):
        dtype = numpy.dtype(code)
        bits = numpy.random.randint(0, 2 if dtype.kind == "b" else 256, 6 * dtype.itemsize)
        array = numpy.frombuffer(bits.astype(numpy.uint8).tobytes(), dtype=dtype).reshape(2, 3)
        result[code.replace(">", "big_")] = array.copy()
    result["fortran_big"] = numpy.asfortranarray(result["big_f4"])
    result["empty"] = numpy.zeros((0, 3))
    result["zero_rank"] = numpy.array(7, dtype=numpy.int32)
    return result


def npy_files():
    def write(name, array, version=None):
        with open(folder("npy") / name, "wb") as file:
            numpy.lib.format.write_array(file, array, version=version)
        record_arrays(f"npy/{name}", {"array": array})

    grid = numpy.arange(24, dtype=numpy.float32).reshape(2, 3, 4)
    for major in (1, 2, 3):
        write(f"version{major}.npy", grid, (major, 0))
    write("fortran.npy", numpy.asfortranarray(grid))
    write("fortran_big.npy", numpy.asfortranarray(grid.astype(">f8")))
    write("big.npy", grid.astype(">i4"))
    write("scalar.npy", numpy.array(2.5))
    write("empty.npy", numpy.zeros((3, 0, 2), dtype=numpy.complex64))
    write("bool.npy", grid > 4)


def npz_files():
    arrays = {
        "weight": numpy.random.standard_normal((3, 4)).astype(numpy.float32),
        "layer.bias": numpy.arange(3.0), "fortran": numpy.asfortranarray(numpy.eye(3)[:, :2]),
        "big": numpy.arange(5, dtype=">i4"), "größe": numpy.array([1, 2], dtype=numpy.uint8),
        "empty": numpy.zeros((0, 2)), "scalar": numpy.array(True),
        "long": numpy.zeros((40, 50), dtype=numpy.float64),
    }
    for name, function in (("stored", numpy.savez), ("deflated", numpy.savez_compressed)):
        function(folder("npz") / f"{name}.npz", **arrays)
        record_arrays(f"npz/{name}.npz", arrays)
        # Small enough that every bit of it can be flipped.
        small = {"a": numpy.arange(6, dtype=numpy.int16).reshape(2, 3), "b": numpy.array([0.5])}
        function(folder("npz") / f"small_{name}.npz", **small)
        record_arrays(f"npz/small_{name}.npz", small)


def sharded():
    shards = {
        f"model-0000{place}-of-00003.safetensors": {
            f"layer.{place}.weight": torch.randn(3, 4), f"layer.{place}.bias": torch.randn(3),
            f"layer.{place}.count": torch.tensor([place]),
        } for place in (1, 2, 3)
    }
    weight_map, tensors = {}, {}
    for name, content in shards.items():
        safetensors.torch.save_file(content, folder("sharded") / name, metadata={"format": "pt"})
        weight_map.update({tensor: name for tensor in content})
        tensors.update(content)
    total = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    index = {"metadata": {"total_size": total, "author": "wt"}, "weight_map": weight_map}
    path = folder("sharded") / "model.safetensors.index.json"
    path.write_text(json.dumps(index, indent=2, sort_keys=True) + "\n")
    shared.record("sharded/model.safetensors.index.json", tensors)


def main():
    torch.manual_seed(20240507)
    numpy.random.seed(7)
    legacy()
    numpy_pickles()
    npy_files()
    npz_files()
    sharded()
    target = FIXTURES / "expected-containers.json"
    target.write_text(json.dumps(shared.expected, indent=1, sort_keys=True) + "\n")
    written = [path for name in ("legacy", "numpy", "npy", "npz", "sharded")
               for path in (FIXTURES / name).iterdir()]
    total = sum(path.stat().st_size for path in written)
    print(f"{len(shared.expected)} checkpoints, {total} bytes")


if __name__ == "__main__":
    main()
