"""Opens an HDF5 file with h5py and compares its tensors with a file of expectations.

python3 tools/reference/check_hdf5.py FILE EXPECTED.json, the latter an object that gives for each
tensor's name its dtype, shape and the SHA-256 of its packed little-endian bytes, as every entry
of Tests/Fixtures/expected.json does.
"""

import hashlib
import json
import sys

import h5py
import hdf5plugin  # noqa: F401, whose import registers Zstandard
import numpy

NAMES = {
    "f2": "F16", "f4": "F32", "f8": "F64", "i1": "I8", "i2": "I16", "i4": "I32", "i8": "I64",
    "u1": "U8", "u2": "U16", "u4": "U32", "u8": "U64", "b1": "BOOL", "c8": "C64", "c16": "C128",
}


def dtype_name(data):
    """The name of a dataset's type: its attribute's, or numpy's."""
    if "wt.dtype" in data.attrs:
        name = data.attrs["wt.dtype"]
        return name.decode() if isinstance(name, bytes) else name
    if data.dtype.names == ("r", "i") and data.dtype["r"] == numpy.float16:
        return "C32"
    return NAMES.get(data.dtype.str[1:], data.dtype.str)


def found(path):
    tensors = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset):
            value = item[()]
            packed = numpy.asarray(value, item.dtype.newbyteorder("<"))
            tensors[name.replace("/", ".")] = {
                "dtype": dtype_name(item), "shape": list(item.shape),
                "sha256": hashlib.sha256(packed.tobytes()).hexdigest(),
            }

    with h5py.File(path, "r") as file:
        file.visititems(visit)
    return tensors


def main():
    path, expectation = sys.argv[1:]
    with open(expectation, encoding="utf-8") as file:
        expected = json.load(file)
    tensors = found(path)
    wrong = [name for name in expected.keys() | tensors.keys()
             if expected.get(name) != tensors.get(name)]
    for name in sorted(wrong):
        print(f"{name}: expected {expected.get(name)}, found {tensors.get(name)}")
    print(f"{len(tensors)} tensors, {len(wrong)} differ")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
