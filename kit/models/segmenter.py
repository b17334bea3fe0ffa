"""Encoder, decoder and classifier as one network."""

import math

from torch import Tensor, nn

from kit.errors import KitError
from kit.models.encoders import Features
from kit.models.uper import resize
from kit.types import SegOutput


class Segmenter(nn.Module):
    """Images to logits at their own size, the same record in train and eval mode.

    Args:
        encoder: returns `Features`, states `.channels` and `.multiple`.
        decoder: four maps to one, states `.out_channels`.
        num_classes: C.
        dropout: share of channels of the decoder's map dropped before the classifier.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module, num_classes: int, dropout: float = 0.1):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.dropout = nn.Dropout2d(dropout)
        self.classify = nn.Conv2d(decoder.out_channels, num_classes, 1)
        self.num_classes = num_classes

    @property
    def multiple(self) -> int:
        """Both sides of an image must be multiples of this."""
        return self.encoder.multiple

    def check_size(self, height: int, width: int) -> None:
        """Raise KitError unless the network takes images of this size."""
        m = self.multiple
        if height % m or width % m:
            near = " x ".join(str(max(m, math.ceil(side / m) * m)) for side in (height, width))
            raise KitError(f"{height} x {width} does not fit the encoder: sides must be multiples of {m}; try {near}")

    def encode(self, images: Tensor, scores: bool = False) -> Features:
        """(B, 3, H, W) -> maps and, if asked, attention scores."""
        self.check_size(*images.shape[-2:])
        return self.encoder(images, scores)

    def decode(self, maps: list[Tensor], size: tuple[int, int]) -> Tensor:
        """Maps -> logits (B, C, *size)."""
        return resize(self.classify(self.dropout(self.decoder(maps))), size)

    def forward(self, images: Tensor, scores: bool = False) -> SegOutput:
        """(B, 3, H, W), normalised -> `SegOutput`. Raises KitError if H or W is not a multiple of `multiple`."""
        features = self.encode(images, scores)
        return SegOutput(self.decode(features.maps, images.shape[-2:]), features.maps, features.scores)
