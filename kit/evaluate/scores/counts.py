"""Counts of each image, from which all scores are computed; stored with a result, so that intervals and comparisons
need no network later."""

import hashlib
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from kit.errors import KitError
from kit.evaluate.scores.bootstrap import intervals, overlap_iou
from kit.evaluate.scores.calibration import calibration_error
from kit.evaluate.scores.metrics import Scores, by_class, scores_of
from kit.system.storage import content_of, write_bytes


@dataclass(frozen=True)
class Counts:
    """Pixel counts of n images and C classes, in the order of the images."""

    names: tuple[str, ...]
    """Ids of the images."""
    matrices: np.ndarray
    """int64 (n, C, C): confusion matrices, true class by predicted class."""
    boundary: np.ndarray | None = None
    """int64 (n, C, 3): `kit.evaluate.scores.boundary.boundary_counts`; None if only matrices were counted."""
    calibration: np.ndarray | None = None
    """float64 (bins, 3): `kit.evaluate.scores.calibration.calibration_counts`, of all images together."""
    protocol: str = ""
    """The protocol in words (`kit.evaluate.protocol.sentence`)."""
    masks: tuple[str, ...] | None = None
    """Digest of the class ids of each image's mask (`mask_digest`); None for counts made before it was recorded."""
    images: str = ""
    """sha256 of the images' names and sizes on disk (`kit.data.fingerprint.files`); "" if unknown."""

    def scores(self, classes: tuple[str, ...], resamples: int = 0) -> Scores:
        """All scores that follow from these counts.

        Args:
            resamples: draws of the bootstrap; 0 gives no intervals.
        """
        added = {}
        if self.boundary is not None:
            both, truth, prediction = torch.from_numpy(self.boundary.sum(0)).double().T
            shares = both / (truth + prediction - both)
            added = {"boundary_miou": torch.nanmean(shares).item(), "boundary_iou": by_class(shares, classes)}
        if self.calibration is not None:
            added["calibration_error"] = calibration_error(self.calibration)
        if resamples:
            added["intervals"] = intervals(self.matrices, classes, resamples)
        return scores_of(torch.from_numpy(self.matrices.sum(0)), classes, len(self.names), **added)

    def save(self, path: Path) -> None:
        """Write a compressed .npz, whole or not at all; it is small, as most entries of a matrix are 0."""
        content = {"names": np.array(self.names, dtype=np.str_), "matrices": self.matrices,
                   "protocol": np.array(self.protocol), "images": np.array(self.images)}  # fmt: skip
        if self.masks is not None:
            content["masks"] = np.array(self.masks, dtype=np.str_)
        for name in ("boundary", "calibration"):
            if getattr(self, name) is not None:
                content[name] = getattr(self, name)
        write_bytes(path, content_of(lambda file: np.savez_compressed(file, **content)))


@dataclass(frozen=True)
class Overlaps:
    """Intersections and unions of n images and C classes, from which IoU follows; much smaller than `Counts`."""

    names: tuple[str, ...]
    """Ids of the images."""
    hits: np.ndarray
    """int64 (n, C): correctly predicted pixels of each class."""
    unions: np.ndarray
    """int64 (n, C): pixels of each class or predicted as it."""

    def part(self, images: slice) -> "Overlaps":
        """Overlaps of a slice of the images."""
        return Overlaps(self.names[images], self.hits[images], self.unions[images])

    def scores(self, classes: Sequence[str]) -> dict:
        """{"miou", "iou": {class: ... or None}}, in 0..1, of all images together."""
        iou = overlap_iou(self.hits, self.unions, np.ones((1, len(self.names))))[0]
        return {"miou": float(np.nanmean(iou)), "iou": by_class(torch.from_numpy(iou), classes)}


def mask_digest(mask: Tensor) -> str:
    """Digest of a mask of class ids (H, W), independent of file format and folder."""
    ids = np.ascontiguousarray(mask.cpu().to(torch.uint8).numpy())
    found = hashlib.blake2b(f"{ids.shape} ".encode(), digest_size=16)
    found.update(ids)
    return found.hexdigest()


def unlike(first: Counts, second: Counts) -> str:
    """The first difference between the images of two counts, in words; "" if there is none.

    Digests that were not recorded are not compared; masks are then compared by their pixels of each class.
    """
    if first.names != second.names:
        return "their ids differ"
    if first.masks and second.masks and first.masks != second.masks:
        return "the masks differ"
    if not np.array_equal(first.matrices.sum(2), second.matrices.sum(2)):  # also False for different shapes
        return "the masks differ"
    if first.images and second.images and first.images != second.images:
        return "images of one name differ on disk"
    return ""


def load_counts(path: Path) -> Counts:
    """Counts from a file of `Counts.save`. Raises KitError naming the file if it is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as content:
            parts = {name: content[name] for name in content.files}
        masks = tuple(parts.pop("masks").tolist()) if "masks" in parts else None
        named = {"protocol": str(parts.pop("protocol")), "images": str(parts.pop("images", "")), "masks": masks}
        return Counts(tuple(parts.pop("names").tolist()), **named, **parts)
    except FileNotFoundError as error:
        which, _, protocol = Path(path).stem.removeprefix("scores_").partition("_")  # see `evaluate_run`
        command = f"python -m kit evaluate {Path(path).parent}"
        command += f" --weights {which}" if which in ("average", "best") else ""
        command += f" and the options of the protocol {protocol}" if protocol else ""
        raise KitError(f"no file {path}; create it with: {command}") from error
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise KitError(f"{path} holds no counts of an evaluation: {error}") from error
