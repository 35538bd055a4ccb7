#!/usr/bin/env python3
"""Cuts a scan and its brain into slabs with masks: the cases of a dataset made of one head.

Every slab keeps the scan's geometry, its own place in it included. Only Python's standard library is
needed; the two files are NIfTI-1 of bytes, as mricron's templates are.
"""

import gzip
import struct
import sys
from pathlib import Path

HEADER, DIMENSIONS, DATATYPE, SHIFT_Z = 352, 40, 70, 324  # bytes from the start
SLAB = 12  # slices


def read(path: str) -> tuple[bytes, bytes]:
    data = gzip.open(path).read()
    if struct.unpack_from("<ih", data, 0)[0] != 348 or struct.unpack_from("<h", data, DATATYPE)[0] != 2:
        raise SystemExit(f"{path}: not a little-endian NIfTI-1 file of bytes")
    return data[:HEADER], data[HEADER:]


def slab(header: bytes, start: int) -> bytes:
    """The header of some slices: as many as a slab has, from one of the scan's on."""
    header = bytearray(header)
    struct.pack_into("<h", header, DIMENSIONS + 6, SLAB)
    step, shift = struct.unpack_from("<2f", header, SHIFT_Z - 4)
    struct.pack_into("<f", header, SHIFT_Z, shift + start * step)
    return bytes(header)


def main(scan: str, brain: str, folder: str) -> None:
    (header, image), (_, inside) = read(scan), read(brain)
    columns, rows, slices = struct.unpack_from("<3h", header, DIMENSIONS + 2)
    plane = columns * rows
    parts = {"images": image, "labels": inside.translate(bytes([0] + [1] * 255))}
    for number in range(slices // SLAB):
        start = number * SLAB
        for name, numbers in parts.items():
            path = Path(folder, name, f"slab{number:02}.nii.gz")
            path.parent.mkdir(parents=True, exist_ok=True)
            with gzip.GzipFile(path, "wb", mtime=0) as file:
                file.write(slab(header, start) + numbers[start * plane:(start + SLAB) * plane])


if __name__ == "__main__":
    main(*sys.argv[1:])
