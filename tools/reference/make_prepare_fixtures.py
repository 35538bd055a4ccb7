"""Writes under Tests/Fixtures/prepare scans with labels and what scipy, numpy, nibabel and Pillow make of
them by the rules of MA-SAM's preprocessing.

Run from the root of the repository: python3 tools/reference/make_prepare_fixtures.py
"""

import pathlib
import pickle
import shutil

import h5py
import nibabel
import numpy
from PIL import Image
from safetensors.numpy import save_file
from scipy.ndimage import zoom

FOLDER = pathlib.Path("Tests/Fixtures/prepare")
AFFINE = numpy.array([[-0.8, 0.05, 0, 10], [0.04, 0.9, 0.1, -20], [0, -0.1, 3, 5], [0, 0, 0, 1]])
random = numpy.random.default_rng(77)
SIZE = 24
expected = {}


def folder(name):
    path = FOLDER / name
    path.mkdir(parents=True, exist_ok=True)
    return path


def turned(volume):
    """[x, y, z] as the published script turns it, then [z, row, column]."""
    return numpy.flip(numpy.rot90(volume, k=1, axes=(0, 1)), axis=1).transpose(2, 0, 1)


def to_size(planes, order, size=SIZE):
    factors = [1] * (planes.ndim - 2) + [size / planes.shape[-2], size / planes.shape[-1]]
    return zoom(planes, factors, order=order)


def record(name, images, labels):
    expected[f"{name}.images"] = numpy.ascontiguousarray(images.astype(numpy.float32))
    expected[f"{name}.labels"] = numpy.ascontiguousarray(labels.astype(numpy.uint8))


def blobs(shape, count):
    """Labels in blocks, so that nearest neighbours differ at the edges alone."""
    coarse = random.integers(0, count, [(extent + 4) // 5 for extent in shape])
    for axis in range(len(shape)):
        coarse = coarse.repeat(5, axis=axis)
    return coarse[tuple(slice(extent) for extent in shape)].astype(numpy.uint8)


def smooth(shape, least, most):
    coarse = random.uniform(least, most, [(extent + 3) // 4 + 1 for extent in shape])
    return zoom(coarse, [(extent + 4) / length for extent, length in zip(shape, coarse.shape)],
                order=1)[tuple(slice(extent) for extent in shape)]


def ct():
    """Layout of BTCV: img/ and label/."""
    for number, shape in ((7, (20, 17, 4)), (35, (24, 24, 3))):
        scan = numpy.round(smooth(shape, -600, 700)).astype(numpy.int16)
        labels = blobs(shape, 14)
        image = nibabel.Nifti1Image(scan, AFFINE)
        nibabel.save(image, folder("ct/img") / f"img{number:04}.nii.gz")
        nibabel.save(nibabel.Nifti1Image(labels, AFFINE),
                     folder("ct/label") / f"label{number:04}.nii.gz")
        clipped = numpy.clip(scan.astype(numpy.float64), -200, 250)
        merged = numpy.where(labels == 13, 12, labels)
        record(f"img{number:04}", to_size(turned(clipped), 3)[:, None], to_size(turned(merged), 0))


def mr():
    """Layout of the prostate data: a folder for each site, labels beside the scans."""
    for site, number, shape in (("A", 3, (15, 30, 5)), ("B", 4, (9, 8, 2))):
        scan = smooth(shape, 0, 900).astype(numpy.float32)
        labels = blobs(shape, 3)
        path = folder(f"mr/{site}")
        nibabel.save(nibabel.Nifti1Image(scan, AFFINE), path / f"Case{number:02}.nii.gz")
        nibabel.save(nibabel.Nifti1Image(labels, AFFINE), path / f"Case{number:02}_segmentation.nii.gz")
        clipped = numpy.minimum(scan.astype(numpy.float64), numpy.percentile(scan, 99))
        scaled = (clipped - clipped.min()) / (clipped.max() - clipped.min())
        record(f"{site}_Case{number:02}", to_size(turned(scaled), 3)[:, None],
               to_size(turned(numpy.minimum(labels, 1)), 0))


def video():
    """Layout of EndoVis: a folder for each sequence, frames beside coloured labels."""
    colours = numpy.array([[0, 0, 0], [0, 255, 0], [255, 55, 0], [12, 255, 141]], dtype=numpy.uint8)
    classes = numpy.array([0, 1, 4, 11], dtype=numpy.uint8)
    for name in ("train/seq_3", "test/seq_2"):
        frames = random.integers(0, 256, (3, 18, 30, 3), dtype=numpy.uint8)
        labels = blobs((3, 18, 30), 4)
        for frame in range(3):
            for part, array in (("left_frames", frames[frame]), ("labels", colours[labels[frame]])):
                Image.fromarray(array).save(folder(f"video/{name}/{part}") / f"frame{9 + frame}.png")
        planes = (frames / 255).astype(numpy.float32).astype(numpy.float64).transpose(0, 3, 1, 2)
        record(name.replace("/", "_"), to_size(planes, 3), to_size(classes[labels], 0))


def arrays():
    """Volumes as SAMed and TransUNet keep them."""
    images = random.random((4, 24, 24), dtype=numpy.float32)
    labels = blobs((4, 24, 24), 9)
    with h5py.File(folder("arrays") / "case0008.npy.h5", "w") as file:
        file["image"], file["label"] = images, labels.astype(numpy.float32)
    numpy.savez(folder("arrays") / "case0009.npz", image=images[::-1], label=labels[::-1])
    record("case0008", images[:, None], labels)
    record("case0009", images[::-1, None], labels[::-1])


def stacks():
    """What MA-SAM's preprocessing leaves: a pickled stack of five slices for every slice."""
    images = random.uniform(-200, 250, (6, 24, 24))
    labels = blobs((6, 24, 24), 9)
    for part, planes, name in (("images", images, "2Dimage"), ("masks", labels, "2Dmask")):
        for place in range(6):
            chosen = [min(max(place + offset, 0), 5) for offset in range(-2, 3)]
            with open(folder(f"stacks/case1/{part}") / f"{name}_{place:04}.pkl", "wb") as file:
                pickle.dump(planes[chosen].transpose(1, 2, 0), file)
    record("case1", images[:, None], labels)


def zooms():
    result = {}
    for height, width, new_height, new_width in ((7, 9, 16, 12), (2, 3, 5, 7), (1, 4, 3, 8),
                                                 (13, 11, 6, 5), (30, 20, 64, 64), (5, 5, 1, 9),
                                                 (1, 1, 4, 4), (40, 40, 40, 41)):
        plane = random.standard_normal((height, width))
        labels = random.integers(0, 200, (height, width)).astype(numpy.uint8)
        name = f"{height}x{width}_{new_height}x{new_width}"
        factors = (new_height / height, new_width / width)
        result[f"{name}.plane"], result[f"{name}.labels"] = plane, labels
        result[f"{name}.cubic"] = zoom(plane, factors, order=3)
        result[f"{name}.nearest"] = zoom(labels, factors, order=0)
        assert result[f"{name}.cubic"].shape == (new_height, new_width)
    # Rounding puts the last sample of some sizes outside, where SciPy fills in zero.
    for size in (48, 64, 512):
        ends = [zoom(numpy.ones(count), size / count, order=3)[-1] for count in range(2, 400)]
        result[f"ends.{size}"] = numpy.array(ends)
    save_file({name: numpy.ascontiguousarray(array) for name, array in result.items()},
              FOLDER / "zooms.safetensors")
    print({size: int((result[f"ends.{size}"] < 0.5).sum()) for size in (48, 64, 512)}, "zero ends")


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    ct()
    mr()
    video()
    arrays()
    stacks()
    zooms()
    save_file(expected, FOLDER / "expected.safetensors")
    total = sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file())
    print(f"{len(expected) // 2} cases, {total} bytes")


if __name__ == "__main__":
    main()
