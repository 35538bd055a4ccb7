"""Records tiny models and what PyTorch makes of them, for the tests of model surgery.

Every operation is calculated here a second time, as a layer applied to an input or as PyTorch's own
function, in double precision where wt calculates so.
"""

import json
import pathlib

import safetensors.torch
import sam_shapes
import torch
import torch.nn.functional as F

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "Tests" / "Fixtures" / "surgery"
WIDTH, DEPTH, RANK, ADAPTER, TOKENS, DECODER, MLP = 32, 4, 4, 6, 3, 32, 64
ENCODER = dict(width=WIDTH, depth=DEPTH, heads=2, window=3, grid=8, out=DECODER, patch=16,
               global_blocks={1, 3})
SCALE, IMAGE = 0.5, 96
expected = {}


def base():
    names = sam_shapes.Names()
    sam_shapes.image_encoder(names, **ENCODER)
    sam_shapes.prompt_encoder(names, DECODER)
    sam_shapes.mask_decoder(names, DECODER, tokens=4, mlp=MLP, progressive=False)
    return dict(names)


def trained(progressive):
    """Prompt encoder and decoder after training."""
    names = sam_shapes.Names()
    sam_shapes.prompt_encoder(names, DECODER)
    sam_shapes.mask_decoder(names, DECODER, tokens=TOKENS, mlp=MLP, progressive=progressive)
    return dict(names)


def parameter(*shape):
    return torch.nn.Parameter(torch.randn(*shape) * 0.1)


def masam():
    factors = {f"{kind}_FacTs_{i:03d}": parameter(RANK, RANK)
               for kind in "qv" for i in range(DEPTH)}
    shared = {"image_encoder.FacTu.weight": torch.randn(RANK, WIDTH) * 0.1,
              "image_encoder.FacTv.weight": torch.randn(WIDTH, RANK) * 0.1}
    adapters = sam_shapes.Names()
    for i in range(DEPTH):
        block = f"image_encoder.ImageEncoderViT.blocks.{i}.Block"
        for suffix in ("", "_2"):
            adapters.add(f"{block}.adapter_linear_down{suffix}.weight", ADAPTER, WIDTH)
            adapters.add(f"{block}.adapter_linear_up{suffix}.weight", WIDTH, ADAPTER)
            adapters.conv(f"{block}.adapter_conv{suffix}", ADAPTER, ADAPTER, 3, 1, 1, bias=ADAPTER)
            adapters.norm(f"{block}.adapter_norm{suffix}", WIDTH)
    return {**factors, **shared, **trained(True), **adapters}


def pairs(prefix, count, outputs, inputs):
    return {**{f"{prefix}_a_{i:03d}": parameter(RANK, inputs) for i in range(count)},
            **{f"{prefix}_b_{i:03d}": parameter(outputs, RANK) for i in range(count)}}


def samed():
    return {**pairs("w", 2 * DEPTH, WIDTH, WIDTH), **trained(False)}


def samed_small():
    """SAMed_s: the decoder's transformer is kept as LoRA pairs."""
    heads = {k: v for k, v in trained(False).items() if "transformer" not in k}
    half = DECODER // 2
    last = {f"fati_{p}{side}": parameter(*(RANK, DECODER) if side == "a" else (half, RANK))
            for p in "qv" for side in "ab"}
    return {**pairs("w", 2 * DEPTH, WIDTH, WIDTH), **pairs("sa", 4, DECODER, DECODER),
            **pairs("cti", 4, half, DECODER), **pairs("cit", 4, half, DECODER), **heads, **last}


def weight_of(function, inputs):
    """The matrix [out, in] of a linear function, from what it makes of the unit vectors."""
    return function(torch.eye(inputs, dtype=torch.float64)).T.contiguous()


def double(tensor):
    return tensor.detach().double()


def updated(weight, q, v):
    """A qkv weight after q(x) and v(x) were added to its outputs."""
    weight = double(weight).clone()
    weight[:WIDTH] += weight_of(q, WIDTH)
    weight[2 * WIDTH:] += weight_of(v, WIDTH)
    return weight


def merged_tt(sam, delta, scale):
    u, v = (double(delta[f"image_encoder.FacT{n}.weight"]) for n in "uv")

    def branch(sigma):
        return lambda x: scale * F.linear(F.linear(F.linear(x, u), double(sigma)), v)

    for i in range(DEPTH):
        expected[f"tt.{i}"] = updated(
            sam[f"image_encoder.blocks.{i}.attn.qkv.weight"],
            branch(delta[f"q_FacTs_{i:03d}"]), branch(delta[f"v_FacTs_{i:03d}"]))


def merged_tk(sam, scale):
    """FacT-TK: x·U, times the slice of the Tucker core from the right, times V."""
    factors = {"image_encoder.FacTu.weight": torch.randn(RANK, WIDTH) * 0.1,
               "image_encoder.FacTv.weight": torch.randn(WIDTH, RANK) * 0.1,
               "image_encoder.FacTc": torch.randn(RANK, RANK, RANK) * 0.5,
               "image_encoder.FacTp": torch.randn(RANK, 2 * DEPTH) * 0.5}
    u, v, c, p = (double(t) for t in factors.values())

    def branch(place):
        core = (c @ p[:, place:place + 1]).squeeze(-1)
        return lambda x: scale * F.linear(F.linear(x, u) @ core, v)

    for i in range(DEPTH):
        expected[f"tk.{i}"] = updated(
            sam[f"image_encoder.blocks.{i}.attn.qkv.weight"], branch(2 * i), branch(2 * i + 1))
    return factors


def merged_lora(name, sam, delta):
    def branch(a, b):
        return lambda x: F.linear(F.linear(x, double(delta[a])), double(delta[b]))

    for i in range(DEPTH):
        q, v = (branch(f"w_a_{place:03d}", f"w_b_{place:03d}") for place in (2 * i, 2 * i + 1))
        expected[f"{name}.{i}"] = updated(
            sam[f"image_encoder.blocks.{i}.attn.qkv.weight"], q, v)


def merged_decoder(sam, delta):
    base = "mask_decoder.transformer"
    kinds = {"sa": "self_attn", "cti": "cross_attn_token_to_image",
             "cit": "cross_attn_image_to_token"}
    for short, layer in kinds.items():
        for place in range(4):
            name = f"{base}.layers.{place // 2}.{layer}.{'qv'[place % 2]}_proj.weight"
            add_pair(name, sam, delta[f"{short}_a_{place:03d}"], delta[f"{short}_b_{place:03d}"])
    for p in "qv":
        add_pair(f"{base}.final_attn_token_to_image.{p}_proj.weight", sam,
                 delta[f"fati_{p}a"], delta[f"fati_{p}b"])


def add_pair(name, sam, a, b):
    delta = weight_of(lambda x: F.linear(F.linear(x, double(a)), double(b)), a.shape[1])
    expected[f"decoder.{name}"] = double(sam[name]) + delta


def resized(sam):
    positions = sam["image_encoder.pos_embed"].permute(0, 3, 1, 2)
    relative = sam["image_encoder.blocks.1.attn.rel_pos_h"]
    for grid in (2, 5, 6, 8, 11, 16):
        expected[f"pos_embed.{grid}"] = F.interpolate(
            positions, (grid, grid), mode="bilinear", align_corners=False).permute(
                0, 2, 3, 1).contiguous()
        expected[f"rel_pos.{grid}"] = F.interpolate(
            relative[None, None], (2 * grid - 1, relative.shape[1]), mode="bilinear",
            align_corners=False)[0, 0].contiguous()


def rounded(sam):
    """What PyTorch's casts make of awkward numbers."""
    values = torch.cat([
        torch.randn(64), torch.tensor([0.0, -0.0, 1e-8, 6e-8, 3.1e-5, 65504.0, 65519.0, 1 / 3]),
        torch.arange(64, dtype=torch.float32) * 2.0 ** -12 + 1])
    values.view(torch.int32)[:32] &= ~0x7FFF
    values.view(torch.int32)[:32] |= 0x8000
    expected["cast.f32"] = values
    expected["cast.f16"], expected["cast.bf16"] = values.half(), values.bfloat16()


def main():
    torch.manual_seed(20240601)
    FOLDER.mkdir(parents=True, exist_ok=True)
    sam, delta, lora, small = base(), masam(), samed(), samed_small()
    torch.save(sam, FOLDER / "base.pth")
    for folder, state in (("masam", delta), ("samed", lora), ("samed_s", small)):
        (FOLDER / folder).mkdir(exist_ok=True)
        torch.save(state, FOLDER / folder / "epoch_3.pth")
    (FOLDER / "masam" / "config.txt").write_text(
        f"vit_name: vit_t\nimg_size: {IMAGE}\nrank: {RANK}\nscale: {SCALE}\n"
        f"num_classes: {TOKENS - 1}\n")
    merged_tt(sam, delta, SCALE)
    factors = merged_tk(sam, SCALE)
    safetensors.torch.save_file(factors, FOLDER / "tucker.safetensors")
    merged_lora("samed", sam, lora)
    merged_lora("samed_s", sam, small)
    merged_decoder(sam, small)
    resized(sam)
    rounded(sam)
    safetensors.torch.save_file(expected, FOLDER / "expected.safetensors")
    total = sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file())
    print(f"{total} bytes")


if __name__ == "__main__":
    main()
