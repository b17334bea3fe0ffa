"""Evaluation counts of a graph, by the functions that count for the kit's own networks."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from kit.deploy.graphs.int8 import Pair
from kit.deploy.graphs.onnx_graph import open_graph
from kit.deploy.graphs.picture_graph import CLASSES, INPUT, PROBABILITIES
from kit.evaluate.protocol import sentence
from kit.evaluate.scores.boundary import boundary_counts
from kit.evaluate.scores.calibration import calibration_counts
from kit.evaluate.scores.counts import Counts
from kit.evaluate.scores.metrics import confusion_matrix
from kit.settings.run import EvalConfig


def count_graph(graph: bytes | Path, pairs: Sequence[Pair], classes: Sequence[str], cfg: EvalConfig) -> Counts:
    """Counts from which all scores follow: confusion and boundaries of every picture and, if the graph returns
    probabilities, calibration over all pictures.

    Args:
        graph: of `kit.deploy.graphs.picture_graph`, or its file.
        pairs: pictures and their masks.
        cfg: width of the boundary and number of calibration bins.
    """
    session, c = open_graph(graph), len(classes)
    sure = PROBABILITIES in [output.name for output in session.get_outputs()]
    matrices, bands, calibration = [], [], torch.zeros(cfg.bins, 3, dtype=torch.float64)
    for picture, mask in pairs:
        ids, *rest = session.run([CLASSES, *([PROBABILITIES] if sure else [])], {INPUT: picture})
        matrices.append(confusion_matrix(torch.from_numpy(ids[0]), torch.from_numpy(mask), c).numpy())
        bands.append(boundary_counts(ids[0], mask, c, cfg.boundary))
        if sure:
            calibration += calibration_counts(torch.from_numpy(rest[0]), torch.from_numpy(mask)[None], cfg.bins)
    names = tuple(str(i) for i in range(len(pairs)))
    return Counts(names, np.stack(matrices), np.stack(bands), calibration.numpy() if sure else None, sentence(cfg))
