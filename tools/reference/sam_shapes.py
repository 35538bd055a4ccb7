"""Names and shapes of tiny SAM-shaped checkpoints, as the published code gives them."""

import torch


class Names(dict):
    """A state dict under construction: random tensors by name."""

    def add(self, name, *shape):
        self[name] = torch.randn(*shape) * 0.02

    def linear(self, name, outputs, inputs):
        self.add(name + ".weight", outputs, inputs)
        self.add(name + ".bias", outputs)

    def norm(self, name, width):
        self.add(name + ".weight", width)
        self.add(name + ".bias", width)

    def conv(self, name, *shape, bias):
        self.add(name + ".weight", *shape)
        self.add(name + ".bias", bias)


def image_encoder(names, width, depth, heads, window, grid, out, patch, global_blocks):
    names.add("image_encoder.pos_embed", 1, grid, grid, width)
    names.conv("image_encoder.patch_embed.proj", width, 3, patch, patch, bias=width)
    for i in range(depth):
        block = f"image_encoder.blocks.{i}"
        names.norm(block + ".norm1", width)
        rows = 2 * (grid if i in global_blocks else window) - 1
        names.add(block + ".attn.rel_pos_h", rows, width // heads)
        names.add(block + ".attn.rel_pos_w", rows, width // heads)
        names.linear(block + ".attn.qkv", 3 * width, width)
        names.linear(block + ".attn.proj", width, width)
        names.norm(block + ".norm2", width)
        names.linear(block + ".mlp.lin1", 4 * width, width)
        names.linear(block + ".mlp.lin2", width, 4 * width)
    names.add("image_encoder.neck.0.weight", out, width, 1, 1)
    names.norm("image_encoder.neck.1", out)
    names.add("image_encoder.neck.2.weight", out, out, 3, 3)
    names.norm("image_encoder.neck.3", out)


def prompt_encoder(names, c):
    names.add("prompt_encoder.pe_layer.positional_encoding_gaussian_matrix", 2, c // 2)
    for j in range(4):
        names.add(f"prompt_encoder.point_embeddings.{j}.weight", 1, c)
    names.add("prompt_encoder.not_a_point_embed.weight", 1, c)
    base = "prompt_encoder.mask_downscaling"
    names.conv(base + ".0", 4, 1, 2, 2, bias=4)
    names.norm(base + ".1", 4)
    names.conv(base + ".3", 16, 4, 2, 2, bias=16)
    names.norm(base + ".4", 16)
    names.conv(base + ".6", c, 16, 1, 1, bias=c)
    names.add("prompt_encoder.no_mask_embed.weight", 1, c)


def attention(names, name, c, inner):
    for part in ("q_proj", "k_proj", "v_proj"):
        names.linear(f"{name}.{part}", inner, c)
    names.linear(f"{name}.out_proj", c, inner)


def mask_decoder(names, c, tokens, mlp, progressive):
    base = "mask_decoder.transformer"
    for i in range(2):
        layer = f"{base}.layers.{i}"
        attention(names, layer + ".self_attn", c, c)
        names.norm(layer + ".norm1", c)
        attention(names, layer + ".cross_attn_token_to_image", c, c // 2)
        names.norm(layer + ".norm2", c)
        names.linear(layer + ".mlp.lin1", mlp, c)
        names.linear(layer + ".mlp.lin2", c, mlp)
        names.norm(layer + ".norm3", c)
        names.norm(layer + ".norm4", c)
        attention(names, layer + ".cross_attn_image_to_token", c, c // 2)
    attention(names, base + ".final_attn_token_to_image", c, c // 2)
    names.norm(base + ".norm_final_attn", c)
    names.add("mask_decoder.iou_token.weight", 1, c)
    names.add("mask_decoder.mask_tokens.weight", tokens, c)
    upscaling(names, c, progressive)
    last = c // 32 if progressive else c // 8
    for t in range(tokens):
        head = f"mask_decoder.output_hypernetworks_mlps.{t}.layers"
        names.linear(head + ".0", c, c)
        names.linear(head + ".1", c, c)
        names.linear(head + ".2", last, c)
    for i, outputs in enumerate((c, c, tokens)):
        names.linear(f"mask_decoder.iou_prediction_head.layers.{i}", outputs, c)


def upscaling(names, c, progressive):
    base = "mask_decoder.output_upscaling"
    widths = [c, c // 4, c // 8] + ([c // 16, c // 32] if progressive else [])
    convolutions = (0, 3, 6, 9)
    norms = {0: 1, 3: 4, 6: 7}
    for place, (inputs, outputs) in enumerate(zip(widths, widths[1:])):
        index = convolutions[place]
        names.conv(f"{base}.{index}", inputs, outputs, 2, 2, bias=outputs)
        # The last convolution of each variant has no norm behind it.
        if place < len(widths) - 2:
            names.norm(f"{base}.{norms[index]}", outputs)


SIZES = dict(width=16, depth=3, heads=2, window=3, grid=6, out=32, patch=16, global_blocks={2})


def sam():
    names = Names()
    image_encoder(names, **SIZES)
    prompt_encoder(names, 32)
    mask_decoder(names, 32, tokens=4, mlp=64, progressive=False)
    return dict(names)


def masam(rank=4, adapter=6, tokens=3):
    """What MA-SAM's save_parameters keeps; the per-block factors are Parameters."""
    width, depth = SIZES["width"], SIZES["depth"]
    names = Names()
    factors = {}
    for kind in ("q", "v"):
        for i in range(depth):
            factors[f"{kind}_FacTs_{i:03d}"] = torch.nn.Parameter(torch.randn(rank, rank))
    names.add("image_encoder.FacTu.weight", rank, width)
    names.add("image_encoder.FacTv.weight", width, rank)
    prompt_encoder(names, 32)
    mask_decoder(names, 32, tokens=tokens, mlp=64, progressive=True)
    for i in range(depth):
        block = f"image_encoder.ImageEncoderViT.blocks.{i}.Block"
        for suffix in ("", "_2"):
            names.add(f"{block}.adapter_linear_down{suffix}.weight", adapter, width)
            names.add(f"{block}.adapter_linear_up{suffix}.weight", width, adapter)
            names.conv(f"{block}.adapter_conv{suffix}", adapter, adapter, 3, 1, 1, bias=adapter)
            names.norm(f"{block}.adapter_norm{suffix}", width)
    return {**factors, **names}


def samed(rank=4, tokens=3):
    """What SAMed's save_lora_parameters keeps: even pairs for q, odd ones for v."""
    width, depth = SIZES["width"], SIZES["depth"]
    pairs = {}
    for i in range(2 * depth):
        pairs[f"w_a_{i:03d}"] = torch.nn.Parameter(torch.randn(rank, width))
        pairs[f"w_b_{i:03d}"] = torch.nn.Parameter(torch.randn(width, rank))
    names = Names()
    prompt_encoder(names, 32)
    mask_decoder(names, 32, tokens=tokens, mlp=64, progressive=False)
    return {**pairs, **names}
