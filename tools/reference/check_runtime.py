#!/usr/bin/env python3
"""Holds `wt` against PyTorch at real widths: SAM and MA-SAM of ViT-B size with random weights at 512.

    python tools/reference/check_runtime.py .build/release/wt
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).parent))
from networks.masam import MASAM  # noqa: E402

GLOBAL_BLOCKS = (2, 5, 8, 11)
CASES = {
    "SAM": (dict(), dict(kind="sam", mask_tokens=4), 1),
    "MA-SAM": (dict(kind="tt", rank=32, scale=1.0, channels=384, before=True, after=True),
               dict(kind="progressive", mask_tokens=13), 5),
}


def build(adaptation, decoder):
    torch.manual_seed(0)
    model = MASAM(
        dict(embed_dim=768, depth=12, num_heads=12, img_size=512, patch_size=16, mlp_ratio=4,
             out_chans=256, qkv_bias=True, use_rel_pos=True, window_size=14,
             global_attn_indexes=GLOBAL_BLOCKS,
             norm_layer=lambda width: torch.nn.LayerNorm(width, eps=1e-6), **adaptation),
        dict(mask_channels=16, iou_width=256, mlp_width=2048, **decoder)).eval()
    for block in model.image_encoder.blocks:
        torch.nn.init.normal_(block.attn.rel_pos_h, std=0.02)
        torch.nn.init.normal_(block.attn.rel_pos_w, std=0.02)
    return model


def check(wt, name, folder):
    adaptation, decoder, slices = CASES[name]
    model = build(adaptation, decoder)
    metadata = {"wt.global_blocks": ",".join(map(str, GLOBAL_BLOCKS)), "wt.slices": str(slices)}
    if adaptation:
        metadata["wt.fact_scale"] = str(adaptation["scale"])
    save_file(model.state_dict(), folder / "model.safetensors", metadata)
    stacks = torch.randn(1, slices, 3, 512, 512)
    with torch.no_grad():
        outputs = model(stacks)
    tensors = {"input": stacks, **outputs}
    save_file({key: value.contiguous() for key, value in tensors.items()},
              folder / "golden.safetensors")
    result = subprocess.run([wt, "verify", folder / "model.safetensors", "--golden",
                             folder / "golden.safetensors", "--verbose", "--quiet"],
                            capture_output=True, text=True)
    print(f"ViT-B {name}, {slices} slices at 512 x 512\n{result.stdout}{result.stderr}")
    return result.returncode == 0


def main():
    wt = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as folder:
        results = [check(wt, name, Path(folder)) for name in CASES]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
