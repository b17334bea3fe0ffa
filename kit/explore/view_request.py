"""Requests to an `Explorer` and its results, as plain values, so that a view chosen by hand can be reproduced."""

from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np

from kit.errors import KitError
from kit.explore.networks import STUDENT
from kit.settings.checks import Checked, Share, Whole, require_choice

VIEWS = ("truth", "prediction", "error", "confidence", "entropy", "disagreement of runs", "disagreement of views",
         "low frequencies", "high frequencies", "attention")  # fmt: skip
"""Kinds of layers over an image."""

BY_CLASS = ("truth", "prediction", "error", "confidence")
BY_LEVEL = ("low frequencies", "high frequencies")
"""Views that depend on the chosen class, and on the level of the decoder."""

PHOTO = "own photograph"
"""Name of the uploaded image."""

WRONG, MISSED, CLAIMED = "#EFC443", "#0072B2", "#C1272D"
"""Colours of errors, as in `kit.figures.pictures.masks`: all errors; false negatives and positives of one class."""


@dataclass(frozen=True, kw_only=True)
class ViewRequest(Checked):
    """One view of one image; the parameters of explore.ipynb have the same names."""

    run: str
    """Folder of the run."""
    image: str
    """Id of a val image, or PHOTO."""
    network: str = STUDENT
    """Name of one of the run's networks."""
    view: str = "prediction"
    """One of VIEWS."""
    cls: str = ""
    """Name of a class: masks show it alone, "error" its own errors, "confidence" its probability. Empty: all."""
    threshold: Share = 0.0
    """Lowest confidence at which masks and errors are shown; lowest value of maps, with their scale mapped to 0..1."""
    strength: Share = 0.6
    """Weight of the layer over the image, 0..1."""
    level: Whole = 0
    """Level of the decoder, for frequencies."""
    pixel: tuple[Share, Share] = (0.5, 0.5)
    """Pixel whose attention and probabilities are shown: (row, column) as shares of height and width."""

    def __post_init__(self):
        require_choice(VIEWS, view=self.view)
        Checked.__post_init__(self)
        if len(self.pixel) != 2:
            raise KitError(f"pixel must be [row, column] as shares of height and width, got {self.pixel}")

    def parameters(self) -> dict[str, object]:
        """Names and plain values, as parameters of a notebook."""
        return {**asdict(self), "pixel": list(self.pixel)}


class Layer(NamedTuple):
    """A layer over an image: a mask with its own colours, or a map of numbers."""

    values: np.ndarray  # ids (H, W), IGNORE where nothing is drawn; or a float map (h, w)
    palette: tuple[tuple[int, int, int], ...] = ()  # RGB of each id; empty for a map
    names: tuple[str, ...] = ()  # of each id
    label: str = ""  # quantity of a map
    scale: tuple[float, float] = (0.0, 1.0)  # values at the ends of a map's colours
    covers: tuple[float, float] | None = None  # (height, width) in pixels of the image that a map spans; None: all
    hidden: np.ndarray | None = None  # bool like `values`: nothing is drawn here


class Thumbnail(NamedTuple):
    """A val image with the score of a run on it."""

    name: str  # its id
    short: str  # its id, shortened for a caption
    miou: float  # mean IoU over the classes in its truth, 0..1
    scene: "Scene"


class Scene(NamedTuple):
    """An image with its layer."""

    image: np.ndarray  # uint8 (H, W, 3)
    layer: Layer
    title: str
    words: str  # truth and prediction at the pixel
