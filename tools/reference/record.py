#!/usr/bin/env python3
"""Records what your own PyTorch model computes, for `wt verify MODEL --golden FILE`.

As a command:

    python tools/reference/record.py my_model.py -o golden.safetensors --size 512 --slices 5

my_model.py defines `build()`, which gives the module with its weights loaded, and, unless the module
takes stacks [B, N, 3, H, W] by itself, `run(model, stacks)`, which calls it. From Python:

    from record import record
    record(model, stacks, "golden.safetensors", run=lambda model, stacks: model(stacks[0], 512))

Any module of SAM's form will do, wrapped or not: the image encoder is found by the name
`image_encoder`, its blocks by `blocks.0`, `blocks.1` and so on, the decoder by `mask_decoder`.
"""

import argparse
import importlib.util
import re
import sys

import torch
from safetensors.torch import load_file, save_file

BLOCK = re.compile(r"(?:^|\.)blocks\.(\d+)$")


def record(model, stacks, path, boxes=None, run=None):
    """Runs the model once and writes its input, every block's output, and its outputs.

    stacks: [B, N, 3, H, W], as the model takes it; what is written is what reaches the image encoder,
    whatever the model does before. boxes: [B*N, 4] in pixels of that, if `run` prompts with them.
    Returns the names written.
    """
    tensors = {} if boxes is None else {"boxes": boxes.float()}
    with Recorder(model) as recorder, torch.no_grad():
        model.eval()
        (run or (lambda model, stacks: model(stacks)))(model, stacks)
    missing = {"image_embeddings", "low_res_logits"} - set(recorder.tensors)
    if missing:
        raise SystemExit(f"the run did not pass through what gives {', '.join(sorted(missing))}")
    tensors.update(recorder.tensors)
    tensors["input"] = as_stacks(tensors["input"], stacks)
    save_file({name: value.detach().cpu().float().contiguous() for name, value in tensors.items()},
              path)
    return sorted(tensors)


def as_stacks(images, stacks):
    """The images that the encoder saw, [B*N, 3, H, W] or already stacked, as [B, N, 3, H, W]."""
    images = images.reshape(-1, *images.shape[-3:])
    if len(images) != stacks.shape[0] * stacks.shape[1]:
        raise SystemExit(f"the encoder saw {len(images)} images of {stacks.shape[0]} stacks of "
                         f"{stacks.shape[1]}: call it once for each")
    return images.reshape(*stacks.shape[:2], *images.shape[1:])


class Recorder:
    """Keeps what the encoder, its blocks and the decoder give while it is open."""

    def __init__(self, model):
        self.model, self.tensors, self.undo = model, {}, []

    def __enter__(self):
        encoder_name, encoder = self.find("image_encoder")
        _, decoder = self.find("mask_decoder")
        self.hook(encoder, "image_embeddings")
        self.undo.append(encoder.register_forward_pre_hook(
            lambda _module, inputs: self.keep("input", inputs[0])).remove)
        blocks = [(BLOCK.search(name), module) for name, module in encoder.named_modules()]
        for match, module in blocks:
            if match:
                self.hook(module, f"trace.blocks.{match[1]}")
        if not any(match for match, _ in blocks):
            raise SystemExit(f"{encoder_name} has no blocks.0, blocks.1 and so on")
        self.watch_decoder(decoder)
        return self

    def __exit__(self, *_):
        for undo in reversed(self.undo):
            undo()

    def find(self, name):
        found = [(path, module) for path, module in self.model.named_modules()
                 if path.split(".")[-1] == name]
        if not found:
            raise SystemExit(f"the model has no module called {name}")
        return found[0]

    def hook(self, module, name):
        def keep(_module, _inputs, output):
            self.keep(name, output)

        self.undo.append(module.register_forward_hook(keep).remove)

    def watch_decoder(self, decoder):
        """All mask tokens, which SAM's decoder cuts down after `predict_masks`."""
        if not hasattr(decoder, "predict_masks"):
            def keep(_module, _inputs, output):
                self.keep_masks(output)

            self.undo.append(decoder.register_forward_hook(keep).remove)
            return
        original = decoder.predict_masks

        def predict_masks(*arguments, **named):
            output = original(*arguments, **named)
            self.keep_masks(output)
            return output

        decoder.predict_masks = predict_masks
        self.undo.append(lambda: delattr(decoder, "predict_masks"))

    def keep(self, name, value):
        """What is called once an image gives its tensors in pieces."""
        kept = self.tensors.get(name)
        self.tensors[name] = value if kept is None else torch.cat((kept, value))

    def keep_masks(self, output):
        for name, value in zip(("low_res_logits", "iou_predictions"), output):
            self.keep(name, value)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("module", help="a Python file with build() and perhaps run()")
    parser.add_argument("-o", "--output", required=True)
    parser.add_argument("--input", help="a safetensors file with 'input'; random numbers otherwise")
    parser.add_argument("--size", type=int, default=512, help="pixels a side of a random input")
    parser.add_argument("--slices", type=int, default=5)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    spec = importlib.util.spec_from_file_location("recorded_model", arguments.module)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    torch.manual_seed(arguments.seed)
    stacks = (load_file(arguments.input)["input"] if arguments.input else
              torch.rand(arguments.batch, arguments.slices, 3, arguments.size, arguments.size))
    names = record(module.build(), stacks, arguments.output, run=getattr(module, "run", None))
    print(f"{arguments.output}: {', '.join(names)}")


if __name__ == "__main__":
    sys.exit(main())
