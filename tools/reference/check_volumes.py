"""Runs `wt prepare` and `wt predict` on recorded scans and reads what they write with h5py and nibabel.

    python tools/reference/check_volumes.py .build/release/wt
"""

import pathlib
import subprocess
import sys
import tempfile

import h5py
import hdf5plugin  # noqa: F401, registers Zstandard
import nibabel
import numpy
from PIL import Image
from safetensors.numpy import load_file

FIXTURES = pathlib.Path("Tests/Fixtures")
SOURCES = FIXTURES / "prepare"
MODEL = FIXTURES / "runtime/masam-tt.model.safetensors"
# Bytes of a NIfTI-1 header that a label map may change: extents, type, offset, scaling, display.
CHANGING = [*range(40, 56), *range(70, 74), *range(108, 120), *range(124, 132)]


def check_dataset(wt, scratch):
    """The data are what the recorded rules give, at full size too."""
    profile = scratch / "small.yaml"
    text = pathlib.Path("manifests/datasets/btcv.yaml").read_text()
    profile.write_text(text.replace("size: 512", "size: 24"))
    subprocess.run([wt, "prepare", SOURCES / "ct", "-o", scratch / "data.h5", "--profile", profile,
                    "--quiet"], check=True)
    expected = load_file(SOURCES / "expected.safetensors")
    with h5py.File(scratch / "data.h5") as file:
        names = file.attrs["wt.cases"].splitlines()
        assert file.attrs["wt.splits"].splitlines() == ["train", "test"]
        for name in names:
            images, labels = (file[f"cases/{name}/{part}"] for part in ("images", "labels"))
            assert images.chunks == (1, *images.shape[1:]), images.chunks
            numpy.testing.assert_allclose(images[:], expected[f"{name}.images"], rtol=1e-5, atol=1e-5)
            assert numpy.array_equal(labels[:], expected[f"{name}.labels"])
    print(f"{len(names)} cases of training data")


def check_prediction(wt, scratch):
    """Labels lie where the scan does, and are the most probable classes."""
    source = SOURCES / "ct/img/img0007.nii.gz"
    target = scratch / "labels.nii.gz"
    subprocess.run([wt, "predict", MODEL, source, "-o", target, "--profile", "btcv",
                    "--save-probabilities", "--preview", scratch / "labels.png", "--quiet"], check=True)
    scan, labels = nibabel.load(source), nibabel.load(target)
    assert labels.shape == scan.shape and labels.get_data_dtype() == numpy.uint8
    assert numpy.array_equal(scan.affine, labels.affine)
    old, new = (bytearray(image.header.binaryblock) for image in (scan, labels))
    for place in CHANGING:
        old[place] = new[place] = 0
    assert old == new
    with h5py.File(scratch / "labels.probabilities.h5") as file:
        probabilities = file["probabilities"][:]
    numpy.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    found = numpy.asarray(labels.dataobj).transpose(2, 1, 0)
    assert numpy.array_equal(probabilities.argmax(axis=1), found)
    Image.open(scratch / "labels.png").verify()
    print(f"a label map of {found.size} voxels in its scan's geometry")


def check_frames(wt, scratch):
    source = SOURCES / "video/test/seq_2/left_frames"
    subprocess.run([wt, "predict", MODEL, source, "-o", scratch / "frames", "--profile", "endovis18",
                    "--quiet"], check=True)
    for path in sorted(source.iterdir()):
        frame, labels = Image.open(path), Image.open(scratch / "frames" / path.name)
        assert labels.mode == "P" and labels.size == frame.size
        assert numpy.asarray(labels).max() <= 2
    print("frames with a palette")


def main():
    wt = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as scratch:
        for check in (check_dataset, check_prediction, check_frames):
            check(wt, pathlib.Path(scratch))


if __name__ == "__main__":
    main()
