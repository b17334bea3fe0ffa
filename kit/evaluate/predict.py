"""Predictions by a protocol: whole images or windows, mirrored or not, at one scale or several."""

import copy

import torch
from torch import Tensor, nn

from kit.evaluate.protocol import WHOLE, is_plain, stride_of
from kit.evaluate.sliding import pad_images, sliding_scores
from kit.models.layers.fold_norm import fold_batch_norm
from kit.models.layers.upsampling import resize
from kit.models.segmenter import Segmenter
from kit.settings.run import EvalConfig
from kit.system.precision import autocast, gpu_settings


@torch.no_grad()
def predict_logits(net: Segmenter, images: Tensor, size: tuple[int, int] | None = None) -> Tensor:
    """Logits of whole images, padded on the right and below to the network's multiple; the padding is cut off.

    Args:
        net: in eval mode.
        images: float32 (B, 3, H, W) in 0..1, any size.
        size: (height, width) of the result; None is (H, W).
    Returns: float32 (B, C, *size).
    """
    h, w = images.shape[-2:]
    logits = net(pad_to_multiple(images, net.multiple)).logits[..., :h, :w].float()
    return logits if size in (None, (h, w)) else resize(logits, size)


def pad_to_multiple(images: Tensor, multiple: int) -> Tensor:
    """Images (B, 3, H, W) in 0..1 with padding on the right and below, up to the next multiple."""
    h, w = images.shape[-2:]
    return pad_images(images, h + -h % multiple, w + -w % multiple)


class Predictor:
    """Predictions of a network by the protocol `cfg`, with the weights that `net` has when this is created.

    For windows, a copy of the network is used with batch norm folded into convolutions and, on a CPU, channels last:
    equal up to rounding.

    Args:
        net: put in eval mode, where it stays; used on its device.
        cfg: the protocol.
    """

    def __init__(self, net: nn.Module, cfg: EvalConfig = WHOLE):
        self.cfg, self.plain = cfg, is_plain(cfg)
        net.eval()  # also clears TinyViT's cached position biases, which an average may have changed
        self.net = fast_copy(net) if cfg.mode == "slide" and isinstance(net, Segmenter) else net
        self.device = next(net.parameters()).device
        self.windows = cfg.windows or (1 if self.device.type == "cpu" else 8)

    @torch.no_grad()
    def scores(self, images: Tensor, size: tuple[int, int]) -> Tensor:
        """Float32 (B, C, *size), with the predicted class at the maximum: logits if nothing is averaged, else the
        averaged logits or probabilities.

        Args:
            images: float32 (B, 3, H, W) in 0..1.
            size: (height, width) of the result.
        """
        if self.plain:
            return self._logits(images, size)
        shown = [(s, flip) for s in self.cfg.scales for flip in ((False, True) if self.cfg.flip else (False,))]
        total = None
        for scale, flip in shown:
            part = self._at_scale(_scaled(images, scale), flip, size)
            total = part if total is None else total.add_(part)
        return total if len(shown) == 1 else total / len(shown)

    @torch.no_grad()
    def probabilities(self, images: Tensor, size: tuple[int, int]) -> Tensor:
        """Float32 (B, C, *size), summing to 1 over classes."""
        scores = self.scores(images, size)
        return scores.softmax(1) if self.plain or self.cfg.combine == "logits" else scores

    def _at_scale(self, images: Tensor, flip: bool, size: tuple[int, int]) -> Tensor:
        """Scores of images at one scale, mirrored or not, resized to `size`."""
        cfg, images = self.cfg, images.flip(-1) if flip else images
        if cfg.mode == "whole":
            values = self._combined(images, size)
        else:
            values = sliding_scores(self._combined, images, cfg.window, stride_of(cfg), self.windows, cfg.pad)
            values = values if values.shape[-2:] == tuple(size) else resize(values, size)
        return values.flip(-1) if flip else values

    def _combined(self, images: Tensor, size: tuple[int, int] | None = None) -> Tensor:
        """Logits or probabilities: what the protocol averages."""
        logits = self._logits(images, size)
        return logits if self.cfg.combine == "logits" else logits.softmax(1)

    def _logits(self, images: Tensor, size: tuple[int, int] | None = None) -> Tensor:
        """`predict_logits` in the protocol's precision, independent of an outer autocast."""
        one_size = self.cfg.mode == "slide"
        with gpu_settings(self.device, one_size), autocast(self.cfg.precision, self.device):
            return predict_logits(self.net, images, size)


def fast_copy(net: Segmenter) -> nn.Module:
    """A faster copy of a network for eval mode, with outputs equal up to rounding."""
    example = net.example()
    folded = fold_batch_norm(copy.deepcopy(net).eval(), example).requires_grad_(False)
    return _ChannelsLast(folded) if example.device.type == "cpu" else folded


class _ChannelsLast(nn.Module):
    """A network with images and filters in channels-last memory format."""

    def __init__(self, net: Segmenter):
        super().__init__()
        self.net, self.multiple = net.to(memory_format=torch.channels_last), net.multiple

    def forward(self, images: Tensor):
        return self.net(images.contiguous(memory_format=torch.channels_last))


def _scaled(images: Tensor, scale: float) -> Tensor:
    if scale == 1:
        return images
    return resize(images, tuple(max(1, round(side * scale)) for side in images.shape[-2:]))
