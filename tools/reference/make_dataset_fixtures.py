"""Writes under Tests/Fixtures/datasets a file of training data made by h5py, and to datasets.json what
numpy takes out of it: stacks of slices, normalised, with their labels.

Run from the root of the repository: python3 tools/reference/make_dataset_fixtures.py
"""

import hashlib
import json
import pathlib

import h5py
import hdf5plugin
import numpy

FOLDER = pathlib.Path("Tests/Fixtures/datasets")
random = numpy.random.default_rng(20240615)
CASES = {"case.one": ("train", (7, 1, 40, 32)), "case two": ("test", (2, 3, 24, 36)),
         "third": ("validation", (1, 1, 9, 8))}
CLASSES = ["liver", "left kidney", "Gefäß"]


def write(path, normalisation):
    volumes = {}
    with h5py.File(path, "w") as file:
        for name, (_, shape) in CASES.items():
            images = (random.standard_normal(shape) * 90 + 20).astype(numpy.float32)
            if normalisation == "none":
                images = random.random(shape, dtype=numpy.float32)
            labels = random.integers(0, 4, (shape[0], *shape[2:]), dtype=numpy.uint8)
            group = file.create_group("cases/" + name.replace(".", "_"))
            for part, array in (("images", images), ("labels", labels)):
                group.create_dataset(part, data=array, chunks=(1, *array.shape[1:]),
                                     **hdf5plugin.Zstd())
            volumes[name] = (images, labels)
        count = len(CASES)
        file.attrs.update({
            "wt.format": "wt dataset 1", "wt.version": "h5py", "wt.profile": "{name: recorded}",
            "wt.class_names": "\n".join(CLASSES), "wt.normalisations": "\n".join([normalisation] * count),
            "wt.cases": "\n".join(CASES), "wt.splits": "\n".join(split for split, _ in CASES.values()),
            "wt.shapes": "\n".join(["40 32 7", "36 24 2", "8 9 1"]),
            "wt.spacings": "\n".join(["0.75 0.75 3.0"] * count),
            "wt.affines": "\n".join(["0.75 0 0 -5 0 0.75 0 7.5 0 0 3 0"] * count),
            "wt.sources": "\n".join([f"{'0f' * 32} image one.nii\t{'a0' * 32} label.nii", "", ""]),
        })
    return volumes


def stack(images, labels, centre, slices, normalisation):
    chosen = [min(max(centre - slices // 2 + offset, 0), len(images) - 1) for offset in range(slices)]
    pixels, classes = images[chosen], labels[chosen]
    if normalisation == "stack":
        least, most = pixels.min(), pixels.max()
        pixels = (pixels - least) / (most - least)
    if pixels.shape[1] == 1:
        pixels = numpy.repeat(pixels, 3, axis=1)
    assert pixels.dtype == numpy.float32
    digest = [hashlib.sha256(numpy.ascontiguousarray(part).tobytes()).hexdigest()
              for part in (pixels, classes)]
    return {"images": digest[0], "labels": digest[1]}


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    expected = {}
    for normalisation in ("stack", "none"):
        name = f"{normalisation}.h5"
        volumes = write(FOLDER / name, normalisation)
        expected[name] = [
            {"case": place, "centre": centre, "slices": slices,
             **stack(*volumes[case], centre, slices, normalisation)}
            for place, case in enumerate(CASES) for centre in range(len(volumes[case][0]))
            for slices in (1, 2, 5)]
    (FOLDER / "datasets.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main()
