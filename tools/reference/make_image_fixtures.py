"""Writes PNG files of every kind under Tests/Fixtures/images with Pillow, and what it reads out of them
to images.json.

Run from the root of the repository: python3 tools/reference/make_image_fixtures.py
"""

import hashlib
import json
import pathlib
import struct
import zlib

import numpy
from PIL import Image

FOLDER = pathlib.Path("Tests/Fixtures/images")
random = numpy.random.default_rng(5)
expected = {}


def record(name, array, palette=()):
    array = numpy.ascontiguousarray(array)
    height, width = array.shape[:2]
    expected[name] = {
        "width": width, "height": height, "channels": array.shape[2] if array.ndim == 3 else 1,
        "bits": 8 * array.dtype.itemsize, "palette": [int(value) for value in palette],
        "sha256": hashlib.sha256(array.astype(array.dtype.newbyteorder("<")).tobytes()).hexdigest(),
    }


def chunk(kind, content):
    return (struct.pack(">I", len(content)) + kind + content
            + struct.pack(">I", zlib.crc32(kind + content)))


def handmade(name, depth, colour, array, interlaced=False, extra=b""):
    """A file that Pillow cannot write: 16-bit colours, interlacing, a gamma."""
    height, width = array.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlaced))
    big = array.astype(array.dtype.newbyteorder(">"))
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
              (0, 1, 1, 2)] if interlaced else [(0, 0, 1, 1)]
    rows = b""
    for left, top, across, down in passes:
        part = big[top::down, left::across]
        if part.size:
            rows += b"".join(b"\0" + numpy.ascontiguousarray(row).tobytes() for row in part)
    (FOLDER / name).write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b""))
    record(name, array)


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    for mode, shape in (("L", (7, 9)), ("LA", (7, 9, 2)), ("RGB", (7, 9, 3)), ("RGBA", (7, 9, 4))):
        array = random.integers(0, 256, shape, dtype=numpy.uint8)
        Image.fromarray(array, mode).save(FOLDER / f"{mode.lower()}.png")
        record(f"{mode.lower()}.png", numpy.asarray(Image.open(FOLDER / f"{mode.lower()}.png")))
    deep = random.integers(0, 65536, (5, 6), dtype=numpy.uint16)
    Image.fromarray(deep).save(FOLDER / "grey16.png")
    assert numpy.array_equal(numpy.asarray(Image.open(FOLDER / "grey16.png")), deep)
    record("grey16.png", deep)
    bits = random.integers(0, 2, (5, 11), dtype=numpy.uint8) * 255
    Image.fromarray(bits).convert("1").save(FOLDER / "bits.png")
    record("bits.png", bits)
    for colours in (3, 12, 200):
        indices = random.integers(0, colours, (6, 10), dtype=numpy.uint8)
        palette = random.integers(0, 256, 3 * colours, dtype=numpy.uint8)
        image = Image.fromarray(indices, "P")
        image.putpalette(palette.tobytes())
        name = f"palette{colours}.png"
        image.save(FOLDER / name)
        assert numpy.array_equal(numpy.asarray(Image.open(FOLDER / name)), indices)
        record(name, indices, Image.open(FOLDER / name).getpalette()[:3 * colours])
    handmade("rgb16.png", 16, 2, random.integers(0, 65536, (4, 5, 3), dtype=numpy.uint16))
    handmade("interlaced.png", 8, 2, random.integers(0, 256, (13, 11, 3), dtype=numpy.uint8), True)
    handmade("gamma.png", 8, 0, random.integers(0, 256, (4, 5), dtype=numpy.uint8),
             extra=chunk(b"gAMA", struct.pack(">I", 100000)))
    for name in ("interlaced.png", "gamma.png"):
        found = numpy.asarray(Image.open(FOLDER / name))
        assert hashlib.sha256(found.tobytes()).hexdigest() == expected[name]["sha256"]
    (FOLDER / "images.json").write_text(json.dumps(expected, indent=1, sort_keys=True) + "\n")
    print(f"{len(expected)} pictures")


if __name__ == "__main__":
    main()
