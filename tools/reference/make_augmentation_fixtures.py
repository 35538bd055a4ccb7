#!/usr/bin/env python3
"""Records what Pillow, SciPy and NumPy make of a stack, for the tests of the augmentation.

Writes Tests/Fixtures/runtime/augmentation.safetensors: grey and coloured stacks, labels, and under
KIND/OPERATION@MAGNITUDES what each operation makes of the pictures (f32) and of the labels (u8).
The stack is oblong, so that rows and columns cannot be taken for each other.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageOps
from safetensors.numpy import save_file
from scipy import ndimage

TARGET = Path(__file__).resolve().parents[2] / "Tests/Fixtures/runtime/augmentation.safetensors"
SLICES, HEIGHT, WIDTH = 2, 21, 27


def eight_bits(picture):
    """[C,H,W] from 0 to 1 as an image of PIL's."""
    cut = (np.clip(picture, 0, 1) * 255).astype(np.uint8)
    return Image.fromarray(cut[0] if len(cut) == 1 else np.moveaxis(cut, 0, -1))


def fractions(image):
    array = np.array(image).astype(np.float32) / 255
    return array[None] if array.ndim == 2 else np.moveaxis(array, -1, 0)


def through_pil(function):
    def apply(images, labels, *magnitudes):
        return np.stack([fractions(function(eight_bits(p), *magnitudes)) for p in images]), labels
    return apply


def affine(matrix):
    def apply(images, labels, magnitude):
        coefficients = matrix(magnitude, images.shape[2], images.shape[3])

        def transform(image, resample):
            return image.transform(image.size, Image.AFFINE, coefficients, resample=resample)
        moved = [fractions(transform(eight_bits(p), Image.BILINEAR)) for p in images]
        return np.stack(moved), np.stack(
            [np.array(transform(Image.fromarray(label), Image.NEAREST)) for label in labels])
    return apply


def turn(images, labels, quarters, axis):
    def both(array):
        return np.flip(np.rot90(array, int(quarters), axes=(-2, -1)), axis=int(axis) - 2).copy()
    return both(images), both(labels)


def rotate(images, labels, degrees):
    def one(plane):
        return ndimage.rotate(plane, int(degrees), order=0, reshape=False)
    return np.stack([np.stack([one(c) for c in p]) for p in images]), np.stack(
        [one(label) for label in labels])


def gamma(images, labels, value):
    table = np.array([((i / 255.0) ** (1.0 / value)) * 255 for i in range(256)]).astype(np.uint8)
    return (table[(images * 255.0).astype(np.uint8)].astype(np.float32) / 255.0), labels


OPERATIONS = {
    "turn": (turn, [(k, axis) for k in range(4) for axis in range(2)]),
    "rotate": (rotate, [(-15,), (-7,), (0,), (1,), (14,)]),
    "gamma": (gamma, [(0.5,), (1.0,), (1.7,), (3.499,)]),
    "shear_x": (affine(lambda v, h, w: (1, v, -v * w / 2, 0, 1, 0)), [(-0.3,), (0.0,), (0.217,)]),
    "shear_y": (affine(lambda v, h, w: (1, 0, 0, v, 1, -v * h / 2)), [(-0.3,), (0.0,), (0.217,)]),
    "scale": (affine(lambda v, h, w: (v, 0, 0, 0, v, 0)), [(0.8,), (0.913,), (1.0,), (1.2,)]),
    "translate_x": (affine(lambda v, h, w: (1, 0, v * w, 0, 1, 0)), [(-0.2,), (0.0,), (0.131,)]),
    "translate_y": (affine(lambda v, h, w: (1, 0, 0, 0, 1, v * h)), [(-0.2,), (0.0,), (0.131,)]),
    "posterize": (through_pil(lambda i, v: ImageOps.posterize(i, int(v))),
                  [(b,) for b in range(4, 9)]),
    "contrast": (through_pil(lambda i, v: ImageEnhance.Contrast(i).enhance(v)),
                 [(0.7,), (0.93,), (1.0,), (1.3,)]),
    "brightness": (through_pil(lambda i, v: ImageEnhance.Brightness(i).enhance(v)),
                   [(0.7,), (0.93,), (1.0,), (1.3,)]),
    "sharpness": (through_pil(lambda i, v: ImageEnhance.Sharpness(i).enhance(v)),
                  [(0.1,), (0.93,), (1.0,), (1.9,)]),
}


def stack(random, channels):
    """Smooth shapes, noise, and values on and outside the edges of the interval of bytes."""
    shape = (SLICES, channels, HEIGHT, WIDTH)
    smooth = ndimage.gaussian_filter(random.random(shape), (0, 0, 3, 3))
    smooth = (smooth - smooth.min()) / (smooth.max() - smooth.min())
    images = (0.8 * smooth + 0.2 * random.random(shape)).astype(np.float32)
    special = np.array([0, 1, 1 / 255, 254 / 255, 0.5, 127 / 255], np.float32)
    images[..., 5, : len(special)] = special
    return images


def main():
    random = np.random.default_rng(20)
    labels = random.integers(0, 13, (SLICES, HEIGHT // 4 + 1, WIDTH // 4 + 1)).astype(np.uint8)
    labels = np.kron(labels, np.ones((1, 4, 4), np.uint8))[:, :HEIGHT, :WIDTH].copy()
    tensors = {"labels": labels}
    for kind, channels in (("grey", 1), ("colour", 3)):
        images = stack(random, channels)
        tensors[f"{kind}/images"] = images
        for name, (operation, magnitudes) in OPERATIONS.items():
            for values in magnitudes:
                key = f"{name}@{','.join(map(str, values))}"
                moved, moved_labels = operation(images, labels, *values)
                tensors[f"{kind}/{key}"] = np.ascontiguousarray(moved, np.float32)
                if kind == "grey" and not np.array_equal(moved_labels, labels):
                    tensors[f"labels/{key}"] = moved_labels
        # The published order of a stack that every draw changes.
        values, moved_labels = turn(images, labels, 1, 0)
        values, moved_labels = rotate(values, moved_labels, -9)
        values, moved_labels = gamma(values, moved_labels, 2.2)
        values, moved_labels = OPERATIONS["shear_x"][0](values, moved_labels, 0.11)
        values, moved_labels = OPERATIONS["contrast"][0](values, moved_labels, 1.21)
        tensors[f"{kind}/sequence"] = np.ascontiguousarray(values, np.float32)
        tensors["labels/sequence"] = moved_labels
    save_file(tensors, TARGET)


if __name__ == "__main__":
    main()
