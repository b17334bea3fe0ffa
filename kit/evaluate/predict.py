"""A network asked as a protocol says: whole images or windows, mirrored or not, at one scale or several."""

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
    """Logits of whole images, padded on the right and below to what the network takes and cut again.

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
    """A network, asked as `cfg` says. It goes by the weights that `net` has when this is made.

    Where an image is shown many times, a copy of the network does the work, with batch norm folded into convolutions
    and, on a CPU, channels innermost: the same up to rounding.

    Args:
        net: put into eval mode, where it stays; used on the device it is on.
        cfg: the protocol.
    """

    def __init__(self, net: nn.Module, cfg: EvalConfig = WHOLE):
        self.cfg, self.plain = cfg, is_plain(cfg)
        net.eval()  # also drops what TinyViT remembers of its position biases, which an average has changed since
        self.net = fast_copy(net) if cfg.mode == "slide" and isinstance(net, Segmenter) else net
        self.device = next(net.parameters()).device
        self.windows = cfg.windows or (1 if self.device.type == "cpu" else 8)

    @torch.no_grad()
    def scores(self, images: Tensor, size: tuple[int, int]) -> Tensor:
        """Float32 (B, C, *size), whose largest is the prediction: logits where nothing is averaged, else what the
        protocol combines.

        Args:
            images: float32 (B, 3, H, W) in 0..1.
            size: (height, width) at which the result is wanted.
        """
        if self.plain:
            return self._logits(images, size)
        shown = [(s, flip) for s in self.cfg.scales for flip in ((False, True) if self.cfg.flip else (False,))]
        total = None
        for scale, flip in shown:
            part = self._asked(_scaled(images, scale), flip, size)
            total = part if total is None else total.add_(part)
        return total if len(shown) == 1 else total / len(shown)

    @torch.no_grad()
    def probabilities(self, images: Tensor, size: tuple[int, int]) -> Tensor:
        """Float32 (B, C, *size), summing to 1 over classes."""
        scores = self.scores(images, size)
        return scores.softmax(1) if self.plain or self.cfg.combine == "logits" else scores

    def _asked(self, images: Tensor, flip: bool, size: tuple[int, int]) -> Tensor:
        """Scores of images at one scale, mirrored or not, at the size that is wanted."""
        cfg, images = self.cfg, images.flip(-1) if flip else images
        if cfg.mode == "whole":
            values = self._combined(self._logits(images, size))
        else:
            values = sliding_scores(self._window, images, cfg.window, stride_of(cfg), self.windows, cfg.pad)
            values = values if values.shape[-2:] == tuple(size) else resize(values, size)
        return values.flip(-1) if flip else values

    def _window(self, windows: Tensor) -> Tensor:
        return self._combined(self._logits(windows))

    def _combined(self, logits: Tensor) -> Tensor:
        """What is averaged."""
        return logits if self.cfg.combine == "logits" else logits.softmax(1)

    def _logits(self, images: Tensor, size: tuple[int, int] | None = None) -> Tensor:
        """`predict_logits` in the protocol's precision, whatever autocast says outside."""
        one_size = self.cfg.mode == "slide"
        with gpu_settings(self.device, one_size), autocast(self.cfg.precision, self.device):
            return predict_logits(self.net, images, size)


def fast_copy(net: Segmenter) -> nn.Module:
    """A copy of a network that answers the same up to rounding, faster, and can only be asked in eval mode."""
    example = net.example()
    folded = fold_batch_norm(copy.deepcopy(net).eval(), example).requires_grad_(False)
    return _ChannelsInnermost(folded) if example.device.type == "cpu" else folded


class _ChannelsInnermost(nn.Module):
    """A network that is handed images with the channels innermost, and keeps its filters so."""

    def __init__(self, net: Segmenter):
        super().__init__()
        self.net, self.multiple = net.to(memory_format=torch.channels_last), net.multiple

    def forward(self, images: Tensor):
        return self.net(images.contiguous(memory_format=torch.channels_last))


def _scaled(images: Tensor, scale: float) -> Tensor:
    if scale == 1:
        return images
    return resize(images, tuple(max(1, round(side * scale)) for side in images.shape[-2:]))
