#!/usr/bin/env python3
"""Times a forward pass of an MA-SAM of real width in `wt` and in PyTorch, on the same weights and input.

Both run in turn, each in a process of its own; judged is the best of the warm repeats. The outputs
must agree, or there is nothing to compare. README.md explains the numbers.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tools/reference"))
MODELS = {"vit_b": (768, 12, 12, (2, 5, 8, 11), 1.22), "vit_h": (1280, 32, 16, (7, 15, 23, 31), 7.7)}
SIZE, SLICES, CLASSES, TOLERANCE = 512, 5, 12, 2e-5
SHARE_OF_EAGER = 0.45


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=MODELS, default="vit_b")
    parser.add_argument("--wt", default=HERE.parent / ".build/release/wt", metavar="PATH")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeat", type=int, default=2, help="passes in each process")
    parser.add_argument("--torch-side", metavar="DIR", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.torch_side:
        return torch_side(arguments)
    with tempfile.TemporaryDirectory(prefix="wt-compare-") as folder:
        return compare(arguments, Path(folder))


def compare(arguments, folder):
    make(arguments.model, folder)
    times, memory = {"PyTorch": [], "wt": []}, {}
    for number in range(arguments.rounds):
        print(f"round {number + 1} of {arguments.rounds}", file=sys.stderr)
        for name, command in commands(arguments, folder).items():
            report = json.loads(subprocess.run(command, check=True, capture_output=True,
                                               text=True).stdout)
            times[name].append(min(report["seconds"]["compute"]))
            memory[name] = max(memory.get(name, 0), report["peak_rss_bytes"])
    difference = largest_difference(folder)
    ratio = median(times["wt"]) / median(times["PyTorch"])
    work = MODELS[arguments.model][4]
    print(f"MA-SAM {arguments.model}, {SLICES} slices at {SIZE}, f32, {os.cpu_count()} CPUs")
    for name, values in times.items():
        print(f"  {name:8} median {median(values):7.2f} s  min {min(values):7.2f}  "
              f"max {max(values):7.2f}  {work * 1000 / median(values):6.0f} GFLOP/s  "
              f"peak RSS {memory[name] / 2**30:.2f} GiB")
    print(f"  wt / PyTorch {ratio:.2f} (limit {SHARE_OF_EAGER}), outputs differ by {difference:.1e} "
          f"of their largest (limit {TOLERANCE:.0e})")
    return 0 if ratio <= SHARE_OF_EAGER and difference <= TOLERANCE else 1


def commands(arguments, folder):
    return {
        "PyTorch": [sys.executable, __file__, "--model", arguments.model, "--repeat",
                    str(arguments.repeat), "--torch-side", str(folder)],
        "wt": [str(arguments.wt), "forward", str(folder / "model.safetensors"),
               str(folder / "input.safetensors"), "-o", str(folder / "wt.safetensors"), "--force",
               "--repeat", str(arguments.repeat), "--json"],
    }


def build(name):
    import torch
    from networks.masam import MASAM
    width, depth, heads, blocks, _ = MODELS[name]
    torch.manual_seed(0)
    return MASAM(
        dict(embed_dim=width, depth=depth, num_heads=heads, img_size=SIZE, patch_size=16, mlp_ratio=4,
             out_chans=256, qkv_bias=True, use_rel_pos=True, window_size=14,
             global_attn_indexes=blocks, kind="tt", rank=32, scale=1.0, channels=384, before=True,
             after=True, norm_layer=lambda width: torch.nn.LayerNorm(width, eps=1e-6)),
        dict(kind="progressive", mask_tokens=CLASSES + 1, mask_channels=16, iou_width=256,
             mlp_width=2048)).eval()


def make(name, folder):
    """In a process of its own, so that PyTorch's memory is not ours."""
    if os.fork() == 0:
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
        os._exit(0)
    if os.wait()[1]:
        raise SystemExit("the model could not be made")


def torch_side(arguments):
    import resource
    import time

    import torch
    from safetensors.torch import load_file, save_file
    folder = Path(arguments.torch_side)
    torch.set_num_threads(os.cpu_count())
    model = build(arguments.model)
    model.load_state_dict(load_file(folder / "model.safetensors"))
    stacks, times = load_file(folder / "input.safetensors")["input"], []
    with torch.no_grad():
        for _ in range(arguments.repeat):
            start = time.perf_counter()
            outputs = model(stacks)
            times.append(time.perf_counter() - start)
    save_file({name: value.contiguous() for name, value in outputs.items()},
              folder / "torch.safetensors")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": {"compute": times}, "peak_rss_bytes": peak}))
    return 0


def largest_difference(folder):
    from safetensors.numpy import load_file
    ours, theirs = load_file(folder / "wt.safetensors"), load_file(folder / "torch.safetensors")
    return max(float(abs(ours[name] - theirs[name]).max() / abs(theirs[name]).max())
               for name in ours)


if __name__ == "__main__":
    sys.exit(main())
