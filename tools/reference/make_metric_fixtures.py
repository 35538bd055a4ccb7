#!/usr/bin/env python3
"""Records what MedPy, MONAI and DeepMind's surface-distance measure, for the tests of the metrics.

Writes Tests/Fixtures/runtime/metrics.safetensors with masks NAME.prediction and NAME.reference (the
first axis of the shape varies slowest, so it is the last of the grid) and metrics.json with spacing
(first axis first), tolerances and every value; undefined ones are null. Also the areas of all cells.
"""

import json
import math
import types
from pathlib import Path

import numpy as np
import torch
from medpy.metric import binary
from monai.metrics import (compute_average_surface_distance, compute_hausdorff_distance,
                           compute_surface_dice)
from safetensors.numpy import save_file
from scipy import ndimage

# What surface-distance 0.1 uses was renamed in later releases of NumPy and SciPy.
np.Inf = np.inf
ndimage.filters = types.SimpleNamespace(correlate=ndimage.correlate)
ndimage.morphology = types.SimpleNamespace(distance_transform_edt=ndimage.distance_transform_edt)
import surface_distance  # noqa: E402
from surface_distance import lookup_tables  # noqa: E402

TARGET = Path(__file__).resolve().parents[2] / "Tests/Fixtures/runtime"
TOLERANCES = [0.0, 0.5, 1.0, 2.0, 5.0]


def number(value):
    value = float(value)
    return value if math.isfinite(value) else None


def directed_maximum(prediction, reference, spacing, percent):
    pair = [torch.tensor(mask[None, None]) for mask in (prediction, reference)]
    return compute_hausdorff_distance(
        *pair, include_background=True, percentile=percent, spacing=list(spacing))


def measure(prediction, reference, spacing):
    predicted, referred = prediction.any(), reference.any()
    values = {}
    if predicted or referred:
        values["dice"] = number(binary.dc(prediction, reference))
        values["iou"] = number(binary.jc(prediction, reference))
    if predicted and referred:
        values["hd"] = number(binary.hd(prediction, reference, spacing))
        values["assd"] = number(binary.assd(prediction, reference, spacing))
        values["hd95"] = number(directed_maximum(prediction, reference, spacing, 95))
        values["voxels.hd"] = number(binary.hd(prediction, reference))
        values["voxels.hd95"] = number(binary.hd95(prediction, reference))
        values["voxels.assd"] = number(binary.assd(prediction, reference))
        # Second opinions of the same definitions.
        pair = [torch.tensor(mask[None, None]) for mask in (prediction, reference)]
        monai = compute_average_surface_distance(
            *pair, include_background=True, symmetric=True, spacing=list(spacing))
        assert abs(float(monai) - values["assd"]) < 1e-5
        monai = float(directed_maximum(prediction, reference, spacing, None))
        assert abs(monai - values["hd"]) < 1e-5
    distances = surface_distance.compute_surface_distances(reference, prediction, spacing)
    for tolerance in TOLERANCES:
        with np.errstate(invalid="ignore"):
            value = (surface_distance.compute_surface_dice_at_tolerance(distances, tolerance)
                     if predicted or referred else math.nan)
        values[f"nsd@{tolerance}"] = number(value)
    if predicted and referred and prediction.ndim == 3:
        pair = [torch.tensor(mask[None, None]) for mask in (prediction, reference)]
        monai = compute_surface_dice(*pair, class_thresholds=[1.0], include_background=True,
                                     spacing=list(spacing), use_subvoxels=True)
        assert abs(float(monai) - values["nsd@1.0"]) < 1e-5
    return values


def blob(random, shape, level, sigma):
    field = ndimage.gaussian_filter(random.standard_normal(shape), sigma)
    return field > np.quantile(field, level)


def moved(mask, random, amount):
    """The mask, shifted and with some of its voxels flipped."""
    shift = [int(v) for v in random.integers(-2, 3, mask.ndim)]
    return np.roll(mask, shift, tuple(range(mask.ndim))) ^ (random.random(mask.shape) < amount)


def ball(shape, centre, radius):
    grid = np.indices(shape).astype(float)
    return sum((grid[a] - centre[a]) ** 2 for a in range(len(shape))) <= radius * radius


def single(shape, place):
    mask = np.zeros(shape, bool)
    mask[place] = True
    return mask


def cases(random):
    shape, flat = (17, 13, 11), (23, 19)
    for name, spacing in (("isotropic", (1.0, 1.0, 1.0)), ("anisotropic", (0.7, 1.3, 2.5))):
        mask = blob(random, shape, 0.7, 2)
        yield f"{name}-blobs", mask, moved(mask, random, 0.002), spacing
        yield f"{name}-noise", random.random(shape) < 0.3, random.random(shape) < 0.4, spacing
        yield f"{name}-balls", ball(shape, (6, 6, 5), 4), ball(shape, (9, 7, 6), 5), spacing
    spacing = (0.7, 1.3, 2.5)
    yield "identical", mask, mask.copy(), spacing
    yield "single-voxels", single(shape, (3, 4, 5)), single(shape, (12, 9, 2)), spacing
    yield "one-voxel-apart", single(shape, (3, 4, 5)), single(shape, (3, 4, 6)), spacing
    yield "corners", single(shape, (0, 0, 0)), single(shape, (16, 12, 10)), spacing
    full = np.ones(shape, bool)
    yield "full-and-ball", full, ball(shape, (8, 6, 5), 5), spacing
    half = full.copy()
    half[8:] = False
    yield "touching-borders", half, np.roll(half, 2, 1) & ball(shape, (0, 6, 5), 9), spacing
    one_layer = (17, 13, 1)
    yield "one-layer", ball(one_layer, (6, 6, 0), 4), ball(one_layer, (9, 7, 0), 5), spacing
    empty = np.zeros(shape, bool)
    yield "empty-prediction", empty, mask, spacing
    yield "empty-reference", mask, empty, spacing
    yield "both-empty", empty, empty.copy(), spacing
    spacing = (0.6, 1.7)
    mask = blob(random, flat, 0.6, 2)
    yield "flat-blobs", mask, moved(mask, random, 0.01), spacing
    yield "flat-noise", random.random(flat) < 0.3, random.random(flat) < 0.5, spacing
    yield "flat-single", single(flat, (0, 0)), single(flat, (12, 18)), spacing
    yield "flat-empty", np.zeros(flat, bool), mask, spacing


def main():
    random = np.random.default_rng(7)
    tensors, expected = {}, {}
    for name, prediction, reference, spacing in cases(random):
        tensors[f"{name}.prediction"] = np.ascontiguousarray(prediction.T.astype(np.uint8))
        tensors[f"{name}.reference"] = np.ascontiguousarray(reference.T.astype(np.uint8))
        values = measure(prediction, reference, spacing)
        expected[name] = {"spacing": spacing, "values": values}
    for spacing in ((1.0, 1.0, 1.0), (0.7, 1.3, 2.5)):
        key = "areas " + " ".join(map(str, spacing))
        areas = lookup_tables.create_table_neighbour_code_to_surface_area(spacing)
        expected[key] = {"spacing": spacing, "values": {str(k): a for k, a in enumerate(areas)}}
    (TARGET / "metrics.json").write_text(json.dumps(expected, indent=1) + "\n")
    save_file(tensors, TARGET / "metrics.safetensors")


if __name__ == "__main__":
    main()
