"""Names and shapes of a SAM checkpoint, generated from its hyper-parameters.

`python sam_layout.py vit_h` lists them. Importing this module loads nothing heavy.
"""

import sys
from collections.abc import Iterator
from math import prod
from typing import NamedTuple

Entry = tuple[str, tuple[int, ...]]


class Encoder(NamedTuple):
    """The image encoder's hyper-parameters, and what the whole checkpoint must add up to."""

    width: int
    depth: int
    heads: int
    global_blocks: tuple[int, ...]
    tensors: int
    elements: int


ENCODERS = {
    "vit_b": Encoder(768, 12, 12, (2, 5, 8, 11), 314, 93_735_728),
    "vit_l": Encoder(1024, 24, 16, (5, 11, 17, 23), 482, 312_343_088),
    "vit_h": Encoder(1280, 32, 16, (7, 15, 23, 31), 594, 641_090_864),
}

GRID = 64  # tokens a side: 1024 pixels in patches of 16
PATCH = 16
WINDOW = 14
PROMPT = 256  # width of the neck, the prompt encoder and the decoder
DECODER_LAYERS = 2
DECODER_MLP = 2048
MASK_TOKENS = 4


def layout(name: str) -> dict[str, tuple[int, ...]]:
    """The state dict's names and shapes, in the order in which the modules register them."""
    encoder = ENCODERS[name]
    entries = [*_image_encoder(encoder), *_prompt_encoder(), *_mask_decoder()]
    shapes = dict(entries)
    assert len(shapes) == len(entries) == encoder.tensors, (name, len(entries), len(shapes))
    elements = sum(prod(shape) for shape in shapes.values())
    assert elements == encoder.elements, (name, elements)
    return shapes


def largest_tensor_bytes(name: str) -> int:
    """Bytes of the largest tensor, stored as 32-bit floats."""
    return 4 * max(prod(shape) for shape in layout(name).values())


def _affine(name: str, *shape: int, bias: int | None = None) -> Iterator[Entry]:
    """A weight and its bias, which is as long as the weight's first side unless told."""
    yield f"{name}.weight", shape
    yield f"{name}.bias", (shape[0] if bias is None else bias,)


def _image_encoder(encoder: Encoder) -> Iterator[Entry]:
    d, root = encoder.width, "image_encoder"
    yield f"{root}.pos_embed", (1, GRID, GRID, d)
    yield from _affine(f"{root}.patch_embed.proj", d, 3, PATCH, PATCH)
    for index in range(encoder.depth):
        block = f"{root}.blocks.{index}"
        side = GRID if index in encoder.global_blocks else WINDOW
        yield from _affine(f"{block}.norm1", d)
        for axis in "hw":
            yield f"{block}.attn.rel_pos_{axis}", (2 * side - 1, d // encoder.heads)
        yield from _affine(f"{block}.attn.qkv", 3 * d, d)
        yield from _affine(f"{block}.attn.proj", d, d)
        yield from _affine(f"{block}.norm2", d)
        yield from _affine(f"{block}.mlp.lin1", 4 * d, d)
        yield from _affine(f"{block}.mlp.lin2", d, 4 * d)
    yield f"{root}.neck.0.weight", (PROMPT, d, 1, 1)
    yield from _affine(f"{root}.neck.1", PROMPT)
    yield f"{root}.neck.2.weight", (PROMPT, PROMPT, 3, 3)
    yield from _affine(f"{root}.neck.3", PROMPT)


def _prompt_encoder() -> Iterator[Entry]:
    root = "prompt_encoder"
    yield f"{root}.pe_layer.positional_encoding_gaussian_matrix", (2, PROMPT // 2)
    for index in range(4):
        yield f"{root}.point_embeddings.{index}.weight", (1, PROMPT)
    yield f"{root}.not_a_point_embed.weight", (1, PROMPT)
    yield from _affine(f"{root}.mask_downscaling.0", 4, 1, 2, 2)
    yield from _affine(f"{root}.mask_downscaling.1", 4)
    yield from _affine(f"{root}.mask_downscaling.3", 16, 4, 2, 2)
    yield from _affine(f"{root}.mask_downscaling.4", 16)
    yield from _affine(f"{root}.mask_downscaling.6", PROMPT, 16, 1, 1)
    yield f"{root}.no_mask_embed.weight", (1, PROMPT)


def _attention(name: str, inner: int) -> Iterator[Entry]:
    for part in ("q_proj", "k_proj", "v_proj"):
        yield from _affine(f"{name}.{part}", inner, PROMPT)
    yield from _affine(f"{name}.out_proj", PROMPT, inner)


def _mask_decoder() -> Iterator[Entry]:
    root, half = "mask_decoder", PROMPT // 2
    for index in range(DECODER_LAYERS):
        layer = f"{root}.transformer.layers.{index}"
        yield from _attention(f"{layer}.self_attn", PROMPT)
        yield from _affine(f"{layer}.norm1", PROMPT)
        yield from _attention(f"{layer}.cross_attn_token_to_image", half)
        yield from _affine(f"{layer}.norm2", PROMPT)
        yield from _affine(f"{layer}.mlp.lin1", DECODER_MLP, PROMPT)
        yield from _affine(f"{layer}.mlp.lin2", PROMPT, DECODER_MLP)
        yield from _affine(f"{layer}.norm3", PROMPT)
        yield from _affine(f"{layer}.norm4", PROMPT)
        yield from _attention(f"{layer}.cross_attn_image_to_token", half)
    yield from _attention(f"{root}.transformer.final_attn_token_to_image", half)
    yield from _affine(f"{root}.transformer.norm_final_attn", PROMPT)
    yield f"{root}.iou_token.weight", (1, PROMPT)
    yield f"{root}.mask_tokens.weight", (MASK_TOKENS, PROMPT)
    # Transposed convolutions store [in, out, 2, 2]; the bias goes with `out`.
    yield from _affine(f"{root}.output_upscaling.0", PROMPT, PROMPT // 4, 2, 2, bias=PROMPT // 4)
    yield from _affine(f"{root}.output_upscaling.1", PROMPT // 4)
    yield from _affine(
        f"{root}.output_upscaling.3", PROMPT // 4, PROMPT // 8, 2, 2, bias=PROMPT // 8)
    for index in range(MASK_TOKENS):
        yield from _perceptron(f"{root}.output_hypernetworks_mlps.{index}", PROMPT // 8)
    yield from _perceptron(f"{root}.iou_prediction_head", MASK_TOKENS)


def _perceptron(name: str, outputs: int) -> Iterator[Entry]:
    for index, width in enumerate((PROMPT, PROMPT, outputs)):
        yield from _affine(f"{name}.layers.{index}", width, PROMPT)


if __name__ == "__main__":
    for tensor, shape in layout(sys.argv[1] if len(sys.argv) > 1 else "vit_h").items():
        print(f"{tensor}  {list(shape)}")
