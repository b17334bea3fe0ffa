"""Reference for sliding windows: the usual loop of published code, one window at a time."""

import math

import numpy as np
import torch
from torch import Tensor, nn

IGNORE = 255


@torch.no_grad()
def slide(net: nn.Module, image: Tensor, window: int) -> np.ndarray:
    """Class ids (H, W) of one image (1, 3, H, W) in 0..1: the softmax of each window's full-size logits is summed on a
    canvas and divided by the number of windows over each pixel; the stride is two thirds of a window."""
    _, _, height, width = image.shape
    step = math.ceil(window * 2 / 3)
    rows, columns = (math.ceil((side - window) / step) + 1 for side in (height, width))
    canvas = seen = None
    for r in range(rows):
        for c in range(columns):
            bottom, right = min(r * step + window, height), min(c * step + window, width)
            top, left = bottom - window, right - window
            probabilities = net(image[:, :, top:bottom, left:right]).logits.softmax(1)
            if canvas is None:
                canvas = torch.zeros(1, probabilities.shape[1], height, width)
                seen = torch.zeros(1, 1, height, width)
            canvas[:, :, top:bottom, left:right] += probabilities
            seen[:, :, top:bottom, left:right] += 1
    return (canvas / seen).argmax(1)[0].numpy()


def histogram(prediction: np.ndarray, truth: np.ndarray, num_classes: int) -> np.ndarray:
    """Confusion matrix (C, C), counted as in most published code."""
    counted = truth != IGNORE
    places = num_classes * truth[counted].astype(int) + prediction[counted]
    return np.bincount(places, minlength=num_classes**2).reshape(num_classes, num_classes)
