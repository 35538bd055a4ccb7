#!/usr/bin/env python3
"""Records what Pillow makes of pictures, and what the published SamPredictor makes of prompts.

Writes Tests/Fixtures/runtime/pillow-resize.safetensors and predictor.golden.safetensors, which belongs
to sam-published.model.safetensors; run make_runtime_fixtures.py first.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

sys.path.insert(0, str(Path(__file__).parent))
from make_runtime_fixtures import DEVIATION, MEAN, TARGET, Published  # noqa: E402
from segment_anything.modeling import Sam  # noqa: E402
from segment_anything.predictor import SamPredictor  # noqa: E402

# Height and width before and after: larger, smaller, one of each, by whole numbers, to and from one.
SIZES = [((7, 5), (20, 13)), ((40, 31), (9, 11)), ((6, 50), (30, 8)), ((16, 12), (8, 24)),
         ((1, 9), (6, 3)), ((33, 1), (5, 4)), ((64, 48), (1, 1)), ((5, 5), (5, 17)),
         ((21, 10), (3, 10)), ((10, 10), (11, 9))]


def resize():
    generator, tensors = np.random.default_rng(1), {}
    for number, (before, after) in enumerate(SIZES):
        picture = generator.integers(0, 256, (*before, 3), dtype=np.uint8)
        # Extremes meet, so that rounding at both ends of the range is seen.
        picture[generator.random(before) < 0.4] = 255 * generator.integers(0, 2)
        # Across, then down, as Pillow always did when SAM was published; since 13 it begins with
        # the other pass where it thinks that faster, which changes some bytes by one.
        across = Image.fromarray(picture).resize((after[1], before[0]), Image.BILINEAR)
        scaled = np.array(across.resize(after[::-1], Image.BILINEAR))
        tensors[f"{number}.before"] = torch.from_numpy(picture)
        tensors[f"{number}.after"] = torch.from_numpy(scaled)
    save_file(tensors, TARGET / "pillow-resize.safetensors")


def predictor():
    parts = Published()
    parts.load_state_dict(load_file(TARGET / "sam-published.model.safetensors"))
    sam = Sam(parts.image_encoder, parts.prompt_encoder, parts.mask_decoder,
              MEAN.flatten().tolist(), DEVIATION.flatten().tolist()).eval()
    size, (height, width) = sam.image_encoder.img_size, (45, 70)
    torch.manual_seed(21)
    coarse = torch.randint(0, 256, (6, 9, 3), dtype=torch.uint8).numpy()
    picture = np.array(Image.fromarray(coarse).resize((width, height), Image.BICUBIC))
    asker = SamPredictor(sam)
    shape = asker.transform.get_preprocess_shape(height, width, size)
    scaled = np.array(Image.fromarray(picture).resize(shape[::-1], Image.BILINEAR))
    asker.set_torch_image(torch.from_numpy(scaled).permute(2, 0, 1)[None], (height, width))
    points = torch.rand(2, 2, 2) * torch.tensor([width, height])
    labels = torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    box = (torch.rand(2, 2, 2).sort(dim=1).values * torch.tensor([width, height])).flatten(1)
    # As its predict() does, from numpy's double precision.
    moved = asker.transform.apply_coords(points.double().numpy(), (height, width))
    moved_box = asker.transform.apply_boxes(box.double().numpy(), (height, width))
    arguments = dict(point_coords=torch.from_numpy(moved).float(), point_labels=labels,
                     boxes=torch.from_numpy(moved_box).float(), return_logits=True)
    with torch.no_grad():
        single, multiple = (asker.predict_torch(**arguments, multimask_output=choice)
                            for choice in (False, True))
    logits, scores, low = (torch.cat(pair, dim=1) for pair in zip(single, multiple))
    best = multiple[0][torch.arange(2), multiple[1].argmax(dim=1)]
    save_file({
        "image": torch.from_numpy(picture).permute(2, 0, 1).contiguous(), "points": points,
        "labels": labels, "box": box, "low_res_logits": low, "iou_predictions": scores,
        "masks": (logits > sam.mask_threshold).to(torch.uint8), "mask_logits": logits,
        "best_masks": (best > sam.mask_threshold).to(torch.uint8),
    }, TARGET / "predictor.golden.safetensors")


if __name__ == "__main__":
    resize()
    predictor()
