"""Writes the checkpoints under Tests/Fixtures with PyTorch, and what they hold to expected.json.

Run from the root of the repository: python3 tools/reference/make_fixtures.py
"""

import argparse
import collections
import datetime
import hashlib
import json
import pathlib
import zipfile

import numpy
import safetensors.torch
import torch

import sam_shapes

FIXTURES = pathlib.Path("Tests/Fixtures")
NAMES = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16",
    torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8",
    torch.uint8: "U8", torch.uint16: "U16", torch.uint32: "U32", torch.uint64: "U64",
    torch.bool: "BOOL", torch.complex32: "C32", torch.complex64: "C64",
    torch.complex128: "C128", torch.float8_e4m3fn: "F8_E4M3", torch.float8_e5m2: "F8_E5M2",
    torch.float8_e4m3fnuz: "F8_E4M3FNUZ", torch.float8_e5m2fnuz: "F8_E5M2FNUZ",
    torch.float8_e8m0fnu: "F8_E8M0",
}
expected = {}


def packed(tensor):
    """The tensor's bytes in C order; this machine is little-endian."""
    plain = tensor.detach().resolve_conj().resolve_neg().contiguous()
    return bytes(plain.clone().untyped_storage())


def record(path, tensors):
    expected[path] = {
        name: {
            "dtype": NAMES[tensor.dtype], "shape": list(tensor.shape),
            "sha256": hashlib.sha256(packed(tensor)).hexdigest(),
        }
        for name, tensor in tensors.items()
    }


def save(name, value, tensors, **options):
    path = FIXTURES / "torch" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(value, path, **options)
    record(f"torch/{name}", tensors)
    return path


def plain():
    odd = torch.tensor([float("nan"), -0.0, float("inf"), 1e-42])
    # A NaN that carries a payload must keep it.
    odd.view(torch.int32)[0] = 0x7FC12345
    return collections.OrderedDict(
        weight=torch.randn(3, 5), bias=torch.randn(3), odd=odd, scalar=torch.tensor(2.5),
        empty=torch.empty(0, 4), count=torch.tensor([1, -2, 3]))


def state_dicts():
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3))
    state = model.state_dict()
    for protocol in (2, 4, 5):
        tensors = plain()
        save(f"plain_protocol{protocol}.pth", tensors, tensors, pickle_protocol=protocol)
    save("metadata.pth", state, state)
    save("data_parallel.pth", {"module." + k: v for k, v in state.items()}, state)
    save("compiled.pth", {"_orig_mod." + k: v for k, v in state.items()}, state)
    training(model, state)
    two = {"model": state, "ema": {k: v + 1 for k, v in state.items()}}
    save("two_candidates.pth", two, state)
    save("lightning.pth", {
        "state_dict": state, "epoch": 3, "global_step": 17,
        "pytorch-lightning_version": "2.4.0", "hyper_parameters": {"lr": 1e-3},
        "loops": {"fit": {"progress": torch.tensor(1)}},
    }, state)


def training(model, state):
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.randn(2, 4)).sum().backward()
    optimizer.step()
    state = model.state_dict()
    save("training.pth", {
        "model": state, "optimizer": optimizer.state_dict(), "epoch": 7,
        "args": argparse.Namespace(lr=0.1, out=pathlib.PurePosixPath("/tmp/run")),
        "when": datetime.datetime(2024, 5, 6, 7, 8, 9), "best": numpy.float64(0.5),
        "history": numpy.arange(4.0), "table": collections.defaultdict(list, a=[1]),
        "tally": collections.Counter("abca"), "seen": {1, 2}, "frozen": frozenset({3}),
        "z": 1 + 2j, "size": torch.Size([2, 3]), "dtype": torch.float16,
        "device": torch.device("cpu"), "range": range(3), "raw": b"\x80\x02.",
        "buffer": bytearray(b"xy"), "loss": torch.tensor(0.25),
    }, state)


def kinds():
    save("dtypes.pth", *[dtypes()] * 2)
    base = torch.arange(60, dtype=torch.float32)
    strided = {
        "transposed": base[:12].view(3, 4).t(), "offset": base[7:19].view(3, 4)[1:, 1:],
        "steps": base[::3], "expanded": base[2:5].unsqueeze(1).expand(3, 4),
        "scalar": base[41], "channels_last": torch.randn(2, 3, 4, 5).to(
            memory_format=torch.channels_last),
        "half": torch.randn(6, 4).half().t(), "byte": torch.arange(9, dtype=torch.uint8).view(3, 3).t(),
        "complex": torch.randn(3, 2, dtype=torch.complex128).t(),
    }
    save("strided.pth", strided, strided)
    shared = {"all": base, "same": base, "head": base[:8], "grid": base[8:20].view(3, 4)}
    save("shared.pth", shared, shared)
    parameters = {
        "trained": torch.nn.Parameter(torch.randn(3, 2)),
        "frozen": torch.nn.Parameter(torch.randn(2), requires_grad=False),
        "buffer": torch.nn.Buffer(torch.randn(4)),
    }
    save("parameters.pth", parameters, parameters)
    value = torch.randn(3, 2, dtype=torch.complex64)
    lazy = {
        "conj": value.conj(), "neg": torch._neg_view(torch.randn(5)),
        "imag": torch.randn(3, dtype=torch.complex64).conj().imag, "both": torch._neg_view(value.conj()),
        "conj_strided": value.conj().t(), "neg_int": torch._neg_view(torch.tensor([1, -5, 0])),
    }
    save("conj_neg.pth", lazy, lazy)
    tagged = torch.randn(4)
    tagged.note = "kept by Python alone"
    save("attribute.pth", {"tagged": tagged}, {"tagged": tagged})


def dtypes():
    result = {}
    for dtype, name in NAMES.items():
        bits = torch.randint(0, 256, (2, 3, 16), dtype=torch.uint8)
        if dtype == torch.bool:
            bits &= 1
        result[name] = bits.view(dtype)
    return result


def models():
    for name, state in (
        ("sam_tiny.pth", sam_shapes.sam()), ("masam_tiny.pth", sam_shapes.masam()),
        ("samed_tiny.pth", sam_shapes.samed()),
    ):
        save(name, state, state)
    state = sam_shapes.sam()
    save("medsam_tiny.pth", {"model": state, "optimizer": {"state": {}}, "epoch": 4}, state)


def containers():
    """The same archive packed in the other ways that occur."""
    tensors = plain()
    source = FIXTURES / "torch" / "plain_protocol2.pth"
    records = read_records(source)
    repack("deflated.pth", records, zipfile.ZIP_DEFLATED)
    repack("plain_zip.pth", records, zipfile.ZIP_STORED)
    repack("zip64.pth", records, zipfile.ZIP_STORED, zip64=True)
    repack("old_layout.pth", {k: v for k, v in records.items() if "/data" in k or "version" in k
                              and "." not in k}, zipfile.ZIP_STORED)
    for name in ("deflated.pth", "plain_zip.pth", "zip64.pth", "old_layout.pth"):
        expected[f"torch/{name}"] = expected["torch/plain_protocol2.pth"]
    big_endian(tensors)


def read_records(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def repack(name, records, method, zip64=False):
    with zipfile.ZipFile(FIXTURES / "torch" / name, "w", method) as archive:
        for record_name, content in records.items():
            info = zipfile.ZipInfo(record_name, (1980, 1, 1, 0, 0, 0))
            info.compress_type = method
            with archive.open(info, "w", force_zip64=zip64) as output:
                output.write(content)


def big_endian(tensors):
    tensors = {**tensors, "half": torch.randn(3).half(), "wide": torch.randn(3).double(),
               "complex": torch.randn(2, dtype=torch.complex64), "flag": torch.tensor([True])}
    path = save("big_endian.pth", tensors, tensors)
    records = read_records(path)
    root = next(iter(records)).split("/")[0]
    records[root + "/byteorder"] = b"big"
    for key, tensor in enumerate(tensors.values()):
        width = tensor.element_size() // (2 if tensor.is_complex() else 1)
        content = records[f"{root}/data/{key}"]
        units = [content[i:i + width][::-1] for i in range(0, len(content), width)]
        records[f"{root}/data/{key}"] = b"".join(units)
    repack("big_endian.pth", records, zipfile.ZIP_STORED)


def others():
    """Files that are refused, each for its own reason."""
    folder = FIXTURES / "refused"
    folder.mkdir(parents=True, exist_ok=True)
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), folder / "torchscript.pt")
    torch.save(torch.nn.Linear(2, 2), folder / "whole_module.pth")
    torch.save({"a": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)},
               folder / "quantised.pth")
    torch.save({"a": torch.eye(3).to_sparse()}, folder / "sparse.pth")
    torch.save({"a": torch.ones(2, device="meta")}, folder / "meta.pth")


def safetensors_files():
    folder = FIXTURES / "safetensors"
    folder.mkdir(parents=True, exist_ok=True)
    every = {k: v for k, v in dtypes().items() if k not in ("C32", "C128")}
    for name, tensors, metadata in (
        ("dtypes", every, None), ("empty", {}, None),
        ("metadata", plain(), {"author": "a\"b", "note": "é\n"}),
    ):
        path = folder / f"{name}.safetensors"
        safetensors.torch.save_file(tensors, path, metadata=metadata)
        record(f"safetensors/{name}.safetensors", tensors)


def main():
    torch.manual_seed(20240506)
    numpy.random.seed(0)
    state_dicts()
    kinds()
    models()
    containers()
    others()
    safetensors_files()
    (FIXTURES / "expected.json").write_text(json.dumps(expected, indent=1, sort_keys=True) + "\n")
    total = sum(path.stat().st_size for path in FIXTURES.rglob("*") if path.is_file())
    print(f"{len(expected)} checkpoints, {total} bytes")


if __name__ == "__main__":
    main()
