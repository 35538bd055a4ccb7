"""Imports the published `segment-anything` package without its picture-reading helpers.

The package's front door imports torchvision for them; the networks do not need it, and torchvision's
wheels do not fit a PyTorch without CUDA.
"""

import sys
import types

try:
    import torchvision.transforms.functional  # noqa: F401
except (ImportError, RuntimeError):
    for name in ("torchvision", "torchvision.transforms", "torchvision.transforms.functional",
                 "torchvision.ops", "torchvision.ops.boxes"):
        sys.modules[name] = types.ModuleType(name)

    def absent(*_args, **_kwargs):
        raise NotImplementedError("torchvision is not installed")

    for name, members in {"torchvision.transforms.functional": ("resize", "to_pil_image"),
                          "torchvision.ops.boxes": ("batched_nms", "box_area")}.items():
        for member in members:
            setattr(sys.modules[name], member, absent)

from segment_anything.modeling import (  # noqa: E402, F401
    ImageEncoderViT, MaskDecoder, PromptEncoder, TwoWayTransformer)
from segment_anything.modeling.common import LayerNorm2d  # noqa: E402, F401
from segment_anything.modeling.image_encoder import (  # noqa: E402, F401
    add_decomposed_rel_pos, window_partition, window_unpartition)
