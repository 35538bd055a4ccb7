#!/usr/bin/env python3
"""Times what `wt` saves, piece by piece, against the way the published code takes in PyTorch.

The extents are those of MA-SAM's ViT-B on five slices of 512 x 512, a block's share of each; both sides
run in turn, each in a process of its own, the shortest run of each piece counts. README.md explains the
lines.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import compare
import masam
from compare import HERE, run
from masam import MODELS, SIZE, SLICES

WIDTH, DEPTH, HEADS = MODELS["vit_b"][:3]
GRID, WINDOW, RANK, CHANNELS = SIZE // 16, 14, 32, 384
# What is saved, and the lines of `wt bench` that do the same.
PIECES = {
    "padding of windows (qkv, projection)": ["f32 product, qkv", "f32 product, projection"],
    "attention in windows": ["attention in windows"],
    "attention everywhere": ["attention everywhere"],
    "factors of q and v": ["factors of q and v"],
    "MLP's first layer and GELU": ["f32 product with GELU, MLP, first"],
    "weights in the order of products": ["f32 product of a forward pass, MLP, second"],
    "convolution over slices": ["convolution over slices"],
    "memory for a hidden layer": ["buffer from the pool"],
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wt", default=HERE.parent / ".build/release/wt", metavar="PATH")
    parser.add_argument("--rounds", type=compare.positive, default=3)
    parser.add_argument("--seconds", type=float, default=0.5, help="how long each piece is repeated")
    parser.add_argument("--torch-side", action="store_true", help=argparse.SUPPRESS)
    arguments = compare.checked(parser)
    if arguments.torch_side:
        return torch_side(arguments.seconds)
    torch_command = [sys.executable, __file__, "--torch-side", "--seconds", str(arguments.seconds)]
    sides = {"PyTorch": lambda: run(torch_command), "wt": lambda: bench(arguments)}
    best = {name: {} for name in sides}
    for number in range(arguments.rounds):
        print(f"round {number + 1} of {arguments.rounds}", file=sys.stderr)
        for name, side in compare.turns(sides, number):
            keep_shortest(best[name], side())
    tell(best["PyTorch"], best["wt"] | {"kept": planned_bytes(arguments)})
    return 0


def bench(arguments):
    """Seconds of each of wt's lines."""
    report = run([str(arguments.wt), "bench", "--seconds", str(arguments.seconds), "--json"])
    return {line["name"]: line["seconds"] for line in report["kernels"]}


def planned_bytes(arguments):
    """What wt keeps of a block in a training step, beside the gradients and moments of what is trained."""
    with tempfile.TemporaryDirectory(prefix="wt-savings-") as folder:
        masam.make("vit_b", Path(folder))
        plan = run([str(arguments.wt), "plan", str(Path(folder) / "model.safetensors"), "--train", "--json"])
    return (plan["memory_bytes"]["training"] - 12 * plan["parameters"]["trainable"]) / DEPTH


def keep_shortest(kept, found):
    for name, seconds in found.items():
        kept[name] = min(seconds, kept.get(name, seconds))


def tell(theirs, ours):
    print(f"{'':38}{'PyTorch':>12}{'wt':>12}{'ratio':>8}")
    for name, lines in PIECES.items():
        seconds = sum(ours[line] for line in lines)
        print(f"{name:38}{theirs[name] * 1000:9.2f} ms{seconds * 1000:9.2f} ms"
              f"{seconds / theirs[name]:8.2f}")
    print(f"{'kept of a block for its gradients':38}{theirs['kept'] / 1e6:9.2f} MB"
          f"{ours['kept'] / 1e6:9.2f} MB{ours['kept'] / theirs['kept']:8.2f}")


def torch_side(seconds):
    import torch
    torch.set_num_threads(compare.processors())
    torch.manual_seed(0)
    with torch.no_grad():
        result = {name: shortest(work, seconds) for name, work in pieces(torch).items()}
    print(json.dumps(result | {"kept": kept_bytes(torch)}))
    return 0


def shortest(work, seconds):
    work()
    end, best = time.perf_counter() + seconds, float("inf")
    while time.perf_counter() < end or best == float("inf"):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def pieces(torch):
    """A call for each piece, as the published code does it."""
    from torch.nn import functional
    layer = lambda inputs, outputs: torch.nn.Linear(inputs, outputs)
    a_side = -(-GRID // WINDOW)
    padded = torch.randn(SLICES * a_side**2, WINDOW, WINDOW, WIDTH)
    tokens = torch.randn(SLICES, GRID, GRID, WIDTH)
    qkv, projection, expand = (layer(WIDTH, 3 * WIDTH), layer(WIDTH, WIDTH),
                               layer(WIDTH, 4 * WIDTH))
    windowed, everywhere = attention(torch, padded), attention(torch, tokens)
    down, core, up = (torch.randn(RANK, WIDTH), torch.randn(RANK, RANK),
                      torch.randn(WIDTH, RANK))
    projected = torch.randn(SLICES, GRID, GRID, 3 * WIDTH)
    mixing = torch.nn.Conv3d(CHANNELS, CHANNELS, (3, 1, 1), padding=(1, 0, 0))
    stack = torch.randn(1, SLICES, GRID, GRID, CHANNELS)
    hidden, contract = torch.randn(SLICES, GRID, GRID, 4 * WIDTH), layer(4 * WIDTH, WIDTH)

    def factors():
        q, k, v = projected.chunk(3, dim=-1)
        update = lambda: functional.linear(
            functional.linear(functional.linear(tokens, down), core), up)
        return torch.cat((q + update(), k, v + update()), dim=-1)

    def mixed():
        return mixing(stack.permute(0, 4, 1, 2, 3)).permute(0, 2, 3, 4, 1).contiguous()

    def memory():
        torch.empty(SLICES * GRID * GRID * 4 * WIDTH)[::1024].zero_()

    return dict(zip(PIECES, (
        lambda: (qkv(padded), projection(padded)), lambda: windowed(padded),
        lambda: everywhere(tokens), factors, lambda: functional.gelu(expand(tokens)),
        lambda: contract(hidden), mixed, memory)))


def attention(torch, tokens):
    """The published module from q, k and v on, up to the output's projection."""
    sys.path.insert(0, str(HERE.parent / "tools/reference"))
    from networks.masam import ImageEncoderViT
    module = sys.modules[ImageEncoderViT.__module__].Attention(
        WIDTH, HEADS, use_rel_pos=True, rel_pos_zero_init=False, input_size=tokens.shape[1:3])
    given = torch.randn(*tokens.shape[:3], 3 * WIDTH)

    class Given(torch.nn.Module):
        def forward(self, _):
            return given

    module.qkv, module.proj = Given(), torch.nn.Identity()
    return module


def kept_bytes(torch):
    """What PyTorch keeps of a block's forward pass, parameters left out."""
    model = masam.build("vit_b")
    encoder, kept = model.image_encoder, {}
    own = {parameter.data_ptr() for parameter in model.parameters()}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    trained = [parameter for name, parameter in encoder.named_parameters()
               if "FacT" in name or "adapter" in name]
    encoder.requires_grad_(False)
    for parameter in trained:
        parameter.requires_grad_(True)
    x = torch.randn(SLICES, GRID, GRID, WIDTH, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        result = encoder.run_block(0, x, SLICES)
    del result
    return sum(kept.values())


if __name__ == "__main__":
    sys.exit(main())
