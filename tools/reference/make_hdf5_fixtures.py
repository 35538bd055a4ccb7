"""Writes the HDF5 files under Tests/Fixtures with h5py, and what they hold to expected-hdf5.json.

Run from the root of the repository: python3 tools/reference/make_hdf5_fixtures.py
"""

import ctypes
import hashlib
import json
import pathlib
import struct

import h5py
import hdf5plugin
import numpy
from h5py import h5d, h5f, h5p, h5s, h5t

FIXTURES = pathlib.Path("Tests/Fixtures")
FOLDER = FIXTURES / "hdf5"
REFUSED = FOLDER / "refused"
NAMES = {
    "f2": "F16", "f4": "F32", "f8": "F64", "i1": "I8", "i2": "I16", "i4": "I32", "i8": "I64",
    "u1": "U8", "u2": "U16", "u4": "U32", "u8": "U64", "b1": "BOOL", "c8": "C64", "c16": "C128",
}
# A test replaces it by the path of a pipe, which would block whoever opened it.
ELSEWHERE = b"/" * 100 + b"elsewhere"
random = numpy.random.default_rng(20240506)
expected = {}


def values(dtype, shape):
    """Random bits, so that every payload of a NaN occurs; the bytes in the dtype's own order."""
    dtype = numpy.dtype(dtype)
    count = int(numpy.prod(shape))
    if dtype.kind == "b":
        return random.integers(0, 2, shape).astype(bool)
    return numpy.frombuffer(random.bytes(count * dtype.itemsize), dtype, count).reshape(shape)


def record(name, tensors, names=None):
    """Notes what a reader must find; `names` are dtypes that numpy has no name for."""
    entry = expected.setdefault("hdf5/" + name, {})
    for key, value in tensors.items():
        value = numpy.asarray(value)
        little = value.astype(value.dtype.newbyteorder("<"))
        kind = value.dtype.str[1:]
        entry[key] = {
            "dtype": (names or {}).get(key) or NAMES[kind], "shape": list(value.shape),
            "sha256": hashlib.sha256(little.tobytes()).hexdigest(),
        }


def create(name, **options):
    return h5py.File(FOLDER / name, "w", **{"libver": ("earliest", "v110"), **options})


def nested(name, **options):
    tensors = {
        "weight": values("f4", (3, 5)), "block.0.weight": values("f4", (4, 2)),
        "block.0.bias": values("f4", (4,)), "block.1.attn.qkv.weight": values("f8", (2, 3)),
        "a.dotted.name": values("i8", (2,)), "caf\u00e9": values("u1", (3,)),
        "scalar": values("f4", ()),
        "empty": values("f4", (0, 4)), "flag": values("b1", ()),
    }
    for index in range(12):
        tensors[f"many.{index}"] = values("i2", (index + 1,))
    with create(name, **options) as file:
        for key, value in tensors.items():
            path = key if key == "a.dotted.name" else key.replace(".", "/")
            file.create_dataset(path, data=value)
        file.attrs["text"] = "varying \u00e9"
        file.attrs["fixed"] = numpy.bytes_("fixed")
        file.attrs["nothing"] = ""
        file.attrs["number"] = 3
        file.attrs["long"] = "x" * 5000
        file["block"].attrs["ignored"] = "of a group"
        file["weight"].attrs["ignored"] = [1, 2]
    record(name, tensors)


def dtypes():
    tensors = {}
    with create("dtypes.h5") as file:
        for kind in NAMES:
            for order in "<>":
                if kind in ("b1", "i1", "u1") and order == ">":
                    continue
                key = f"{'little' if order == '<' else 'big'}.{NAMES[kind]}"
                tensors[key] = values(order + kind, (2, 3, 4))
                file.create_dataset(key.replace(".", "/"), data=tensors[key])
    record("dtypes.h5", tensors)


def raw_bits():
    """What wt itself writes for types that HDF5 has no name for."""
    stored = {
        "BF16": "<u2", "F8_E4M3": "u1", "F8_E5M2": "u1", "F8_E8M0": "u1", "F8_E4M3FNUZ": "u1",
        "F8_E5M2FNUZ": "u1",
    }
    tensors = {name: values(kind, (3, 4)) for name, kind in stored.items()}
    tensors["big"] = values(">u2", (5,))
    names = {name: name for name in stored} | {"big": "BF16", "half": "C32"}
    with create("raw_bits.h5") as file:
        for name, value in tensors.items():
            data = file.create_dataset(name, data=value)
            data.attrs["wt.dtype"] = numpy.bytes_(names[name]) if name != "big" else "BF16"
        half = numpy.dtype([("r", "<f2"), ("i", "<f2")])
        tensors["half"] = values("<u4", (2, 3))
        file.create_dataset("half", data=tensors["half"].view(half))
    record("raw_bits.h5", tensors, names)


def chunked(name, **options):
    big = values("f4", (23, 17))
    zstd = hdf5plugin.Zstd(clevel=3)
    kinds = {
        "gzip": dict(compression="gzip"), "gzip_shuffle": dict(compression="gzip", shuffle=True),
        "fletcher": dict(fletcher32=True), "plain": {}, "zstd": dict(zstd),
        "all": dict(compression="gzip", shuffle=True, fletcher32=True),
        "zstd_shuffle": dict(zstd, shuffle=True),
    }
    tensors = {}
    with create(name, **options) as file:
        for key, filters in kinds.items():
            tensors[key] = big if key != "gzip" else numpy.arange(23 * 17, dtype="f4").reshape(23, 17)
            file.create_dataset(key, data=tensors[key], chunks=(5, 6), **filters)
        tensors["single"] = values(">i4", (6, 4))
        file.create_dataset("single", data=tensors["single"], chunks=(6, 4), compression="gzip")
        tensors["odd"] = values("u1", (7, 3, 5))
        file.create_dataset("odd", data=tensors["odd"], chunks=(3, 3, 5), fletcher32=True)
        tensors["complex"] = values("c8", (5, 5))
        file.create_dataset("complex", data=tensors["complex"], chunks=(2, 2), shuffle=True)
        for key, most in (("one_open", (None, 4)), ("all_open", (None, None))):
            tensors[key] = values("i2", (9, 4))
            file.create_dataset(
                key, data=tensors[key], chunks=(16, 2), maxshape=most, compression="gzip")
        tensors["none"] = numpy.zeros((0, 3), "f4")
        file.create_dataset("none", data=tensors["none"], chunks=(4, 3), maxshape=(None, 3))
        holes(file, tensors)
        skipped(file, tensors)
    record(name, tensors)


def holes(file, tensors):
    """Chunks that were never written hold the fill value."""
    value = numpy.full((8, 8), 7.25, ">f4")
    data = file.create_dataset(
        "holes", (8, 8), ">f4", chunks=(3, 3), fillvalue=7.25, compression="gzip")
    value[4:6, 4:6] = data[4:6, 4:6] = 1.5
    tensors["holes"] = value
    file.create_dataset("unwritten", (5, 6), "f4", chunks=(2, 2))
    tensors["unwritten"] = numpy.zeros((5, 6), "f4")


def skipped(file, tensors):
    """A chunk that one of the filters was not applied to."""
    value = values("<i4", (4, 4))
    data = file.create_dataset("skipped", (4, 4), "<i4", chunks=(2, 4), shuffle=True,
                               compression="gzip")
    data[:2] = value[:2]
    data.id.write_direct_chunk((2, 0), value[2:].tobytes(), filter_mask=3)
    tensors["skipped"] = value


def implicit():
    """The remaining chunk index, and edges that are left unfiltered."""
    tensors = {"implicit": values("f4", (7, 5)), "edges": values("f4", (7, 5))}
    with create("implicit.h5", libver="v110") as file:
        for name in tensors:
            creation = h5p.create(h5p.DATASET_CREATE)
            creation.set_chunk((3, 2))
            if name == "implicit":
                creation.set_alloc_time(h5d.ALLOC_TIME_EARLY)
            else:
                creation.set_deflate(6)
                unfiltered_edges(creation)
            data = h5d.create(
                file.id, name.encode(), h5t.IEEE_F32LE, h5s.create_simple((7, 5)), creation)
            data.write(h5s.ALL, h5s.ALL, tensors[name])
    record("implicit.h5", tensors)


def unfiltered_edges(creation):
    """H5Pset_chunk_opts with H5D_CHUNK_DONT_FILTER_PARTIAL_CHUNKS, which h5py does not wrap."""
    library = next(
        line.split()[-1] for line in open("/proc/self/maps") if "/libhdf5-" in line)
    function = ctypes.CDLL(library).H5Pset_chunk_opts
    function.argtypes = [ctypes.c_int64, ctypes.c_uint]
    assert function(creation.id, 2) >= 0


def growing():
    """Rows that may become more, of which the first and the last were written."""
    tensors = {}
    with create("growing.h5", libver="v110") as file:
        for name, rows, written in (("few", 500, 20), ("one", 300, 1)):
            data = file.create_dataset(name, (rows, 8), "<f4", chunks=(1, 8), maxshape=(None, 8))
            value = numpy.zeros((rows, 8), "<f4")
            value[:written], value[-1] = 1 + numpy.arange(written)[:, None], -1
            data[:written], data[-1] = value[:written], value[-1]
            tensors[name] = value
    record("growing.h5", tensors)


def layouts():
    tensors = {
        "compact": values("f4", (3, 4)), "compact_big": values(">u4", (2,)),
        "unwritten": numpy.full((3, 2), -2, ">i2"), "zeros": numpy.zeros((4,), "f8"),
    }
    with create("layouts.h5") as file:
        for name in ("compact", "compact_big"):
            value = tensors[name]
            creation = h5p.create(h5p.DATASET_CREATE)
            creation.set_layout(h5d.COMPACT)
            data = h5d.create(
                file.id, name.encode(), h5t.py_create(value.dtype),
                h5s.create_simple(value.shape), creation)
            data.write(h5s.ALL, h5s.ALL, value)
        file.create_dataset("unwritten", (3, 2), ">i2", fillvalue=-2)
        file.create_dataset("zeros", (4,), "f8")
    record("layouts.h5", tensors)


def user_block():
    tensors = {"a": values("f4", (5,)), "b": values("f4", (40, 3)), "c": numpy.arange(6.0)}
    for name, libver in (("user_block.h5", "earliest"), ("user_block_new.h5", "v110")):
        with create(name, userblock_size=512, libver=(libver, "v110")) as file:
            file.create_dataset("a", data=tensors["a"])
            file.create_dataset("b", data=tensors["b"], chunks=(7, 2), compression="gzip")
            file.create_dataset("c", data=tensors["c"], chunks=(6,))
            file.attrs["text"] = "behind a user block"
        with open(FOLDER / name, "r+b") as raw:
            raw.write(b"a user block\n")
        record(name, tensors)


def links():
    """Hard links: two names of a dataset, a group within itself, a group under two names."""
    value = values("f4", (3,))
    with create("links.h5") as file:
        file["group/data"] = value
        file["group/same"] = file["group/data"]
        file["group/self"] = file["group"]
        file["group/root"] = file["/"]
        file["second"] = file["group"]
    record("links.h5", {"group.data": value, "group.same": value})


def refuse(name, **options):
    return h5py.File(REFUSED / name, "w", **{"libver": ("earliest", "v110"), **options})


def foreign_links():
    with refuse("soft_link.h5") as file:
        file["a"] = [1.0]
        file["link"] = h5py.SoftLink("/etc")
    with refuse("external_link.h5") as file:
        file["link"] = h5py.ExternalLink(ELSEWHERE, "/a")
    content = (REFUSED / "external_link.h5").read_bytes()
    # A link message: version 1, flags, type, length, name. Type 64 is external, above the user's.
    user = content.replace(b"\x01\x08\x40\x04link", b"\x01\x08\x46\x04link")
    assert user != content
    (REFUSED / "user_link.h5").write_bytes(user)


def foreign_data():
    with refuse("external_storage.h5") as file:
        creation = h5p.create(h5p.DATASET_CREATE)
        creation.set_external(ELSEWHERE, 0, 32)
        h5d.create(file.id, b"a", h5t.IEEE_F32LE, h5s.create_simple((8,)), creation)
    with refuse("virtual.h5", libver="v110") as file:
        layout = h5py.VirtualLayout((4,), "f4")
        layout[:] = h5py.VirtualSource(ELSEWHERE.decode(), "a", (4,))
        file.create_virtual_dataset("a", layout)
    for name, filters in (("lz4", hdf5plugin.LZ4()), ("blosc", hdf5plugin.Blosc()),
                          ("scale_offset", {"scaleoffset": 4}), ("lzf", {"compression": "lzf"})):
        with refuse(f"filter_{name}.h5") as file:
            file.create_dataset("a", data=numpy.arange(64), chunks=(32,), **filters)


def foreign_types():
    kinds = {
        "text": h5py.string_dtype(), "fixed_text": "S5", "opaque": "V3",
        "sequence": h5py.vlen_dtype("f4"), "enumeration": h5py.enum_dtype({"NO": 0, "YES": 1}, "i1"),
        "long_enumeration": h5py.enum_dtype({"FALSE": 0, "TRUE": 1}, "i4"),
        "compound": [("x", "f4"), ("y", "f4")], "mixed": [("r", "f4"), ("i", "f8")],
        "padded": numpy.dtype({"names": ["r", "i"], "formats": ["f4", "f4"], "offsets": [0, 8]}),
        "array": numpy.dtype(("f4", (3,))), "reference": h5py.ref_dtype,
        "region": h5py.regionref_dtype, "float128": numpy.longdouble,
    }
    for name, kind in kinds.items():
        with refuse(f"type_{name}.h5") as file:
            file.create_dataset("a", (2,), kind)
    with refuse("type_committed.h5") as file:
        file["type"] = numpy.dtype("f4")
        file.create_dataset("a", (2,), file["type"])
    with refuse("type_null.h5") as file:
        file.create_dataset("a", data=h5py.Empty("f4"))
    odd_numbers()


def odd_numbers():
    bfloat = h5t.IEEE_F32LE.copy()
    bfloat.set_fields(15, 7, 8, 0, 7)
    bfloat.set_size(2)
    bfloat.set_ebias(127)
    bias = h5t.IEEE_F32LE.copy()
    bias.set_ebias(126)
    precise = h5t.STD_I32LE.copy()
    precise.set_precision(17)
    shifted = h5t.STD_U32LE.copy()
    shifted.set_precision(16)
    shifted.set_offset(8)
    three = h5t.STD_I32LE.copy()
    three.set_precision(24)
    three.set_size(3)
    kinds = {"bfloat": bfloat, "bias": bias, "precision": precise, "offset": shifted,
             "three_bytes": three}
    for name, kind in kinds.items():
        with refuse(f"number_{name}.h5") as file:
            h5d.create(file.id, b"a", kind, h5s.create_simple((2,)))


def bombs():
    with refuse("huge.h5") as file:
        data = file.create_dataset(
            "a", (50_000_000, 50_000_000), "f4", chunks=(1000, 1000), compression="gzip")
        data[0, 0] = 1
    with refuse("huge_unwritten.h5") as file:
        file.create_dataset("a", (50_000_000, 50_000_000), "f4")
    with refuse("huge_overflow.h5") as file:
        file.create_dataset("a", (2**40, 2**40), "f4", chunks=(1000, 1000))
    with refuse("huge_chunk.h5") as file:
        file.create_dataset(
            "a", (1,), "f8", chunks=(2**29 - 1,), maxshape=(None,), compression="gzip")
    with refuse("many_chunks.h5") as file:
        for name in "ab":
            file.create_dataset(name, (200_000,), "u1", chunks=(1,))[5] = 1
    with refuse("deep.h5", libver="v110") as file:
        file["/".join(["g"] * 65) + "/a"] = [1.0]
    with refuse("collision.h5") as file:
        file["a/b.c"] = [1.0]
        file["a.b/c"] = [1.0]
    with refuse("dtype_name.h5") as file:
        file["a"] = [1.0]
        file["a"].attrs["wt.dtype"] = "BF16"
    with refuse("bad_name.h5") as file:
        h5d.create(file.id, b"\xff\xfe", h5t.IEEE_F32LE, h5s.create_simple((1,)))


def rank33():
    """A dataspace message of rank 32, changed to say 33."""
    with refuse("rank33.h5") as file:
        file.create_dataset("a", (1,) * 32, "f4")
    content = bytearray((REFUSED / "rank33.h5").read_bytes())
    # Version 1, rank 32, maximal extents present.
    place = content.index(bytes([1, 32]) + struct.pack("<BB4xQ", 1, 0, 1))
    content[place + 1] = 33
    (REFUSED / "rank33.h5").write_bytes(content)


def normal_forms():
    """Two names that differ in their bytes alone."""
    with create("normal_forms.h5") as file:
        file["caf\u00e9"] = numpy.uint8(1)
        file["cafe\u0301"] = numpy.uint8(2)


def newer():
    """What a library of version 2 writes for itself, and older ones cannot read."""
    with h5py.File(FOLDER / "newer.h5", "w", libver="latest") as file:
        file["flag"] = True


def main():
    for folder in (FOLDER, REFUSED):
        folder.mkdir(parents=True, exist_ok=True)
    nested("nested.h5")
    nested("nested_new.h5", libver="v110")
    dtypes()
    raw_bits()
    chunked("chunked.h5")
    chunked("chunked_new.h5", libver="v110")
    implicit()
    growing()
    layouts()
    user_block()
    links()
    normal_forms()
    newer()
    foreign_links()
    foreign_data()
    foreign_types()
    bombs()
    rank33()
    text = json.dumps(expected, indent=1, sort_keys=True)
    (FIXTURES / "expected-hdf5.json").write_text(text + "\n")
    total = sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file())
    print(f"{len(expected)} checkpoints, {total} bytes")


if __name__ == "__main__":
    main()
