"""Compresses recorded checkpoints whole with Python's gzip and zstandard, as people do by hand.

Run from the root of the repository: python3 tools/reference/make_compressed_fixtures.py
"""

import gzip
import json
import pathlib

import zstandard

FIXTURES = pathlib.Path("Tests/Fixtures")
SOURCES = ("torch/plain_protocol2.pth", "safetensors/metadata.safetensors")
FORMS = {
    ".gz": lambda data: gzip.compress(data, mtime=0),
    ".zst": lambda data: zstandard.ZstdCompressor(level=19, write_checksum=True).compress(data),
    # A stream does not know its size beforehand.
    ".stream.zst": lambda data: stream(data),
}


def stream(data):
    packer = zstandard.ZstdCompressor().compressobj()
    return packer.compress(data) + packer.flush()


def main():
    known = json.loads((FIXTURES / "expected.json").read_text())
    expected = {}
    folder = FIXTURES / "compressed"
    folder.mkdir(exist_ok=True)
    for source in SOURCES:
        path = FIXTURES / source
        for suffix, pack in FORMS.items():
            name = path.name + suffix
            (folder / name).write_bytes(pack(path.read_bytes()))
            expected[f"compressed/{name}"] = known[source]
    (FIXTURES / "expected-compressed.json").write_text(
        json.dumps(expected, indent=1, sort_keys=True) + "\n")
    print(f"{len(expected)} files")


if __name__ == "__main__":
    main()
