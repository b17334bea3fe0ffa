"""Any view of any image of finished runs; results are cached."""

from collections.abc import Callable, Sequence
from functools import partial
from operator import attrgetter

import cachetools
import numpy as np
import torchvision.transforms.v2.functional as tv
from torch import Tensor
from torchvision.transforms import InterpolationMode

from kit.errors import KitError, unknown
from kit.evaluate import uncertainty
from kit.evaluate.predict import Predictor
from kit.evaluate.student import Picture, Student, load, read_pixels
from kit.evaluate.val_images import val_files
from kit.explore.attention import Attention, attention
from kit.explore.frequency_levels import Level, frequency_levels
from kit.explore.networks import STUDENT, load_view
from kit.explore.pick import ranked, short_ids
from kit.explore.view_request import BY_CLASS, CLAIMED, MISSED, PHOTO, WRONG, Layer, Scene, Thumbnail, ViewRequest
from kit.runs.folder import RunFolder
from kit.settings.checks import require_non_negative
from kit.types import IGNORE

LONGEST = 800
"""Larger images are shown with a longer side of this many pixels; networks get them in full size."""

LARGEST_PHOTO = 2048
"""Larger photographs are reduced to a longer side of this many pixels, as in a Cityscapes frame."""

ROOM = 512 * 2**20
"""Size of the cache of probabilities and maps in bytes."""


def _bytes(value: object) -> int:
    """Size of the arrays in a value: an array, or tuples and lists of them."""
    if isinstance(value, np.ndarray):
        return value.nbytes
    return sum(map(_bytes, value)) if isinstance(value, (tuple, list)) else 0


def _kept(method: Callable) -> Callable:
    """Decorate a method of `Explorer`: its results are kept in the explorer's cache."""
    return cachetools.cachedmethod(attrgetter("_cache"), partial(cachetools.keys.hashkey, method.__name__))(method)


class Explorer:
    """Views of finished runs of one data set, by `ViewRequest`.

    Args:
        runs: folders.
        weights: of the students, as `kit.load` takes them.
        data_root: the data set's folder, if it has moved since training.
        room: size of the cache in bytes.
    Attributes:
        images: ids of the val images.
        short: id -> label in a menu.
        classes, palette: names and RGB colours, in the order of class ids.
    Raises: KitError for a run that is not finished, or runs whose classes differ from those of the first.
    """

    def __init__(self, runs: Sequence[str], weights: str = "last", data_root: str = "", room: int = ROOM):
        if not runs:
            raise KitError("name at least one finished run to explore")
        self.runs, self.weights, self.photo = [str(run) for run in runs], weights, None
        self._networks: dict[tuple[str, str], tuple[Student, Predictor]] = {}
        self._cache = cachetools.LRUCache(room, getsizeof=_bytes)
        students = [self.student(run) for run in self.runs]
        if any(student.classes != students[0].classes for student in students):
            raise KitError("these runs have different classes; explore runs of one data set")
        self.classes, self.palette = students[0].classes, tuple(map(tuple, students[0].palette))
        self.files = val_files(students[0], data_root)
        self.images = list(self.files.ids)
        self.short = dict(zip(self.images, short_ids(self.images), strict=True))

    def networks(self, run: str) -> list[str]:
        """Names of a run's networks, the student first."""
        return [STUDENT, *RunFolder(run).views()]

    def student(self, run: str, network: str = STUDENT) -> Student:
        """One of a run's networks; it is loaded once."""
        return self._network(run, network)[0]

    def set_photo(self, picture: Picture) -> None:
        """Set the image PHOTO to a photograph, turned upright and reduced to LARGEST_PHOTO pixels if it is larger."""
        self.photo = _contained(read_pixels(picture), LARGEST_PHOTO)
        self._cache.clear()  # it may hold another photograph under this name

    @_kept
    def pair(self, name: str) -> tuple[np.ndarray, np.ndarray | None]:
        """An image uint8 (H, W, 3) at the size in which it is shown, and its truth uint8 (H, W) if it has one."""
        shown = _contained(self._pixels(name), LONGEST)
        mask = None
        if name != PHOTO and name in self.files.masks:
            mask = self.files.full_mask(name)
            mask = tv.resize(mask[None], list(shown.shape[1:]), interpolation=InterpolationMode.NEAREST)[0].numpy()
        return shown.permute(1, 2, 0).contiguous().numpy(), mask

    @_kept
    def probabilities(self, run: str, network: str, name: str) -> np.ndarray:
        """Class probabilities float16 (C, H, W) of an image at the size of `pair`, by the protocol of the run."""
        student, predictor = self._network(run, network)
        shown = self.pair(name)[0].shape[:2]
        probabilities = predictor.probabilities(student.prepare(self._pixels(name)), shown)
        return probabilities[0].cpu().numpy().astype(np.float16)

    @_kept
    def levels(self, run: str, network: str, name: str) -> list[Level]:
        """Frequency bands of the decoder. Raises KitError if it has none."""
        whole = self._pixels(name).permute(1, 2, 0).numpy()
        return [self._as_shown(level, whole, name) for level in frequency_levels(self.student(run, network), whole)]

    @_kept
    def attention(self, run: str, network: str, name: str) -> Attention:
        """Attention of the last block. Raises KitError if there is none."""
        whole = self._pixels(name).permute(1, 2, 0).numpy()
        return self._as_shown(attention(self.student(run, network), whole), whole, name)

    def scene(self, request: ViewRequest) -> Scene:
        """An image with the layer over it.

        Raises: KitError if this view does not exist: no truth, no such network, level, attention or class.
        """
        if request.run not in self.runs:
            raise unknown("run", request.run, self.runs)
        image, truth = self.pair(request.image)
        layer = self._layer(request, truth)
        title = " · ".join(filter(None, (request.view, request.view in BY_CLASS and request.cls, request.image)))
        return Scene(image, layer, title, self.words(request))

    def ranking(self, run: str) -> list[tuple[str, float]]:
        """(id, mean IoU over the classes in its truth) of every val image, the worst first; empty if the run has no
        counts of these weights (`python -m kit evaluate` writes them)."""
        if not RunFolder(run).scores(self.weights).is_file():
            return []
        return [(name, miou) for name, miou in reversed(ranked(run, self.weights)) if name in self.files.masks]

    def thumbnails(self, run: str, first: int, count: int) -> list[Thumbnail]:
        """Errors of a run's student on `count` images from rank `first` on, 0 or more. Raises KitError for fewer."""
        require_non_negative(thumbnails=count)
        return [Thumbnail(name, self.short[name], miou, self.scene(ViewRequest(run=run, image=name, view="error")))
                for name, miou in self.ranking(run)[first : first + count]]  # fmt: skip

    def words(self, request: ViewRequest) -> str:
        """Truth and prediction at the pixel of a request, in words."""
        image, truth = self.pair(request.image)
        row, column = (min(int(share * side), side - 1)
                       for share, side in zip(request.pixel, image.shape[:2], strict=True))  # fmt: skip
        at = self.probabilities(request.run, request.network, request.image)[:, row, column].astype(np.float32)
        best = np.argsort(-at, kind="stable")[:3]
        predicted = ", ".join(f"{self.classes[i]} {at[i]:.2f}" for i in best)
        here = "" if truth is None else "truth not labelled; "
        if truth is not None and truth[row, column] != IGNORE:
            here = f"truth {self.classes[truth[row, column]]}; "
        return f"row {row}, column {column}: {here}{request.network} predicts {predicted}"

    def _layer(self, request: ViewRequest, truth: np.ndarray | None) -> Layer:
        cls = self._class_id(request.cls)
        where = request.run, request.network, request.image
        if request.view in ("low frequencies", "high frequencies"):
            return self._band(request, where)
        if request.view == "attention":
            found = self.attention(*where)
            height, width = self.pair(request.image)[0].shape[:2]
            seen = found.seen_from((request.pixel[0] * height, request.pixel[1] * width))
            label, seen = f"attention of {request.network} from the ring, times its mean", seen * seen.size
            return _map(seen, label, (float(seen.min()), float(seen.max())), request.threshold, found.covers)
        if request.view == "disagreement of runs":
            values = self._disagreement(tuple((run, STUDENT) for run in self.runs), request.image)
            return _differing(values, "disagreement of the runs", request.threshold)
        if request.view == "disagreement of views":
            names = self.networks(request.run)
            if len(names) < 2:
                raise KitError(f"{request.run} keeps only its student; train it with train.keep_views: true")
            values = self._disagreement(tuple((request.run, name) for name in names), request.image)
            return _differing(values, f"disagreement of {', '.join(names)}", request.threshold)
        if request.view in ("truth", "error") and truth is None:
            raise KitError(f"{request.image} has no ground truth to compare with")
        if request.view == "truth":
            return self._mask(truth, cls)
        sure = self._derived(uncertainty.confidence, *where)
        if request.view == "confidence":
            values = sure if cls is None else self.probabilities(*where)[cls].astype(np.float32)
            label = "confidence" if cls is None else f"probability of {request.cls}"
            return _map(values, label, (0, 1), request.threshold)
        if request.view == "entropy":
            return _map(self._derived(uncertainty.entropy, *where), "entropy / log C", (0, 1), request.threshold)
        unsure = sure < request.threshold
        prediction = self._derived(_prediction, *where)
        if request.view == "error":
            return _errors(truth, prediction, cls, request.cls, unsure)
        return self._mask(prediction, cls)._replace(hidden=unsure if request.threshold else None)

    @_kept
    def _derived(self, measure: Callable, run: str, network: str, name: str) -> np.ndarray:
        return measure(self.probabilities(run, network, name))

    @_kept
    def _disagreement(self, members: tuple[tuple[str, str], ...], name: str) -> np.ndarray:
        return uncertainty.disagreement([self.probabilities(*member, name) for member in members])

    def _band(self, request: ViewRequest, where: tuple[str, str, str]) -> Layer:
        found = {level.level: level for level in self.levels(*where)}
        if request.level not in found:
            raise KitError(f"level must be one of {', '.join(map(str, found))} for this decoder, got {request.level}")
        level = found[request.level]
        values = level.low if request.view == "low frequencies" else level.high
        height, width = self.pair(request.image)[0].shape[:2]
        inside = values[: max(1, round(len(values) * height / level.covers[0])),
                        : max(1, round(values.shape[1] * width / level.covers[1]))]  # fmt: skip
        low, high = np.percentile(inside, (1, 99))
        label = f"{request.view.split()[0]} part, level {request.level} (1/{level.stride}), mean |x|"
        return _map(values, label, (float(low), float(max(high, low + 1e-9))), request.threshold, level.covers)

    def _mask(self, mask: np.ndarray, cls: int | None) -> Layer:
        shown = mask if cls is None else np.where(mask == cls, mask, IGNORE)
        return Layer(shown.astype(np.uint8), self.palette, tuple(self.classes))

    def _class_id(self, name: str) -> int | None:
        if name and name not in self.classes:
            raise unknown("class", name, self.classes)
        return self.classes.index(name) if name else None

    def _network(self, run: str, network: str) -> tuple[Student, Predictor]:
        if (run, network) not in self._networks:
            student = load(run, self.weights) if network == STUDENT else load_view(run, network)
            self._networks[run, network] = student, Predictor(student.net, student.config.evaluate)
        return self._networks[run, network]

    def _pixels(self, name: str) -> Tensor:
        """An image uint8 (3, H, W) in the size that networks get."""
        if name == PHOTO:
            if self.photo is None:
                raise KitError("no photograph has been uploaded yet")
            return self.photo
        if name not in self.files.paths:
            raise KitError(f"no val image {name!r} in {self.files.root}; ids look like {self.images[0]!r}")
        return self.files.image(name)

    def _as_shown(self, found: Level | Attention, whole: np.ndarray, name: str) -> Level | Attention:
        """`found` with `covers` converted from pixels of the full image to pixels of `pair`."""
        shown = self.pair(name)[0]
        height, width = (span * shown.shape[i] / whole.shape[i] for i, span in enumerate(found.covers))
        return found._replace(covers=(height, width))


def _prediction(probabilities: np.ndarray) -> np.ndarray:
    return probabilities.argmax(0).astype(np.uint8)


def _contained(pixels: Tensor, longest: int) -> Tensor:
    """An image (3, H, W), reduced if a side is longer than `longest`."""
    side = max(pixels.shape)
    if side <= longest:
        return pixels
    return tv.resize(pixels, [max(1, round(n * longest / side)) for n in pixels.shape[1:]], antialias=True)


def _map(values: np.ndarray, label: str, scale: tuple[float, float], threshold: float,
         covers: tuple[float, float] | None = None) -> Layer:  # fmt: skip
    low, high = scale
    hidden = values < low + threshold * (high - low) if threshold else None
    return Layer(values.astype(np.float32), label=label, scale=(float(low), float(high)), covers=covers, hidden=hidden)


def _differing(values: np.ndarray, label: str, threshold: float) -> Layer:
    return _map(values, label, (0.0, max(0.05, float(np.percentile(values, 99)))), threshold)


def _errors(truth: np.ndarray, prediction: np.ndarray, cls: int | None, name: str, unsure: np.ndarray) -> Layer:
    wrong = uncertainty.errors(truth, prediction, cls)
    ids = np.where(wrong, 0, IGNORE).astype(np.uint8)
    shades, names = (WRONG,), ("wrong",)
    if cls is not None:
        ids[wrong & (truth != cls)] = 1
        shades, names = (MISSED, CLAIMED), (f"{name}, missed", f"taken for {name}")
    palette = tuple(tuple(bytes.fromhex(shade[1:])) for shade in shades)
    return Layer(ids, palette, names, hidden=unsure if unsure.any() else None)
