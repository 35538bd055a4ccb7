"""MA-SAM's parts in PyTorch, written from the paper and from the layout of its checkpoints.

Parameters have the canonical names of `wt`, so a state dict is a model file.
"""

from functools import partial

import torch
from torch import nn
from torch.nn import functional as F

from .segment_anything_package import (
    ImageEncoderViT, LayerNorm2d, MaskDecoder, PromptEncoder, TwoWayTransformer,
    window_partition, window_unpartition)


class Weight(nn.Module):
    """A matrix that is applied as a bias-free linear layer."""

    def __init__(self, rows, columns):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(rows, columns) / columns ** 0.5)

    def forward(self, x):
        return F.linear(x, self.weight)


class SliceMixing(nn.Module):
    """norm, down, 3x1x1 convolution over slices, GELU, up (equation 3 of the paper)."""

    def __init__(self, block, suffix, width, channels):
        super().__init__()
        self.names = {part: f"adapter_{part}{suffix}" for part in ("norm", "linear_down", "conv",
                                                                  "linear_up")}
        setattr(block, self.names["norm"], nn.LayerNorm(width, eps=1e-6))
        setattr(block, self.names["linear_down"], nn.Linear(width, channels, bias=False))
        setattr(block, self.names["conv"],
                nn.Conv3d(channels, channels, (3, 1, 1), padding=(1, 0, 0)))
        setattr(block, self.names["linear_up"], nn.Linear(channels, width, bias=False))

    def forward(self, block, x, slices):
        part = {key: getattr(block, name) for key, name in self.names.items()}
        narrow = part["linear_down"](part["norm"](x))
        images, height, width, channels = narrow.shape
        stack = narrow.reshape(images // slices, slices, height, width, channels)
        mixed = F.gelu(part["conv"](stack.permute(0, 4, 1, 2, 3)))
        return part["linear_up"](mixed.permute(0, 2, 3, 4, 1).reshape(images, height, width,
                                                                      channels))


class Encoder(ImageEncoderViT):
    """SAM's encoder with factors on q and v and adapters around attention."""

    def __init__(self, *, kind="none", rank=4, scale=1.0, factor_blocks=None, channels=0,
                 before=False, after=False, **layout):
        super().__init__(**layout)
        width, depth = layout["embed_dim"], layout["depth"]
        self.kind, self.scale, self.rank = kind, scale, rank
        # Whoever measures memory and looks at none of them says no; skips need some.
        self.keeps_outputs = True
        self.factor_blocks = list(range(depth)) if factor_blocks is None else factor_blocks
        self.mixing = [{} for _ in self.blocks]
        for index, block in enumerate(self.blocks):
            if before:
                self.mixing[index]["before"] = SliceMixing(block, "", width, channels)
            if after:
                self.mixing[index]["after"] = SliceMixing(block, "_2", width, channels)
            if kind != "none" and index in self.factor_blocks:
                # Once and for all, as torch.compile gives up on hooks that come and go.
                block.attn.qkv.register_forward_hook(partial(self.add_updates, index))
                for letter in "qv":
                    if kind == "tt":
                        setattr(block.attn, f"{letter}_FacTs", Weight(rank, rank))
                    if kind == "lora":
                        setattr(block.attn, f"{letter}_lora_a", Weight(rank, width))
                        setattr(block.attn, f"{letter}_lora_b", Weight(width, rank))
        if kind in ("tt", "tk"):
            self.FacTu, self.FacTv = Weight(rank, width), Weight(width, rank)
        if kind == "tk":
            self.FacTc = nn.Parameter(torch.randn(rank, rank, rank) / rank)
            self.FacTp = nn.Parameter(torch.randn(rank, 2 * depth))

    def update(self, x, index, letter):
        """What a block's factors add to q or v."""
        attention = self.blocks[index].attn
        if self.kind == "tt":
            return self.scale * self.FacTv(getattr(attention, f"{letter}_FacTs")(self.FacTu(x)))
        if self.kind == "tk":
            column = self.FacTp[:, 2 * index + (letter == "v")]
            core = torch.einsum("abk,k->ab", self.FacTc, column)
            return self.scale * self.FacTv(self.FacTu(x) @ core)
        return getattr(attention, f"{letter}_lora_b")(getattr(attention, f"{letter}_lora_a")(x))

    def run_block(self, index, x, slices):
        block, mixing = self.blocks[index], self.mixing[index]
        if "before" in mixing:
            x = x + mixing["before"](block, x, slices)
        shortcut, y = x, block.norm1(x)
        if block.window_size > 0:
            height, width = y.shape[1:3]
            y, padded = window_partition(y, block.window_size)
        y = block.attn(y)
        if block.window_size > 0:
            y = window_unpartition(y, block.window_size, padded, (height, width))
        x = shortcut + y
        if "after" in mixing:
            x = x + mixing["after"](block, x, slices)
        return x + block.mlp(block.norm2(x))

    def add_updates(self, index, _module, inputs, output):
        """A hook behind the projection of the package's own attention."""
        q, k, v = output.chunk(3, dim=-1)
        q = q + self.update(inputs[0], index, "q")
        v = v + self.update(inputs[0], index, "v")
        return torch.cat((q, k, v), dim=-1)

    def forward(self, x, slices=1):
        x = self.patch_embed(x) + self.pos_embed
        self.outputs = []
        for index in range(len(self.blocks)):
            x = self.run_block(index, x, slices)
            if self.keeps_outputs:
                self.outputs.append(x)
        return self.neck(x.permute(0, 3, 1, 2))


class Skip(nn.Module):
    """x + gelu(norm(fuse(x, skip))), the skip from one stage of the encoder."""

    def __init__(self, encoder_width, channels):
        super().__init__()
        self.proj = nn.Conv2d(encoder_width, channels, 1, bias=False)
        self.norm = LayerNorm2d(channels)
        self.fuse = nn.Conv2d(2 * channels, channels, 3, padding=1)
        self.fuse_norm = LayerNorm2d(channels)

    def forward(self, x, stage):
        skip = self.norm(self.proj(stage.permute(0, 3, 1, 2)))
        skip = F.interpolate(skip, x.shape[-2:], mode="bilinear", align_corners=False)
        return x + F.gelu(self.fuse_norm(self.fuse(torch.cat((x, skip), dim=1))))


class Decoder(MaskDecoder):
    """The mask decoder with one of the three upscalings; gives all of its mask tokens."""

    def __init__(self, *, kind, encoder_width, mask_tokens, **layout):
        super().__init__(num_multimask_outputs=mask_tokens - 1, **layout)
        width = layout["transformer_dim"]
        self.kind = kind
        if kind == "sam":
            return
        widths = [width, width // 4, width // 8, width // 16, width // 32]
        steps = []
        for index in range(4):
            steps.append(nn.ConvTranspose2d(widths[index], widths[index + 1], 2, stride=2))
            if index < 3:
                steps.append(LayerNorm2d(widths[index + 1]))
            steps.append(nn.GELU())
        self.output_upscaling = nn.Sequential(*steps)
        for network in self.output_hypernetworks_mlps:
            network.layers[2] = nn.Linear(width, widths[4])
        if kind == "multiscale":
            self.skips = nn.ModuleList(Skip(encoder_width, widths[k]) for k in range(4))

    def upscale(self, x, stages):
        if self.kind != "multiscale":
            return self.output_upscaling(x)
        step = 0
        for layer in self.output_upscaling:
            if isinstance(layer, nn.ConvTranspose2d):
                x = self.skips[step](x, stages[len(stages) - 1 - step])
                step += 1
            x = layer(x)
        return x

    def run(self, embeddings, image_pe, sparse, dense, stages):
        """Every image, or prompt, with its own tokens."""
        count = embeddings.shape[0]
        fixed = torch.cat((self.iou_token.weight, self.mask_tokens.weight))
        tokens = torch.cat((fixed.expand(count, -1, -1), sparse), dim=1)
        hidden, image = self.transformer(
            embeddings + dense, image_pe.expand(count, -1, -1, -1), tokens)
        image = image.transpose(1, 2).reshape(embeddings.shape)
        upscaled = self.upscale(image, stages)
        weights = torch.stack([
            network(hidden[:, 1 + index])
            for index, network in enumerate(self.output_hypernetworks_mlps)], dim=1)
        masks = torch.einsum("btc,bchw->bthw", weights, upscaled)
        return masks, self.iou_prediction_head(hidden[:, 0])


class MASAM(nn.Module):
    """The whole model; `layout` says everything that is not in a checkpoint's shapes."""

    def __init__(self, encoder, decoder):
        super().__init__()
        grid, width = encoder["img_size"] // encoder["patch_size"], encoder["out_chans"]
        self.image_encoder = Encoder(**encoder)
        self.prompt_encoder = PromptEncoder(
            embed_dim=width, image_embedding_size=(grid, grid),
            input_image_size=(encoder["img_size"],) * 2, mask_in_chans=decoder["mask_channels"])
        self.mask_decoder = Decoder(
            kind=decoder["kind"], encoder_width=encoder["embed_dim"],
            mask_tokens=decoder["mask_tokens"], transformer_dim=width,
            iou_head_hidden_dim=decoder["iou_width"],
            transformer=TwoWayTransformer(
                depth=2, embedding_dim=width, mlp_dim=decoder["mlp_width"], num_heads=8))

    def stages(self):
        """The outputs that end four stages of the encoder, the earliest first."""
        depth = len(self.image_encoder.outputs)
        if depth == 0:
            return []
        return [self.image_encoder.outputs[-(-(k + 1) * depth // 4) - 1] for k in range(4)]

    def forward(self, stacks, boxes=None):
        """stacks [B, N, 3, H, W], boxes [B*N, 4]; a dictionary of outputs."""
        slices, images = stacks.shape[1], stacks.flatten(0, 1)
        embeddings = self.image_encoder(images, slices)
        sparse, dense = self.prompt_encoder(points=None, boxes=boxes, masks=None)
        if boxes is None:
            sparse = sparse.expand(images.shape[0], -1, -1)
        return self.decode(embeddings, sparse, dense, self.stages())

    def prompt(self, image, points=None, boxes=None, masks=None):
        """One image [1, 3, H, W] with any number of prompts; a dictionary of outputs."""
        embeddings = self.image_encoder(image)
        sparse, dense = self.prompt_encoder(points=points, boxes=boxes, masks=masks)
        count = dense.shape[0]
        return self.decode(embeddings, sparse, dense,
                           [stage.expand(count, -1, -1, -1) for stage in self.stages()], count)

    def decode(self, embeddings, sparse, dense, stages, count=None):
        repeated = embeddings if count is None else embeddings.expand(count, -1, -1, -1)
        masks, quality = self.mask_decoder.run(
            repeated, self.prompt_encoder.get_dense_pe(), sparse, dense, stages)
        outputs = {f"trace.blocks.{index}": output
                   for index, output in enumerate(self.image_encoder.outputs)}
        outputs.update(image_embeddings=embeddings, low_res_logits=masks, iou_predictions=quality)
        return outputs
