#!/usr/bin/env python3
"""Records gradients and whole trainings under PyTorch, for the tests of the trainer.

Writes Tests/Fixtures/training: NAME.gradients.safetensors (of the runtime's tiny models of the same
names), NAME.trajectory.safetensors, and operations.safetensors. Gradients are calculated in double
precision and stored as floats; trainings run in single precision, as they do in practice.
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).parent))
import make_runtime_fixtures as runtime  # noqa: E402

TARGET = Path(__file__).resolve().parents[2] / "Tests/Fixtures/training"
MODELS = {
    "sam-batch": dict(seed=2, window=14),
    "masam-tt": dict(seed=3, out=64, decoder="progressive", tokens=3, **runtime.adapted("tt")),
    "masam-tk": dict(seed=4, out=64, decoder="progressive", tokens=2, size=80, window=2,
                     blocks=(0,), **runtime.adapted("tk")),
    "masam-lora": dict(seed=5, tokens=5, **runtime.adapted("lora", after=False)),
    "masam-some-blocks": dict(seed=6, out=64, decoder="progressive", **runtime.adapted(
        "tt", factor_blocks=[0, 2], before=False)),
    "masam-multiscale": dict(seed=7, depth=5, out=64, decoder="multiscale", tokens=3,
                             **runtime.adapted("none")),
}
BOXED = {"masam-tk", "masam-multiscale"}
WHOLE = {"sam-batch"}


def model(name):
    built = runtime.build(**MODELS[name])
    built.load_state_dict(load_file(runtime.TARGET / f"{name}.model.safetensors"))
    return built


def is_trained(name, whole):
    if "positional_encoding" in name:
        return False
    adapted = "FacT" in name or "adapter_" in name or "_lora_" in name
    return whole or adapted or not name.startswith("image_encoder.")


def trained(built, whole=False):
    chosen = []
    for name, parameter in built.named_parameters():
        parameter.requires_grad_(is_trained(name, whole))
        if parameter.requires_grad:
            chosen.append((name, parameter))
    return chosen


def data(built, batches, batch, slices, boxed):
    """Images, labels of any class, and a box for each slice."""
    size, classes = built.image_encoder.img_size, built.mask_decoder.num_mask_tokens
    images = torch.rand(batches, batch, slices, 3, size, size)
    coarse = torch.randint(0, classes, (batches, batch * slices, size // 8, size // 8))
    labels = coarse.repeat_interleave(8, -1).repeat_interleave(8, -2).to(torch.uint8)
    tensors = {"images": images, "labels": labels}
    if boxed:
        corners = torch.rand(batches, batch * slices, 2, 2).sort(dim=2).values * size
        tensors["boxes"] = corners.flatten(2)
    return tensors


def losses(logits, labels, ce_weight=0.2, dice_weight=0.8):
    """The weighted sum, the cross-entropy and the mean soft Dice of all classes."""
    labels = F.interpolate(labels[:, None].float(), logits.shape[-2:], mode="nearest")[:, 0].long()
    ce = F.cross_entropy(logits, labels, ignore_index=-100)
    probabilities = logits.softmax(dim=1)
    dice = 0
    for index in range(logits.shape[1]):
        p, t = probabilities[:, index], (labels == index).to(logits.dtype)
        overlap, extent = (p * t).sum(), (p * p).sum() + (t * t).sum()
        dice = dice + 1 - (2 * overlap + 1e-5) / (extent + 1e-5)
    dice = dice / logits.shape[1]
    return ce_weight * ce + dice_weight * dice, ce, dice


def doubled(built):
    """The model in double precision; the package encodes places in single."""
    layer = built.double().prompt_encoder.pe_layer
    encode = layer._pe_encoding
    layer._pe_encoding = lambda places: encode(places.double())
    return built


def gradients(name):
    torch.manual_seed(100)
    built = doubled(model(name))
    chosen = trained(built, name in WHOLE)
    tensors = data(built, 1, 2 if name in WHOLE else 1, 3, name in BOXED)
    boxes = tensors["boxes"][0].double() if name in BOXED else None
    logits = built(tensors["images"][0].double(), boxes)["low_res_logits"]
    loss = losses(logits, tensors["labels"][0])
    loss[0].backward()
    for key, value in zip(("loss", "loss_ce", "loss_dice"), loss):
        tensors[key] = value.detach().float()
    for key, parameter in chosen:
        if parameter.grad is not None:
            tensors[f"gradient.{key}"] = parameter.grad.float().contiguous()
    save_file(tensors, TARGET / f"{name}.gradients.safetensors")


def rate(step, base, warmup, exponent, total):
    if step <= warmup:
        return base * max(step, 1) / warmup
    return base * (1 - (step - 1 - warmup) / total) ** exponent


def trajectory(name, steps=20, batches=3, warmup=5, base=2e-3):
    """Twenty steps of AdamW on three batches in turn, without dropout."""
    torch.manual_seed(200)
    built = model(name)
    chosen = trained(built)
    tensors = data(built, batches, 1, 3, name in BOXED)
    optimiser = torch.optim.AdamW([parameter for _, parameter in chosen], lr=base,
                                  betas=(0.9, 0.999), weight_decay=0.1, foreach=False)
    log = []
    for step in range(steps):
        lr = rate(step, base, warmup, 7, steps)
        for group in optimiser.param_groups:
            group["lr"] = lr
        index = step % batches
        boxes = tensors["boxes"][index] if name in BOXED else None
        loss = losses(built(tensors["images"][index], boxes)["low_res_logits"],
                      tensors["labels"][index])
        optimiser.zero_grad()
        loss[0].backward()
        norm = sum(p.grad.double().square().sum() for _, p in chosen if p.grad is not None).sqrt()
        optimiser.step()
        log.append([value.item() for value in loss] + [lr, norm.item()])
    tensors["log"] = torch.tensor(log, dtype=torch.float64)
    for key, parameter in chosen:
        tensors[f"final.{key}"] = parameter.detach().contiguous()
    save_file(tensors, TARGET / f"{name}.trajectory.safetensors")


def batches(name, count=2):
    """Batches without an answer, for trainings that are compared with each other."""
    torch.manual_seed(400)
    save_file(data(model(name), count, 1, 1, False), TARGET / f"{name}.batches.safetensors")


OPERATIONS = {
    "linear": (dict(x=(2, 33, 17), weight=(21, 17), bias=(21,)),
               lambda x, weight, bias: F.linear(x, weight, bias)),
    "linear-relu": (dict(x=(2, 33, 17), weight=(21, 17), bias=(21,)),
                    lambda x, weight, bias: F.relu(F.linear(x, weight, bias))),
    "linear-gelu": (dict(x=(2, 33, 17), weight=(21, 17), bias=(21,)),
                    lambda x, weight, bias: F.gelu(F.linear(x, weight, bias))),
    "gelu": (dict(x=(5, 33)), F.gelu),
    "layer-norm": (dict(x=(70, 33), gain=(33,), bias=(33,)),
                   lambda x, gain, bias: F.layer_norm(x, (33,), gain, bias, 1e-6)),
    "attention": (dict(q=(2, 5, 24), k=(2, 19, 24), v=(2, 19, 24)), lambda q, k, v: heads(q, k, v, 3)),
    "depth-convolution": (
        dict(x=(6, 10, 7), weight=(9, 7, 3, 1, 1), bias=(9,)),
        lambda x, weight, bias: F.conv3d(
            x.reshape(2, 3, 10, 1, 7).permute(0, 4, 1, 2, 3), weight, bias,
            padding=(1, 0, 0)).permute(0, 2, 3, 4, 1).reshape(6, 10, 9)),
    "convolution": (
        dict(x=(2, 5, 6, 3), weight=(4, 3, 3, 3), bias=(4,)),
        lambda x, weight, bias: F.conv2d(x.permute(0, 3, 1, 2), weight, bias,
                                         padding=1).permute(0, 2, 3, 1)),
    "up-convolution": (
        dict(x=(2, 5, 3, 6), weight=(6, 4, 2, 2), bias=(4,)),
        lambda x, weight, bias: F.conv_transpose2d(x.permute(0, 3, 1, 2), weight, bias,
                                                   stride=2).permute(0, 2, 3, 1)),
    "resize": (dict(x=(2, 3, 5, 4)),
               lambda x: F.interpolate(x.permute(0, 3, 1, 2), (7, 9), mode="bilinear",
                                       align_corners=False).permute(0, 2, 3, 1)),
    "products": (dict(x=(3, 4, 8), y=(3, 50, 8)), lambda x, y: x @ y.transpose(1, 2)),
    "broadcast-add": (dict(x=(3, 4, 8), y=(4, 8)), lambda x, y: x + y),
    "window-attention": (dict(x=(2, 5, 5, 36), bias=(36,), vertical=(5, 6), horizontal=(5, 6)),
                         lambda x, bias, vertical, horizontal: grid(x, bias, vertical,
                                                                    horizontal, 2, 3)),
    "global-attention": (dict(x=(2, 5, 5, 36), vertical=(9, 6), horizontal=(9, 6)),
                         lambda x, vertical, horizontal: grid(x, None, vertical, horizontal, 2, 5)),
}


def heads(q, k, v, count):
    split = [t.unflatten(-1, (count, -1)).transpose(1, 2) for t in (q, k, v)]
    return F.scaled_dot_product_attention(*split).transpose(1, 2).flatten(2)


def grid(projected, bias, vertical, horizontal, count, window):
    """Attention in windows of projected tokens; beyond the edges stands the bias."""
    images, side, width = projected.shape[0], projected.shape[1], projected.shape[3] // 3
    padded = -(-side // window) * window
    if bias is not None:
        whole = bias.expand(images, padded, padded, -1).clone()
        whole[:, :side, :side] = projected
        projected = whole
    across = padded // window
    parts = projected.reshape(images, across, window, across, window, 3, count, width // count)
    q, k, v = parts.permute(5, 0, 1, 3, 6, 2, 4, 7).flatten(5, 6)
    scores = q @ k.transpose(-1, -2) * (width // count) ** -0.5
    places = torch.arange(window)
    difference = places[:, None] - places[None] + window - 1
    square = q.unflatten(-2, (window, window))
    up = torch.einsum("...yxc,ykc->...yxk", square, vertical[difference])
    side_on = torch.einsum("...yxc,xkc->...yxk", square, horizontal[difference])
    scores = scores + (up[..., None] + side_on[..., None, :]).flatten(-4, -3).flatten(-2)
    mixed = (scores.softmax(-1) @ v).unflatten(-2, (window, window))
    mixed = mixed.permute(0, 1, 4, 2, 5, 3, 6).reshape(images, padded, padded, width)
    return mixed[:, :side, :side]


def operations():
    torch.manual_seed(300)
    tensors = {}
    for name, (shapes, function) in OPERATIONS.items():
        inputs = {key: torch.randn(shape) for key, shape in shapes.items()}
        leaves = {key: value.double().requires_grad_() for key, value in inputs.items()}
        output = function(**leaves)
        upstream = torch.randn(output.shape)
        output.backward(upstream.double())
        for key, value in inputs.items():
            tensors[f"{name}.{key}"] = value
            tensors[f"{name}.{key}.gradient"] = leaves[key].grad.float().contiguous()
        tensors[f"{name}.output"] = output.detach().float().contiguous()
        tensors[f"{name}.output.gradient"] = upstream
    save_file(tensors, TARGET / "operations.safetensors")


def main():
    TARGET.mkdir(parents=True, exist_ok=True)
    operations()
    for name in MODELS:
        gradients(name)
    for name in ("masam-tt", "masam-tk"):
        trajectory(name)
    batches("masam-some-blocks")


if __name__ == "__main__":
    main()
