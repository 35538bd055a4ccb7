#!/usr/bin/env python3
"""Writes a small model of SAM's form with random weights: the place of a SAM checkpoint.

Nothing but Python's standard library is needed. The numbers are those of PyTorch's layers before
training (uniform within 1/sqrt(inputs), norms 1 and 0), from a fixed seed.
"""

import json
import random
import struct
import sys
from array import array
from math import prod, sqrt
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "Benchmarks"))
from sam_layout import Form, shapes_of  # noqa: E402

FORM = Form(width=96, depth=4, heads=4, global_blocks=(1, 3), grid=8, window=4, prompt=64,
            decoder_mlp=128)


def numbers(name: str, shape: tuple[int, ...], inputs: int, source: random.Random) -> array:
    count = prod(shape)
    if "norm" in name or name.split(".")[-2] in ("1", "3") and len(shape) == 1:
        return array("f", [1.0 if name.endswith("weight") else 0.0]) * count
    if "embed" in name or "token" in name or "gaussian" in name:
        return array("f", (source.gauss(0, 1 if "gaussian" in name else 0.1) for _ in range(count)))
    limit = 1 / sqrt(inputs)
    return array("f", (source.uniform(-limit, limit) for _ in range(count)))


def main(path: str) -> None:
    source, shapes = random.Random(0), shapes_of(FORM)
    metadata = {"wt.global_blocks": ",".join(map(str, FORM.global_blocks))}
    header, tensors, offset = {"__metadata__": metadata}, [], 0
    for name, shape in shapes.items():
        weight = shapes.get(name.removesuffix("bias") + "weight", shape)
        tensors.append(numbers(name, shape, max(1, prod(weight[1:])), source))
        end = offset + 4 * prod(shape)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for tensor in tensors:
            if sys.byteorder == "big":
                tensor.byteswap()
            tensor.tofile(file)


if __name__ == "__main__":
    main(sys.argv[1])
