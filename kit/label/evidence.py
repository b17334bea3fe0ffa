"""Predictions of a finished run's networks for unlabelled images, gathered into a `Pool`."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from kit.errors import KitError
from kit.evaluate.predict import fast_copy, pad_to_multiple
from kit.evaluate.student import read_pixels
from kit.evaluate.uncertainty import disagreement
from kit.explore.networks import STUDENT, networks
from kit.label.duplicates import fingerprint
from kit.label.pool import Pool
from kit.models.layers.upsampling import resize
from kit.system.console import bar

SMALLER = 0.75
"""Scale factor of the smaller view of an image."""

Named = Sequence[tuple[str, Path]]
"""(id, file) of images."""


class Reading(NamedTuple):
    """Predictions for one image at the student's input size (h, w). F features, C classes, P fingerprint values."""

    feature: np.ndarray  # float32 (F,), of length 1
    mean: np.ndarray  # float32 (C, h, w), probabilities averaged over networks or views
    differing: np.ndarray  # float32 (h, w), divergence of networks or views, 0..1
    print: np.ndarray  # float32 (P,), fingerprint of the image


class Readers:
    """The networks of a run, loaded once to predict many images.

    Args:
        run: folder of a finished run.
        weights: of the student, as in `kit.load`.
        device: such as "cpu" or "cuda".
    Attributes:
        student: the run's student.
        members: names of what is compared: the networks that the run kept (`train.keep_views`), else the student's
            predictions of three views of an image (original, mirrored, smaller).
    Raises: KitError as `kit.load`.
    """

    def __init__(self, run: str | Path, weights: str = "last", device: str = "cpu"):
        kept = {name: network.to(device) for name, network in networks(run, weights).items()}
        self.student = kept[STUDENT]
        self._nets = [fast_copy(network.net) for network in kept.values()]
        self.members = ", ".join(kept) if len(kept) > 1 else "views of the student"

    @torch.inference_mode()
    def read(self, path: Path, differing: bool = True) -> Reading:
        """Predictions for an image file; without `differing`, only those of the student for the original image.
        Raises KitError if the file cannot be read."""
        pixels = read_pixels(path)
        image = self.student.prepare(pixels)
        own, feature = _predicted(self._nets[0], image)
        several = [own]
        if differing and len(self._nets) > 1:
            several += [_predicted(net, image)[0] for net in self._nets[1:]]
        elif differing:
            mirrored = _predicted(self._nets[0], image.flip(-1))[0].flip(-1)
            size = tuple(max(1, round(SMALLER * side)) for side in image.shape[-2:])
            smaller = _predicted(self._nets[0], resize(image, size))[0]
            several += [mirrored, resize(smaller, tuple(image.shape[-2:]))]
        members, feature = [each[0].cpu().numpy() for each in several], feature[0].cpu().numpy()
        return Reading(
            feature / max(float(np.linalg.norm(feature)), 1e-9),
            np.mean(members, axis=0),
            disagreement(members),
            fingerprint(pixels.permute(1, 2, 0).numpy()),
        )


def _predicted(net: nn.Module, image: Tensor) -> tuple[Tensor, Tensor]:
    """Probabilities (1, C, h, w) and the mean of the deepest feature map (1, F)."""
    padded = pad_to_multiple(image, net.multiple)
    out = net(padded)
    inside = [math.ceil(own * part / whole) for own, part, whole in
              zip(image.shape[-2:], out.maps[-1].shape[-2:], padded.shape[-2:], strict=True)]  # fmt: skip
    deepest = out.maps[-1][..., : inside[0], : inside[1]].float()
    logits = out.logits[..., : image.shape[-2], : image.shape[-1]].float()
    return logits.softmax(1), deepest.mean((2, 3))


def gather(readers: Readers, unlabelled: Named, labelled: Named, silent: bool = False,
           differing: bool = True) -> tuple[Pool, list[str]]:  # fmt: skip
    """Predictions for each unlabelled image that can be read, with the features and fingerprints of the labelled ones;
    and an error for each that cannot be read.

    Args:
        readers: of the run.
        unlabelled, labelled: ids and files.
        silent: show no progress bar.
        differing: False runs only the student, on the original images, and sets the disagreement to 0.
    Raises: KitError if a labelled image cannot be read, or none of the others.
    """
    names, broken = [], []
    classes = np.arange(len(readers.student.classes))[:, None, None]
    about = ("features", "disagreement", "margin", "shares", "prints", "labelled_features", "labelled_prints")
    rows: dict[str, list] = {name: [] for name in about}
    with bar(len(unlabelled) + len(labelled), "predicting", "image", silent) as shown:
        for name, path in unlabelled:
            shown.update()
            try:
                seen = readers.read(path, differing)
            except KitError as error:
                broken.append(str(error))
                continue
            names.append(name)
            second, first = np.sort(seen.mean, axis=0)[-2:]
            rows["features"].append(seen.feature)
            rows["disagreement"].append(seen.differing.mean())
            rows["margin"].append((1 - (first - second)).mean())
            rows["shares"].append((seen.mean.argmax(0)[None] == classes).mean((1, 2)))
            rows["prints"].append(seen.print)
        for _, path in labelled:
            seen = readers.read(path, differing=False)
            rows["labelled_features"].append(seen.feature)
            rows["labelled_prints"].append(seen.print)
            shown.update()
    if broken and not names:
        raise KitError(f"none of {len(broken)} images can be read: {broken[0]}")
    arrays = {name: np.asarray(values, np.float32) for name, values in rows.items()}
    if not labelled:
        arrays |= {"labelled_features": arrays["features"][:0], "labelled_prints": arrays["prints"][:0]}
    return Pool(names=tuple(names), **arrays, members=readers.members), broken
