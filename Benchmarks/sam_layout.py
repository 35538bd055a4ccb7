"""Names and shapes of a SAM checkpoint, generated from its hyper-parameters.

`python sam_layout.py vit_h` lists them. Importing this module loads nothing heavy.
"""

import sys
from collections.abc import Iterator
from math import prod
from typing import NamedTuple

Entry = tuple[str, tuple[int, ...]]


class Form(NamedTuple):
    """A model's hyper-parameters; those with a default are the same in all published ones."""

    width: int
    depth: int
    heads: int
    global_blocks: tuple[int, ...]
    grid: int = 64  # tokens a side: 1024 pixels in patches of 16
    window: int = 14
    prompt: int = 256  # width of the neck, the prompt encoder and the decoder
    decoder_mlp: int = 2048


class Encoder(NamedTuple):
    """A published model, and what its checkpoint must add up to."""

    form: Form
    tensors: int
    elements: int


ENCODERS = {
    "vit_b": Encoder(Form(768, 12, 12, (2, 5, 8, 11)), 314, 93_735_728),
    "vit_l": Encoder(Form(1024, 24, 16, (5, 11, 17, 23)), 482, 312_343_088),
    "vit_h": Encoder(Form(1280, 32, 16, (7, 15, 23, 31)), 594, 641_090_864),
}

PATCH = 16
DECODER_LAYERS = 2
MASK_TOKENS = 4


def layout(name: str) -> dict[str, tuple[int, ...]]:
    """The state dict's names and shapes, in the order in which the modules register them."""
    encoder = ENCODERS[name]
    shapes = shapes_of(encoder.form)
    assert len(shapes) == encoder.tensors, (name, len(shapes))
    elements = sum(prod(shape) for shape in shapes.values())
    assert elements == encoder.elements, (name, elements)
    return shapes


def shapes_of(form: Form) -> dict[str, tuple[int, ...]]:
    """The same for any model of SAM's form."""
    entries = [*_image_encoder(form), *_prompt_encoder(form), *_mask_decoder(form)]
    shapes = dict(entries)
    assert len(shapes) == len(entries)
    return shapes


def largest_tensor_bytes(name: str) -> int:
    """Bytes of the largest tensor, stored as 32-bit floats."""
    return 4 * max(prod(shape) for shape in layout(name).values())


def _affine(name: str, *shape: int, bias: int | None = None) -> Iterator[Entry]:
    """A weight and its bias, which is as long as the weight's first side unless told."""
    yield f"{name}.weight", shape
    yield f"{name}.bias", (shape[0] if bias is None else bias,)


def _image_encoder(form: Form) -> Iterator[Entry]:
    d, prompt, root = form.width, form.prompt, "image_encoder"
    yield f"{root}.pos_embed", (1, form.grid, form.grid, d)
    yield from _affine(f"{root}.patch_embed.proj", d, 3, PATCH, PATCH)
    for index in range(form.depth):
        block = f"{root}.blocks.{index}"
        side = form.grid if index in form.global_blocks else form.window
        yield from _affine(f"{block}.norm1", d)
        for axis in "hw":
            yield f"{block}.attn.rel_pos_{axis}", (2 * side - 1, d // form.heads)
        yield from _affine(f"{block}.attn.qkv", 3 * d, d)
        yield from _affine(f"{block}.attn.proj", d, d)
        yield from _affine(f"{block}.norm2", d)
        yield from _affine(f"{block}.mlp.lin1", 4 * d, d)
        yield from _affine(f"{block}.mlp.lin2", d, 4 * d)
    yield f"{root}.neck.0.weight", (prompt, d, 1, 1)
    yield from _affine(f"{root}.neck.1", prompt)
    yield f"{root}.neck.2.weight", (prompt, prompt, 3, 3)
    yield from _affine(f"{root}.neck.3", prompt)


def _prompt_encoder(form: Form) -> Iterator[Entry]:
    prompt, root = form.prompt, "prompt_encoder"
    yield f"{root}.pe_layer.positional_encoding_gaussian_matrix", (2, prompt // 2)
    for index in range(4):
        yield f"{root}.point_embeddings.{index}.weight", (1, prompt)
    yield f"{root}.not_a_point_embed.weight", (1, prompt)
    yield from _affine(f"{root}.mask_downscaling.0", 4, 1, 2, 2)
    yield from _affine(f"{root}.mask_downscaling.1", 4)
    yield from _affine(f"{root}.mask_downscaling.3", 16, 4, 2, 2)
    yield from _affine(f"{root}.mask_downscaling.4", 16)
    yield from _affine(f"{root}.mask_downscaling.6", prompt, 16, 1, 1)
    yield f"{root}.no_mask_embed.weight", (1, prompt)


def _attention(name: str, prompt: int, inner: int) -> Iterator[Entry]:
    for part in ("q_proj", "k_proj", "v_proj"):
        yield from _affine(f"{name}.{part}", inner, prompt)
    yield from _affine(f"{name}.out_proj", prompt, inner)


def _mask_decoder(form: Form) -> Iterator[Entry]:
    root, prompt, half = "mask_decoder", form.prompt, form.prompt // 2
    for index in range(DECODER_LAYERS):
        layer = f"{root}.transformer.layers.{index}"
        yield from _attention(f"{layer}.self_attn", prompt, prompt)
        yield from _affine(f"{layer}.norm1", prompt)
        yield from _attention(f"{layer}.cross_attn_token_to_image", prompt, half)
        yield from _affine(f"{layer}.norm2", prompt)
        yield from _affine(f"{layer}.mlp.lin1", form.decoder_mlp, prompt)
        yield from _affine(f"{layer}.mlp.lin2", prompt, form.decoder_mlp)
        yield from _affine(f"{layer}.norm3", prompt)
        yield from _affine(f"{layer}.norm4", prompt)
        yield from _attention(f"{layer}.cross_attn_image_to_token", prompt, half)
    yield from _attention(f"{root}.transformer.final_attn_token_to_image", prompt, half)
    yield from _affine(f"{root}.transformer.norm_final_attn", prompt)
    yield f"{root}.iou_token.weight", (1, prompt)
    yield f"{root}.mask_tokens.weight", (MASK_TOKENS, prompt)
    # Transposed convolutions store [in, out, 2, 2]; the bias goes with `out`.
    yield from _affine(f"{root}.output_upscaling.0", prompt, prompt // 4, 2, 2, bias=prompt // 4)
    yield from _affine(f"{root}.output_upscaling.1", prompt // 4)
    yield from _affine(
        f"{root}.output_upscaling.3", prompt // 4, prompt // 8, 2, 2, bias=prompt // 8)
    for index in range(MASK_TOKENS):
        yield from _perceptron(f"{root}.output_hypernetworks_mlps.{index}", prompt, prompt // 8)
    yield from _perceptron(f"{root}.iou_prediction_head", prompt, MASK_TOKENS)


def _perceptron(name: str, prompt: int, outputs: int) -> Iterator[Entry]:
    for index, width in enumerate((prompt, prompt, outputs)):
        yield from _affine(f"{name}.layers.{index}", width, prompt)


if __name__ == "__main__":
    for tensor, shape in layout(sys.argv[1] if len(sys.argv) > 1 else "vit_h").items():
        print(f"{tensor}  {list(shape)}")
