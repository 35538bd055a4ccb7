#!/usr/bin/env python3
"""Records losses, their gradients and optimisers' steps of PyTorch, for the tests of training.

Writes Tests/Fixtures/training/loss.safetensors and optimiser-NAME.safetensors.
"""

from pathlib import Path

import torch
from safetensors.torch import save_file

TARGET = Path(__file__).resolve().parents[2] / "Tests/Fixtures/training"
STEPS = 10


def dice(logits, labels):
    """1 - soft Dice with squared denominators: the mean over classes of sums over the batch."""
    classes = logits.shape[1]
    probabilities = torch.softmax(logits, 1)
    total = 0
    for index in range(classes):
        p, t = probabilities[:, index], (labels == index).to(logits.dtype)
        total = total + 1 - (2 * (p * t).sum() + 1e-5) / ((p * p).sum() + (t * t).sum() + 1e-5)
    return total / classes


def losses():
    torch.manual_seed(7)
    tensors = {}
    cases = {
        "two-images": ((2, 3, 7, 9), (0.2, 0.8), 0.0),
        "many-classes": ((1, 13, 24, 20), (0.2, 0.8), 0.0),
        "ignored": ((3, 4, 11, 30), (0.5, 0.5), 0.3),
        "dice-alone": ((2, 5, 8, 40), (0.0, 1.0), 0.0),
        "entropy-alone": ((2, 2, 17, 17), (1.0, 0.0), 0.1),
    }
    for name, (shape, (alpha, beta), ignored) in cases.items():
        logits = (torch.randn(shape) * 3).requires_grad_()
        # The last class occurs nowhere.
        labels = torch.randint(0, max(shape[1] - 1, 1), (shape[0],) + shape[2:])
        labels[torch.rand(labels.shape) < ignored] = -100
        entropy = torch.nn.functional.cross_entropy(logits, labels, ignore_index=-100)
        overlap = dice(logits, labels)
        loss = alpha * entropy + beta * overlap
        loss.backward()
        tensors |= {
            f"{name}.logits": logits.detach(), f"{name}.labels": labels.to(torch.int16),
            f"{name}.gradient": logits.grad, f"{name}.weights": torch.tensor([alpha, beta]),
            f"{name}.values": torch.stack([loss, entropy, overlap]).detach()}
    labels = torch.randint(0, 5, (2, 12, 15))
    for height, width in ((3, 5), (7, 4), (24, 31)):
        small = torch.nn.functional.interpolate(labels[:, None].float(), (height, width), mode="nearest")
        tensors[f"nearest.{height}x{width}"] = small[:, 0].to(torch.int16)
    tensors["nearest.labels"] = labels.to(torch.int16)
    save_file(tensors, TARGET / "loss.safetensors")


def steps(name, make, clip=None):
    """Parameters after each step, with gradients that are missing now and then."""
    torch.manual_seed(11)
    shapes = {"weight": (9, 5), "bias": (9,), "gain": (1, 3, 2)}
    tensors, parameters = {}, {}
    for key, shape in shapes.items():
        parameters[key] = torch.nn.Parameter(torch.randn(shape))
        tensors[f"{key}.start"] = parameters[key].detach().clone()
    optimiser = make(parameters)
    for step in range(STEPS):
        rate = 1e-2 * (step + 1) / STEPS
        for group in optimiser.param_groups:
            group["lr"] = rate
        for place, (key, parameter) in enumerate(parameters.items()):
            missing = (step + place) % 4 == 2
            parameter.grad = None if missing else torch.randn(parameter.shape) * 10 ** (step % 5 - 3)
            if not missing:
                tensors[f"{key}.gradient.{step}"] = parameter.grad.clone()
        if clip is not None:
            norm = torch.nn.utils.clip_grad_norm_(parameters.values(), clip)
            tensors[f"norm.{step}"] = norm.reshape(1)
        optimiser.step()
        for key, parameter in parameters.items():
            tensors[f"{key}.after.{step}"] = parameter.detach().clone()
    save_file({key: value.contiguous() for key, value in tensors.items()},
              TARGET / f"optimiser-{name}.safetensors")


def main():
    TARGET.mkdir(exist_ok=True)
    losses()
    decay = {"lr": 1e-2, "betas": (0.9, 0.999), "weight_decay": 0.1, "foreach": False}
    steps("adamw", lambda p: torch.optim.AdamW(p.values(), **decay))
    steps("adamw-groups", lambda p: torch.optim.AdamW(
        [{"params": [p["weight"], p["gain"]]}, {"params": [p["bias"]], "weight_decay": 0.0}], **decay))
    steps("adamw-clipped", lambda p: torch.optim.AdamW(p.values(), **decay), clip=0.5)
    plain = {"lr": 1e-2, "momentum": 0.9, "weight_decay": 1e-4, "foreach": False}
    steps("sgd", lambda p: torch.optim.SGD(p.values(), **plain))


if __name__ == "__main__":
    main()
