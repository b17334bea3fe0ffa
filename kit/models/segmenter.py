"""Encoder, decoder and classifier as one network."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kit.errors import KitError
from kit.models.encoders.timm_encoder import Encoder, Features
from kit.models.layers.upsampling import resize, shifted_resize
from kit.system.precision import at_least_float32
from kit.types import SegOutput

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Mean and standard deviation of ImageNet, red, green, blue, for images in 0..1."""


class Segmenter(nn.Module):
    """Maps images to logits at their own size; `SegOutput` in train and eval mode.

    Images are RGB in 0..1. The network applies the normalisation of its encoder's pretraining, so that networks with
    different normalisations can share a batch, and an exported graph needs no outside constants. Mean and standard
    deviation are saved with the weights unless they are ImageNet's; weights saved without them assume ImageNet's.

    Args:
        encoder: see `kit.models.encoders.timm_encoder.Encoder`.
        decoder: maps four maps to one; has `.out_channels`.
        num_classes: C.
        dropout: share of channels of the decoder's map dropped before the classifier.
        input_scale: factor by which images are resized before the encoder, to the nearest size it takes; None
            keeps their size.
        classifier: its initial weights, "torch" (torch's default: uniform in +- 1 / sqrt(channels)) or "kaiming"
            (normal of variance 2 / channels, MGD's authors'); the bias is torch's.
        cell: logits are interpolated once per square of `cell` x `cell` pixels, which all get the same logits; 1 is
            every pixel. Larger cells are faster.
    """

    def __init__(self, encoder: Encoder, decoder: nn.Module, num_classes: int, dropout: float = 0.1,
                 input_scale: float | None = None, classifier: str = "torch", cell: int = 1):  # fmt: skip
        super().__init__()
        self.encoder, self.decoder, self.input_scale, self.cell = encoder, decoder, input_scale, cell
        self.dropout = nn.Dropout2d(dropout)
        self.classify = nn.Conv2d(decoder.out_channels, num_classes, 1)
        if classifier == "kaiming":
            nn.init.kaiming_normal_(self.classify.weight, nonlinearity="relu")
        self.num_classes = num_classes
        saved = encoder.normalisation != IMAGENET
        for name, values in zip(("mean", "std"), encoder.normalisation, strict=True):
            self.register_buffer(name, torch.tensor(values)[:, None, None], persistent=saved)
        if saved:
            self.register_load_state_dict_pre_hook(_imagenet_if_missing)

    @property
    def multiple(self) -> int:
        """Both sides of an image must be multiples of this; 1 for a network that resizes its images itself."""
        return 1 if self.input_scale else self.encoder.multiple

    def example(self) -> Tensor:
        """An image of zeros that the network takes, (1, 3, h, w), on its device."""
        side = 2 * self.encoder.multiple
        return next(self.parameters()).new_zeros(1, 3, side, side)

    def check_size(self, height: int, width: int) -> None:
        """Raise KitError unless the network takes images of this size."""
        m, rests = self.multiple, (0, 1) if self.encoder.one_more else (0,)
        if height < 1 or width < 1 or height % m not in rests or width % m not in rests:
            near = " x ".join(str(max(m, math.ceil(side / m) * m)) for side in (height, width))
            raise KitError(
                f"{height} x {width} does not fit the encoder: sides must be multiples of {m}; try {near}, or let the "
                "network resize its images (its setting input_scale)"
            )

    def encode(self, images: Tensor, scores: bool | str = False) -> Features:
        """(B, 3, H, W) in 0..1 -> maps and, on request, attention scores, which have no gradient with
        scores="detached"."""
        self.check_size(*images.shape[-2:])
        images = (images - self.mean) / self.std
        if self.input_scale:
            m = self.encoder.multiple
            images = resize(images, tuple(max(1, round(n * self.input_scale / m)) * m for n in images.shape[-2:]))
        maps, table = self.encoder(images, bool(scores))
        return Features(maps, table.detach() if scores == "detached" else table)

    def decode(self, maps: list[Tensor], size: tuple[int, int]) -> Tensor:
        """Maps -> logits (B, C, *size)."""
        return self.predict(self.decoder(maps), size)

    def predict(self, features: Tensor, size: tuple[int, int]) -> Tensor:
        """The decoder's map (B, F, h, w) -> logits (B, C, *size).

        Logits are contiguous class by class, whatever memory format the network uses: this is fastest for resizing,
        softmax and losses over a few classes. They are resized in float32, which losses need and which is faster on a
        CPU.
        """
        logits = at_least_float32(self.classify(self.dropout(features)).contiguous())
        if self.cell == 1:
            return resize(logits, size)
        return of_cells(resize(logits, cells(size, self.cell)), size, self.cell)

    def predict_mean(self, features: Tensor, size: tuple[int, int], valid: Tensor | None = None) -> Tensor:
        """`predict(features, size)` averaged over each image, (B, C), at the cost of a sum over the decoder's map.

        Resizing and classifier are linear, so the mean of all logits is the classifier's output for a weighted mean of
        the map. The weight of a position is its share in the resized values of the counted pixels.

        Args:
            features: the decoder's map (B, F, h, w).
            size: (H, W) of the image.
            valid: bool (B, H, W), the pixels that count; None counts all. If none counts, the mean is the bias.
        """
        with torch.autocast(features.device.type, enabled=False):  # autocast would compute the means in half precision
            features = self.dropout(features.to(self.classify.weight.dtype))
            rows, columns = (
                shifted_resize(n, to, 1, features.device, features.dtype)[..., 0].repeat_interleave(self.cell, 0)[:side]
                for n, to, side in zip(features.shape[-2:], cells(size, self.cell), size, strict=True)
            )  # (H, h), (W, w)
            if valid is None:
                weight = torch.outer(rows.mean(0), columns.mean(0)).expand(len(features), -1, -1)
            else:
                counted = valid.to(features.dtype)
                weight = rows.T @ counted @ columns / counted.sum((1, 2), keepdim=True).clamp(min=1)  # (B, h, w)
            mean = torch.einsum("bfhw,bhw->bf", features, weight)
            return self.classify(mean[..., None, None]).flatten(1)

    def forward(self, images: Tensor, scores: bool | str = False) -> SegOutput:
        """(B, 3, H, W) in 0..1 -> `SegOutput`. Raises KitError if H or W is not a multiple of `multiple`."""
        maps, table = self.encode(images, scores)
        features = self.decoder(maps)
        return SegOutput(self.predict(features, images.shape[-2:]), maps, table, features)


def cells(size: tuple[int, int], cell: int) -> tuple[int, int]:
    """Numbers of rows and columns of squares with `cell` pixels per side that cover an image of `size`."""
    return tuple(-(-side // cell) for side in size)


def of_cells(values: Tensor, size: tuple[int, int], cell: int) -> Tensor:
    """Expand values per square (B, C, h, w) to every pixel, (B, C, *size)."""
    wide = F.interpolate(values, scale_factor=float(cell), mode="nearest")
    return wide[..., : size[0], : size[1]]


def _imagenet_if_missing(net: Segmenter, state: dict[str, Tensor], prefix: str, *_) -> None:
    """Add ImageNet's normalisation to weights saved without one, as older versions did, before they are loaded."""
    for name, values in zip(("mean", "std"), IMAGENET, strict=True):
        state.setdefault(prefix + name, torch.tensor(values)[:, None, None])
