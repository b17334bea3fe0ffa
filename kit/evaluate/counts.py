"""What was counted on each image, from which every score follows: kept beside a result, so that intervals and
comparisons can be made later without a network."""

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from kit.errors import KitError
from kit.evaluate.bootstrap import intervals
from kit.evaluate.calibration import calibration_error
from kit.evaluate.metrics import Scores, by_class, scores_of
from kit.storage import write_bytes


@dataclass(frozen=True)
class Counts:
    """Of n images and C classes, in the order of the images; whole numbers of pixels."""

    names: tuple[str, ...]
    """Ids of the images."""
    matrices: np.ndarray
    """int64 (n, C, C): confusion matrices, true class by predicted class."""
    boundary: np.ndarray | None = None
    """int64 (n, C, 3): `kit.evaluate.boundary.boundary_counts`; None where only matrices were wanted."""
    calibration: np.ndarray | None = None
    """float64 (bins, 3): `kit.evaluate.calibration.calibration_counts`, of all images together."""
    protocol: str = ""
    """How the network was asked (`kit.evaluate.protocol.sentence`)."""

    def scores(self, classes: tuple[str, ...], resamples: int = 0) -> Scores:
        """Scores over all images, with everything that was counted.

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
        """Write a compressed .npz, whole or not at all; most of a matrix is zeros, so it takes little room."""
        content = {"names": np.array(self.names, dtype=np.str_), "matrices": self.matrices,
                   "protocol": np.array(self.protocol)}  # fmt: skip
        for name in ("boundary", "calibration"):
            if getattr(self, name) is not None:
                content[name] = getattr(self, name)
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **content)
        write_bytes(path, buffer.getvalue())


def load_counts(path: Path) -> Counts:
    """What `Counts.save` wrote. Raises KitError naming the file if it is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as content:
            parts = {name: content[name] for name in content.files}
        return Counts(tuple(parts.pop("names").tolist()), protocol=str(parts.pop("protocol")), **parts)
    except FileNotFoundError as error:
        raise KitError(f"no file {path}; make it by: python -m kit evaluate {Path(path).parent}") from error
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise KitError(f"{path} holds no counts of an evaluation: {error}") from error
