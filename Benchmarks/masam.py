"""MA-SAM models of real width with random weights, made by PyTorch, and the differences of their outputs."""

import os
import sys
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools/reference"))
# Width, depth, heads, and the blocks that attend everywhere.
MODELS = {"vit_b": (768, 12, 12, (2, 5, 8, 11)), "vit_h": (1280, 32, 16, (7, 15, 23, 31))}
SIZE, SLICES, CLASSES = 512, 5, 12


def build(name):
    import torch
    from networks.masam import MASAM
    width, depth, heads, blocks = MODELS[name]
    torch.manual_seed(0)
    model = MASAM(
        dict(embed_dim=width, depth=depth, num_heads=heads, img_size=SIZE, patch_size=16, mlp_ratio=4,
             out_chans=256, qkv_bias=True, use_rel_pos=True, window_size=14,
             global_attn_indexes=blocks, kind="tt", rank=32, scale=1.0, channels=384, before=True,
             after=True, norm_layer=lambda width: torch.nn.LayerNorm(width, eps=1e-6)),
        dict(kind="progressive", mask_tokens=CLASSES + 1, mask_channels=16, iou_width=256,
             mlp_width=2048)).eval()
    model.image_encoder.keeps_outputs = False
    return model


def in_another_process(work):
    """So that PyTorch's memory is not ours, nor that of the processes that are measured."""
    if os.fork() == 0:
        status = 1
        try:
            work()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    if os.wait()[1]:
        raise SystemExit("PyTorch could not make the model or its outputs")


def make(name, folder):
    in_another_process(lambda: make_model(name, folder))


def make_model(name, folder):
    import torch
    from safetensors.torch import save_file
    model = build(name)
    for block in model.image_encoder.blocks:
        torch.nn.init.normal_(block.attn.rel_pos_h, std=0.02)
        torch.nn.init.normal_(block.attn.rel_pos_w, std=0.02)
    blocks = ",".join(map(str, MODELS[name][3]))
    save_file(model.state_dict(), folder / "model.safetensors",
              {"wt.fact_scale": "1.0", "wt.slices": str(SLICES), "wt.global_blocks": blocks})
    save_file({"input": torch.randn(1, SLICES, 3, SIZE, SIZE)}, folder / "input.safetensors")


def record(name, folder):
    """What outputs of rounded products are held against."""
    import torch
    from safetensors.torch import load_file
    model = build(name)
    model.load_state_dict(load_file(folder / "model.safetensors"), assign=True)
    with torch.no_grad():
        save_outputs(model(load_file(folder / "input.safetensors")["input"]),
                     folder / "f32.safetensors")


def save_outputs(outputs, path):
    from safetensors.torch import save_file
    save_file({name: value.float().contiguous() for name, value in outputs.items()}, path)


def largest_difference(path, reference):
    """Infinite when outputs are missing or hold what is no number, which no tolerance may pass."""
    from safetensors.numpy import load_file
    found, expected = load_file(path), load_file(reference)
    differences = [relative_difference(found[name], value) if name in found else float("inf")
                   for name, value in expected.items()]
    return max(differences, default=float("inf"))


def relative_difference(found, expected):
    difference = float(abs(found - expected).max() / abs(expected).max())
    return difference if difference == difference else float("inf")
