"""Plain reference of TriKD's step: the same networks, with plain forwards in place of the fast ones.

Every attention block computes its whole table; the frequency split uses complex Fourier transforms of shifted spectra
and filters both bands; maps are enlarged and concatenated before a convolution; labelled and unlabelled images take
separate passes; every loss term computes its own softmax; OHEM computes probabilities of all classes and sorts all
pixels; the KL uses whole tables. Memory layout is PyTorch's default.
"""

from types import MethodType

import torch
import torch.nn.functional as F
from timm.layers.attention import Attention as ViTAttention
from timm.models.tiny_vit import Attention as TinyViTAttention
from timm.models.tiny_vit import TinyVitBlock
from torch import Tensor, nn

from kit.methods.trikd import TriKD
from kit.models.decoders.frequency import FrequencySelect
from kit.models.encoders.timm_encoder import Features, TinyViTEncoder
from kit.models.encoders.vit import ViTEncoder
from kit.models.layers.upsampling import ConvOfMaps, resize
from kit.system.precision import at_least_float32
from kit.types import IGNORE, Batch


def plain(net: nn.Module) -> nn.Module:
    """Replace the forwards of modules of `net` by those below, in place, and return `net`; its weights stay."""
    for module in net.modules():
        if type(module) in FORWARDS:
            module.forward = MethodType(FORWARDS[type(module)], module)
    return net


def _conv_of_maps(self: ConvOfMaps, maps: list[Tensor], size: tuple[int, int]) -> Tensor:
    return F.conv2d(torch.cat([resize(x, size) for x in maps], 1), self.weight, padding=self.padding)


def fourier_descriptor(x: Tensor, band: str, radius: tuple[float, float], official: bool) -> Tensor:
    """Mean magnitude of one band of every channel, (B, C, 1, 1). Each call computes the filter, shifts the spectrum on
    all axes, filters both bands and transforms one back."""
    x = at_least_float32(x)  # half-precision transforms take few sizes
    h, w = x.shape[-2:]
    centre = ((h - 1) // 2, (w - 1) // 2) if official else (h // 2, w // 2)
    v, u = (torch.arange(n, dtype=x.dtype, device=x.device) - at for n, at in zip((h, w), centre, strict=True))
    gaussian = torch.exp(-(v[:, None] / radius[0]).square() / 2 - (u / radius[1]).square() / 2)
    spectrum = torch.fft.fftshift(torch.fft.fft2(x))
    bands = {"low": spectrum * gaussian, "high": spectrum * (1 - gaussian)}
    return torch.fft.ifft2(torch.fft.ifftshift(bands[band])).abs().mean((2, 3), keepdim=True)


def _frequency_select(self: FrequencySelect, x: Tensor) -> Tensor:
    pooled = fourier_descriptor(x, self.band, self.radius(*x.shape[-2:]), self.official)
    attention = self.attend(pooled).sigmoid()
    return self.project(x + x * attention)


def _attend(self: nn.Module, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None = None) -> Tensor:
    """Attention with a whole table of scores, which stays in `self.table` until `_pop_table` removes it."""
    self.table = (q @ k.transpose(-2, -1)) * self.scale
    if bias is not None:
        self.table = self.table + bias
    return self.proj((self.table.softmax(-1) @ v).transpose(1, 2).flatten(2))


def _vit_attention(self: ViTAttention, x: Tensor, *_, **__) -> Tensor:
    return _attend(self, *self.qkv(x).unflatten(-1, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4))


def _tinyvit_attention(self: TinyViTAttention, x: Tensor) -> Tensor:
    return _attend(self, *_tinyvit_qkv(self, x), self.attention_biases[:, self.attention_bias_idxs])


def _tinyvit_qkv(self: TinyViTAttention, x: Tensor) -> list[Tensor]:
    qkv = self.qkv(self.norm(x)).unflatten(-1, (self.num_heads, -1))
    return [part.transpose(1, 2) for part in qkv.split([self.key_dim, self.key_dim, self.val_dim], -1)]


def _pop_table(encoder: nn.Module) -> Tensor:
    """Scores of the last block; removes the tables of all blocks."""
    tables = [module.__dict__.pop("table") for module in encoder.modules() if "table" in module.__dict__]
    return tables[-1]


def _vit_encoder(self: ViTEncoder, images: Tensor, scores: bool = False) -> Features:
    x = self.patch_embed(images)
    grid = x.shape[1:3]
    positions = self.pos_embed
    if tuple(grid) != tuple(self.grid):
        positions = resize(positions.transpose(1, 2).unflatten(2, self.grid), grid).flatten(2).transpose(1, 2)
    x, taken = self.norm_pre(x.flatten(1, 2) + positions), []
    for i, block in enumerate(self.blocks):
        x = block(x)
        if i in self._taken:
            taken.append(x.transpose(1, 2).unflatten(2, grid))
    table = _pop_table(self)
    maps = []
    for x, stride, reduce, smooth in zip(taken, self.strides, self.reduce, self.smooth, strict=True):
        maps.append(smooth([reduce(x)], tuple(round(side / stride) for side in images.shape[-2:])))
    return Features(maps, table.unflatten(3, grid).unflatten(2, grid) if scores else None)


def _tinyvit_encoder(self: TinyViTEncoder, images: Tensor, scores: bool = False) -> Features:
    x, maps = self.patch_embed(images), []
    for stage in self.stages[:-1]:
        x = stage(x)
        maps.append(x)
    last = self.stages[-1]
    x = last.blocks[:-1](last.downsample(x).permute(0, 2, 3, 1))
    block, grid = last.blocks[-1], x.shape[1:3]
    if self._global:
        x = x + _attend(block.attn, *_tinyvit_qkv(block.attn, x.flatten(1, 2))).unflatten(1, grid)
        x = block.local_conv(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        x = x + block.mlp(x)
        table = _pop_table(self)
    else:  # the block itself computes tables of windows only
        q, k, _ = _tinyvit_qkv(block.attn, x.flatten(1, 2))
        table = (q @ k.transpose(-2, -1)) * block.attn.scale
        x = block(x)
        _pop_table(self)
    maps.append(x.permute(0, 3, 1, 2))
    return Features(maps, table.unflatten(3, grid).unflatten(2, grid) if scores else None)


FORWARDS = {
    ConvOfMaps: _conv_of_maps,
    FrequencySelect: _frequency_select,
    ViTAttention: _vit_attention,
    TinyVitBlock: TinyVitBlock.forward,  # timm's own, which pads maps to whole windows
    TinyViTAttention: _tinyvit_attention,
    ViTEncoder: _vit_encoder,
    TinyViTEncoder: _tinyvit_encoder,
}


def sorted_ohem(logits: Tensor, labels: Tensor, threshold: float = 0.7, min_kept: int = 200_000) -> Tensor:
    """OHEM with probabilities of all classes, of which those of the true classes are sorted."""
    wanted = labels.flatten()
    valid = wanted != IGNORE
    table = logits.softmax(1).transpose(0, 1).reshape(logits.shape[1], -1)  # (C, B * H * W)
    if 0 < min_kept <= valid.sum():
        table = table.masked_fill(~valid, 1.0)
        of_true = table[wanted.masked_fill(~valid, 0), torch.arange(len(wanted), device=table.device)]
        kth = of_true[of_true.argsort()[min_kept - 1]]
        valid = valid & (of_true <= max(kth.item(), threshold))
    kept = wanted.masked_fill(~valid, IGNORE).view_as(labels)
    return F.cross_entropy(logits, kept, ignore_index=IGNORE)


def plain_step(method: TriKD, batch: Batch) -> dict[str, Tensor]:
    """The terms of TriKD's loss before weighting; `method` has been through `plain`, and all pixels are valid."""
    cfg = method.cfg
    student, cnn, vit = (
        [net(images, attend) for images in (batch.images, batch.weak)]
        for net, attend in ((method.student, True), (method.cnn, False), (method.vit, True))
    )
    unlabelled = [view[1].logits for view in (student, cnn, vit)]
    labels = [logits.max(1).indices for logits in unlabelled]
    low = torch.cat([method.low(view.maps[0]) for view in student])
    mapped = torch.cat([method.map_heads(view.scores) for view in student])
    tables = torch.cat([view.scores.detach() for view in vit])
    return {
        "sup": sorted_ohem(student[0].logits, batch.masks, cfg.ohem_threshold, cfg.ohem_min_kept),
        "sup_cnn": sorted_ohem(cnn[0].logits, batch.masks, cfg.ohem_threshold, cfg.ohem_min_kept),
        "sup_vit": F.cross_entropy(vit[0].logits, batch.masks, ignore_index=IGNORE),
        "cps": sum(F.cross_entropy(unlabelled[i], labels[j]) for i in range(3) for j in range(3) if i != j),
        "low": F.mse_loss(low, torch.cat([view.maps[0].detach() for view in cnn])),
        "high": plain_kl(mapped, tables, cfg.high_resize, cfg.high_reduction),
    }


def plain_kl(student: Tensor, teacher: Tensor, resize_as: str, reduction: str) -> Tensor:
    """`kit.losses.distill.attention_kl` with every table in full."""
    t = teacher.flatten(4).flatten(2, 3)
    if resize_as == "table":
        s = F.interpolate(student.flatten(4).flatten(2, 3), size=t.shape[-2:], mode="bilinear", align_corners=True)
    else:
        queries, keys = student.shape[2:4], teacher.shape[2:4]
        s = resize(student.flatten(0, 1).flatten(1, 2), keys)  # (B * heads, h * w, H, W)
        s = resize(s.flatten(2).transpose(1, 2).unflatten(2, queries), keys)  # (B * heads, H * W of keys, H, W)
        s = s.flatten(2).transpose(1, 2).reshape(t.shape)
    per_element = F.kl_div(s.log_softmax(-1), t.softmax(-1), reduction="none")
    return per_element.sum(-1).mean() if reduction == "queries" else per_element.mean()
