"""A student as one graph from the pixels of a picture to its class ids.

The graph contains resizing, normalisation, padding, the network, the protocol of its run and the argmax over classes;
a program that runs it only has to pass uint8 RGB pictures.
"""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kit.data.reading.sizes import Size, size_when_read
from kit.deploy.graphs.onnx_graph import exportable, exported, to_onnx
from kit.evaluate.predict import Predictor
from kit.evaluate.protocol import is_plain
from kit.evaluate.student import Student
from kit.models.layers.upsampling import resize
from kit.models.segmenter import cells, of_cells
from kit.types import PADDING

INPUT, CLASSES, PROBABILITIES = "pictures", "classes", "probabilities"
"""Names of the graph's input and outputs."""

ALL_WINDOWS = 10_000
"""More windows than any image has: all are predicted in one batch, because a graph has no loop."""


class PictureGraph(nn.Module):
    """Maps pictures uint8 (B, H, W, 3) to class ids uint8 (B, H, W), as `Student.predict` does.

    Args:
        student: not modified; the graph has a copy of its network.
        size: (height, width) of all pictures; None for any size, see `takes_any_size`.
        probabilities: return class probabilities as well, float32 (B, C, H, W).
    """

    def __init__(self, student: Student, size: Size | None = None, probabilities: bool = False):
        super().__init__()
        data, cfg = student.config.data, student.config.evaluate
        net = exportable(student.net)
        self.probabilities = probabilities
        self.plain = is_plain(cfg)
        self.inside = size_when_read(size, data.base_size, data.keep_aspect) if size else data.base_size
        self.resized = self.inside != size
        self.predictor = Predictor(net, replace(cfg, precision="fp32", windows=ALL_WINDOWS))
        self.net = self.predictor.net
        if self.plain:  # normalise 0..255 in one step instead of two
            self.net.mean, self.net.std = 255 * net.mean, 255 * net.std
        self.eval().requires_grad_(False)

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...] | Tensor:
        """uint8 (B, H, W, 3) -> ids, or (ids, probabilities)."""
        images, size = pictures.permute(0, 3, 1, 2), pictures.shape[1:3]
        if self.resized:
            images = F.interpolate(images, self.inside, mode="bilinear", align_corners=False, antialias=True)
        images = images.float()
        if self.plain and not self.resized and not self.probabilities:
            return self._by_cells(images)
        scores = self._logits(images, size) if self.plain else self.predictor.scores(images / 255, size)
        ids = scores.argmax(1).to(torch.uint8)
        if not self.probabilities:
            return ids
        averaged = not self.plain and self.predictor.cfg.combine == "probabilities"
        return ids, scores if averaged else scores.softmax(1)

    def _logits(self, images: Tensor, size: Size) -> Tensor:
        """Logits (B, C, *size) of images with pixels in 0..255."""
        h, w = images.shape[-2:]
        logits = self.net(self._padded(images)).logits[..., :h, :w]
        return resize(logits, size) if self.resized else logits

    def _by_cells(self, images: Tensor) -> Tensor:
        """Class ids (B, H, W), with the argmax taken once for each cell before it is enlarged to its pixels."""
        (h, w), net = images.shape[-2:], self.net
        padded = self._padded(images)
        logits = net.classify(net.decoder(net.encode(padded).maps))
        logits = resize(logits, cells(padded.shape[-2:], net.cell))
        ids = logits.argmax(1, keepdim=True).to(torch.uint8)
        return (ids if net.cell == 1 else of_cells(ids, padded.shape[-2:], net.cell))[:, 0, :h, :w]

    def _padded(self, images: Tensor) -> Tensor:
        """Images in 0..255, padded to the next multiple that the network takes, as in `pad_images`."""
        (h, w), multiple = images.shape[-2:], self.net.multiple
        colour = 255 * images.new_tensor(PADDING)[None, :, None, None]
        if right := -w % multiple:
            images = torch.cat([images, colour.expand(images.shape[0], 3, h, right)], 3)
        if below := -h % multiple:
            images = torch.cat([images, colour.expand(images.shape[0], 3, below, w + right)], 2)
        return images


def takes_any_size(student: Student) -> bool:
    """Whether one graph takes pictures of any size, because all are resized to one size before the network."""
    data = student.config.data
    return data.base_size is not None and not data.keep_aspect


def trace_pictures(graph: PictureGraph, size: Size | None = None, batch: bool = True) -> torch.export.ExportedProgram:
    """Export for pictures of `size`, or of any size if None; with `batch` and a plain protocol, for any batch size."""
    several = batch and graph.plain
    height, width = size or (graph.inside[0] + 7, graph.inside[1] + 13)  # a size that equals nothing by chance
    example = torch.zeros(2 if several else 1, height, width, 3, dtype=torch.uint8)
    return exported(graph, example, [*([0] if several else []), *([] if size else [1, 2])])


def pictures_to_onnx(program: torch.export.ExportedProgram, probabilities: bool):
    """The graph as an `onnx.ModelProto`."""
    return to_onnx(program, [INPUT], [CLASSES, PROBABILITIES] if probabilities else [CLASSES])
