#!/usr/bin/env python3
"""Records tiny models, inputs and what PyTorch computes, for the tests of the runtime.

Writes Tests/Fixtures/runtime/NAME.model.safetensors and NAME.golden.safetensors; what begins with
prompt- is of prompt.model.safetensors. SAM's own parts are
those of the published `segment-anything` package; MA-SAM's are in networks/masam.py.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).parent))
from networks.masam import MASAM  # noqa: E402
from networks.segment_anything_package import (  # noqa: E402
    ImageEncoderViT, MaskDecoder, PromptEncoder, TwoWayTransformer)
from record import record  # noqa: E402

TARGET = Path(__file__).resolve().parents[2] / "Tests/Fixtures/runtime"
MEAN = torch.tensor([123.675, 116.28, 103.53]).view(3, 1, 1)
DEVIATION = torch.tensor([58.395, 57.12, 57.375]).view(3, 1, 1)


def build(seed, *, width=32, depth=4, heads=2, size=64, window=3, blocks=(1, 3), out=32,
          decoder="sam", tokens=4, mlp=2.0, **adaptation):
    torch.manual_seed(seed)
    model = MASAM(
        dict(embed_dim=width, depth=depth, num_heads=heads, img_size=size, patch_size=16,
             mlp_ratio=mlp, out_chans=out, qkv_bias=True, use_rel_pos=True,
             global_attn_indexes=tuple(blocks), window_size=window, norm_layer=norm,
             **adaptation),
        dict(kind=decoder, mask_tokens=tokens, mask_channels=16, iou_width=out, mlp_width=48)).eval()
    # Parameters that start as zeros or ones say nothing about the code that uses them.
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1 or parameter.abs().max() == 0:
                parameter.add_(torch.randn_like(parameter) * 0.2)
        model.image_encoder.pos_embed.normal_()
    return model


def norm(width):
    return torch.nn.LayerNorm(width, eps=1e-6)


def save(name, model, inputs, outputs, named=None, **metadata):
    encoder = model.image_encoder
    blocks = [index for index, block in enumerate(encoder.blocks) if block.window_size == 0]
    metadata["wt.global_blocks"] = ",".join(map(str, blocks))
    if encoder.kind in ("tt", "tk"):
        metadata["wt.fact_scale"] = repr(encoder.scale)
    if encoder.kind != "none" and len(encoder.factor_blocks) < len(encoder.blocks):
        metadata["wt.fact_blocks"] = ",".join(map(str, encoder.factor_blocks))
    contents = {key: value.contiguous() for key, value in model.state_dict().items()}
    save_file(contents, TARGET / f"{named or name}.model.safetensors", metadata)
    tensors = {key: value.detach().contiguous() for key, value in {**inputs, **outputs}.items()}
    save_file(tensors, TARGET / f"{name}.golden.safetensors")


def stacks(name, model, batch, slices, boxes=False, **metadata):
    size = model.image_encoder.img_size
    inputs = {"input": torch.rand(batch, slices, 3, size, size)}
    if boxes:
        corners = torch.rand(batch * slices, 2, 2).sort(dim=1).values * size
        inputs["boxes"] = corners.flatten(1)
    with torch.no_grad():
        outputs = model(inputs["input"], inputs.get("boxes"))
    save(name, model, inputs, outputs, **{"wt.slices": str(slices), **metadata})


def prompts(name, model, height, width, count=2, points=0, box=False, mask=False):
    """One picture, prepared as SamPredictor does, with prompts in its own pixels."""
    size = model.image_encoder.img_size
    picture = torch.randint(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=torch.uint8)
    picture = np.array(Image.fromarray(picture.numpy()).resize((width, height), Image.BICUBIC))
    scale = size / max(height, width)
    new_height, new_width = int(height * scale + 0.5), int(width * scale + 0.5)
    scaled = np.array(Image.fromarray(picture).resize((new_width, new_height), Image.BILINEAR))
    image = (torch.from_numpy(scaled).permute(2, 0, 1).float() - MEAN) / DEVIATION
    image = torch.nn.functional.pad(image, (0, size - new_width, 0, size - new_height))[None]

    def place(coordinates):
        moved = coordinates.double().clone()
        moved[..., 0] *= new_width / width
        moved[..., 1] *= new_height / height
        return moved.float()

    inputs, arguments = {"image": torch.from_numpy(picture).permute(2, 0, 1)}, {}
    span = torch.tensor([width, height], dtype=torch.float32)
    if points:
        inputs["points"] = torch.rand(count, points, 2) * span
        inputs["labels"] = torch.randint(-1, 2, (count, points)).float()
        arguments["points"] = (place(inputs["points"]), inputs["labels"])
    if box:
        corners = torch.rand(count, 2, 2).sort(dim=1).values * span
        inputs["box"] = corners.flatten(1)
        arguments["boxes"] = place(corners).flatten(1)
    if mask:
        side = 4 * size // 16
        inputs["mask_input"] = torch.randn(count, 1, side, side)
        arguments["masks"] = inputs["mask_input"]
    with torch.no_grad():
        outputs = model.prompt(image, **arguments)
    save(name, model, inputs, outputs, named="prompt")


class Published(torch.nn.Module):
    """Nothing but modules of the published package, put together as its own builder does."""

    def __init__(self, size=64, out=32):
        super().__init__()
        grid = size // 16
        self.image_encoder = ImageEncoderViT(
            depth=3, embed_dim=32, img_size=size, mlp_ratio=4, norm_layer=norm, num_heads=4,
            patch_size=16, qkv_bias=True, use_rel_pos=True, global_attn_indexes=(2,),
            window_size=3, out_chans=out)
        self.prompt_encoder = PromptEncoder(
            embed_dim=out, image_embedding_size=(grid, grid), input_image_size=(size, size),
            mask_in_chans=16)
        self.mask_decoder = MaskDecoder(
            num_multimask_outputs=3, transformer_dim=out, iou_head_hidden_dim=out,
            transformer=TwoWayTransformer(depth=2, embedding_dim=out, mlp_dim=48, num_heads=8))

    def forward(self, stacks):
        embeddings = self.image_encoder(stacks.flatten(0, 1))
        sparse, dense = self.prompt_encoder(points=None, boxes=None, masks=None)
        for embedding in embeddings:
            self.mask_decoder(
                image_embeddings=embedding[None], image_pe=self.prompt_encoder.get_dense_pe(),
                sparse_prompt_embeddings=sparse, dense_prompt_embeddings=dense,
                multimask_output=True)


def published(name, seed):
    torch.manual_seed(seed)
    model = Published()
    for block in model.image_encoder.blocks:
        torch.nn.init.normal_(block.attn.rel_pos_h, std=0.3)
        torch.nn.init.normal_(block.attn.rel_pos_w, std=0.3)
    save_file(model.state_dict(), TARGET / f"{name}.model.safetensors", {"wt.global_blocks": "2"})
    record(model, torch.rand(1, 2, 3, 64, 64), TARGET / f"{name}.golden.safetensors")


def main():
    TARGET.mkdir(parents=True, exist_ok=True)
    published("sam-published", 20)
    stacks("sam-one-slice", build(1), 1, 1)
    stacks("sam-batch", build(2, window=14), 2, 3)
    stacks("masam-tt", build(3, out=64, decoder="progressive", tokens=3, **adapted("tt")), 1, 5)
    stacks("masam-tk", build(4, out=64, decoder="progressive", tokens=2, size=80, window=2, blocks=(0,),
                             **adapted("tk")), 1, 3, boxes=True)
    stacks("masam-lora", build(5, tokens=5, **adapted("lora", after=False)), 2, 5)
    stacks("masam-some-blocks", build(6, out=64, decoder="progressive", **adapted(
        "tt", factor_blocks=[0, 2], before=False)), 1, 3)
    stacks("masam-multiscale", build(7, depth=5, out=64, decoder="multiscale", tokens=3,
                                     **adapted("none")), 2, 3)
    stacks("masam-wide-heads", build(8, width=48, heads=3, mlp=3.0, size=112, window=7, blocks=(3,),
                                     out=64, decoder="progressive", **adapted("tt")), 1, 1)
    model = build(9, depth=2, blocks=(1,))
    prompts("prompt-none", model, 48, 64, count=1)
    prompts("prompt-points", model, 100, 75, points=3)
    prompts("prompt-box", model, 37, 90, box=True)
    prompts("prompt-mask", model, 200, 130, mask=True)
    prompts("prompt-points-box", model, 64, 64, points=1, box=True)
    prompts("prompt-points-mask", model, 50, 120, points=2, mask=True)
    prompts("prompt-box-mask", model, 33, 20, box=True, mask=True)
    prompts("prompt-all", model, 31, 17, count=3, points=2, box=True, mask=True)


def adapted(kind, before=True, after=True, **more):
    return dict(kind=kind, rank=4, scale=0.5, channels=12, before=before, after=after,
                **more)


if __name__ == "__main__":
    main()
