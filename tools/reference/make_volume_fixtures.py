"""Writes the volumes under Tests/Fixtures/volumes and what nibabel reads out of them to
volumes.json beside them: shape, type, affine, spacing, and the digests of stored and scaled voxels.

Run from the root of the repository: python3 tools/reference/make_volume_fixtures.py
"""

import gzip
import hashlib
import itertools
import json
import pathlib

import nibabel
import numpy

FOLDER = pathlib.Path("Tests/Fixtures/volumes")
KINDS = {"i": "I", "u": "U", "f": "F"}
OBLIQUE = numpy.array([[-0.71, 0.13, 0.4, 12.5], [0.2, 0.83, -0.35, -40.25],
                       [-0.31, 0.22, 2.4, 7.125], [0, 0, 0, 1]])
expected = {}


def digest(array):
    """The SHA-256 of an array's numbers, x fastest, little-endian."""
    plain = array.astype(array.dtype.newbyteorder("<"))
    return hashlib.sha256(plain.tobytes(order="F")).hexdigest()


def record(name):
    """Notes what nibabel reads."""
    image = nibabel.load(FOLDER / name)
    stored = numpy.asanyarray(image.dataobj.get_unscaled())
    channels = 1
    if stored.dtype.fields:
        channels = 3
        stored = numpy.stack([stored[part] for part in "RGB"])
        scaled = stored.astype(numpy.float64)
    else:
        scaled = image.get_fdata(dtype=numpy.float64)
    shape = list(image.shape)
    while len(shape) > 3 and shape[-1] == 1:
        shape.pop()
    expected[name] = {
        "shape": shape + [1] * (3 - len(shape)), "channels": channels,
        "dtype": f"{KINDS[stored.dtype.kind]}{8 * stored.dtype.itemsize}",
        "affine": [[float(value) for value in row] for row in image.affine[:3]],
        "spacing": [float(value) for value in image.header.get_zooms()[:3]],
        "stored": digest(stored), "scaled": digest(scaled),
    }


def save(name, image):
    nibabel.save(image, FOLDER / name)
    record(name)


def values(shape, dtype):
    dtype = numpy.dtype(dtype)
    if dtype.kind == "f":
        return numpy.random.standard_normal(shape).astype(dtype)
    count = int(numpy.prod(shape))
    return numpy.frombuffer(numpy.random.bytes(count * dtype.itemsize), dtype).reshape(shape)


def image(version, array, affine=OBLIQUE, endianness="<"):
    kind = {1: nibabel.Nifti1Image, 2: nibabel.Nifti2Image}[version]
    header = kind.header_class(endianness=endianness)
    header.set_data_dtype(array.dtype.newbyteorder(endianness))
    result = kind(array, affine, header)
    result.header.set_xyzt_units("mm", "sec")
    return result


def types():
    for code in ("u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"):
        for version, order in itertools.product((1, 2), "<>"):
            name = f"{code}_v{version}_{'little' if order == '<' else 'big'}.nii"
            save(name, image(version, values((5, 4, 3), code), endianness=order))
    colours = numpy.zeros((3, 4, 2), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    for part in "RGB":
        colours[part] = values((3, 4, 2), "u1")
    save("rgb.nii", image(1, colours))


def shapes():
    for name, shape in (("one", (1, 1, 1)), ("plane", (4, 3)), ("line", (7,)),
                        ("trailing", (3, 2, 4, 1, 1)), ("series", (3, 2, 4, 5))):
        save(f"{name}.nii", image(1, values(shape, "i2")))


def scaled():
    for name, slope, intercept in (("slope", 0.1, -1024.5), ("slope_zero", 0, 7),
                                   ("slope_nan", numpy.nan, 1), ("intercept", 1, 3)):
        for version in (1, 2):
            scan = image(version, values((4, 3, 2), "i2"))
            path = FOLDER / f"{name}_v{version}.nii"
            nibabel.save(scan, path)
            content = bytearray(path.read_bytes())
            kind, start = (("<f4", 112), ("<f8", 176))[version - 1]
            for place, value in enumerate((slope, intercept)):
                number = numpy.array(value, dtype=kind).tobytes()
                content[start + place * len(number):start + (place + 1) * len(number)] = number
            path.write_bytes(bytes(content))
            record(path.name)


def extended(scan):
    scan.header.extensions.append(
        nibabel.nifti1.Nifti1Extension("comment", b"made for a test of wt"))
    scan.header.extensions.append(nibabel.nifti1.Nifti1Extension("afni", b"<AFNI_attributes/>" * 9))
    scan.header["descrip"] = b"acquired on a phantom"
    scan.header["intent_name"] = b"nothing"
    scan.header["cal_max"] = 1500
    scan.header["slice_duration"] = 0.5
    return scan


def containers():
    for version in (1, 2):
        save(f"extended_v{version}.nii", extended(image(version, values((4, 3, 5), "i2"))))
        save(f"packed_v{version}.nii.gz", extended(image(version, values((6, 5, 4), "f4"))))
    save("extended_big.nii", extended(image(1, values((4, 3, 5), "i2"), endianness=">")))
    pair = nibabel.Nifti1Pair(values((4, 3, 2), "i2"), OBLIQUE)
    save("pair.hdr", pair)
    save("packed_pair.hdr.gz", nibabel.Nifti1Pair(values((4, 3, 2), "u1"), OBLIQUE))
    save("pair2.hdr", nibabel.Nifti2Pair(values((2, 3, 2), "f8"), OBLIQUE))
    whole = (FOLDER / "extended_v1.nii").read_bytes()
    members = gzip.compress(whole[:200], mtime=0) + gzip.compress(whole[200:], mtime=0)
    (FOLDER / "members.nii.gz").write_bytes(members + bytes(512))
    record("members.nii.gz")


def orientations():
    """Every signed permutation of the axes, by sform, and by qform where it is a rotation."""
    names = []
    for axes in itertools.permutations(range(3)):
        for signs in itertools.product((1, -1), repeat=3):
            affine = numpy.eye(4)
            affine[:3, :3] = 0
            for column, (row, sign, step) in enumerate(zip(axes, signs, (0.75, 1.25, 3))):
                affine[row, column] = sign * step
            affine[:3, 3] = (-30.5, 12, 99)
            label = "".join(nibabel.aff2axcodes(affine))
            scan = image(1, values((3, 4, 2), "u1"), affine)
            scan.set_qform(affine, code=1)
            scan.set_sform(affine, code=0)
            save(f"axes_{label}.nii", scan)
            names.append(label)
    assert len(set(names)) == 48
    scan = image(1, values((3, 4, 2), "u1"))
    scan.set_sform(None, code=0)
    scan.set_qform(OBLIQUE, code=1, strip_shears=True)
    save("quaternion.nii", scan)


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    numpy.random.seed(11)
    types()
    shapes()
    scaled()
    containers()
    orientations()
    text = json.dumps(expected, indent=1, sort_keys=True)
    (FOLDER / "volumes.json").write_text(text + "\n")
    total = sum(path.stat().st_size for path in FOLDER.iterdir())
    print(f"{len(expected)} volumes, {total} bytes")


if __name__ == "__main__":
    main()
