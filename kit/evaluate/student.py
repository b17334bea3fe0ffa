"""A finished run's student, ready to predict."""

from pathlib import Path

import numpy as np
import safetensors.torch
import torch
import torchvision.transforms.v2.functional as tv
from PIL import Image, ImageOps
from torch import Tensor, nn

from kit.data.reading.decode import read_image, rgb
from kit.data.reading.sizes import size_when_read
from kit.data.reading.transforms import unit_range
from kit.errors import KitError
from kit.evaluate.predict import Predictor
from kit.evaluate.protocol import sentence
from kit.models.build import build_model
from kit.models.model_folder import WEIGHTS as MODEL_WEIGHTS
from kit.models.model_folder import ModelFolder, is_model_folder, located, read_model_folder
from kit.models.segmenter import Segmenter
from kit.runs.folder import RunFolder
from kit.settings.checks import require_choice
from kit.settings.run import RunConfig
from kit.system.storage import read_json

Picture = str | Path | Image.Image | np.ndarray | Tensor
"""Input of a student: a file, a PIL image, uint8 array (H, W, 3), or uint8 tensor (3, H, W)."""

WEIGHTS = ("last", "average", "best")
"""Kinds of weights that a run may keep of its student."""

NAMED = 8
"""Number of classes that `print(student)` names."""


class Student(nn.Module):
    """A trained network with its classes, palette and configuration.

    Attributes:
        net: the `Segmenter`, in eval mode.
        classes, palette: names and RGB colours, in the order of class ids.
        config: the configuration of its run.
        origin: its run and score, in words.
    """

    def __init__(self, net: Segmenter, classes: list[str], palette: list[list[int]], config: RunConfig):
        super().__init__()
        self.net, self.classes, self.palette, self.config = net.eval(), classes, palette, config
        self.origin = ""

    def prepare(self, image: Picture) -> Tensor:
        """A batch of one, float32 (1, 3, h, w) in 0..1, resized to the working size of the run."""
        pixels = read_pixels(image)
        data, size = self.config.data, tuple(pixels.shape[1:])
        if data.base_size:
            pixels = tv.resize(pixels, list(size_when_read(size, data.base_size, data.keep_aspect)), antialias=True)
        return unit_range(pixels)[None].to(next(self.net.parameters()).device)

    def probabilities(self, image: Picture) -> Tensor:
        """Class probabilities, float32 (C, H, W), at the image's own size, by the protocol of its run."""
        pixels = read_pixels(image)
        return Predictor(self.net, self.config.evaluate).probabilities(self.prepare(pixels), tuple(pixels.shape[1:]))[0]

    def predict(self, image: Picture, overlay: bool = False) -> np.ndarray:
        """Class ids, uint8 (H, W), at the image's own size, by the protocol of its run.

        Args:
            image: file, PIL image, uint8 array (H, W, 3), or uint8 tensor (3, H, W).
            overlay: return the picture with the classes' colours blended over it instead, uint8 (H, W, 3).
        """
        pixels = read_pixels(image)
        mask = self.probabilities(pixels).argmax(0).to(torch.uint8).cpu().numpy()
        return overlaid(pixels.permute(1, 2, 0).cpu().numpy(), mask, self.palette) if overlay else mask

    def __repr__(self) -> str:
        """Three lines: the network and its input, its classes, and its run and score."""
        data, parameters = self.config.data, sum(p.numel() for p in self.net.parameters())
        resized = "at their own size"
        if data.base_size:
            size = f"a shorter side of {min(data.base_size)}" if data.keep_aspect else "{} x {}".format(*data.base_size)
            resized = f"resized to {size}"
        more = f" and {len(self.classes) - NAMED} more" if len(self.classes) > NAMED else ""
        protocol = sentence(self.config.evaluate).removesuffix(", one confusion matrix")
        return "\n".join((
            f"{self.config.student.name}: {parameters:,} parameters; images {resized}, {protocol}",
            f"{len(self.classes)} classes: {', '.join(self.classes[:NAMED])}{more}",
            self.origin or f"a network of {self.config.run_dir}",
        ))  # fmt: skip


def load(run_dir: str | Path, weights: str = "last") -> Student:
    """The student of a finished run, of imported weights, or of a model folder.

    Args:
        run_dir: the run's folder, one that `import-weights` or `pack` wrote, or "owner/name" of a model folder on the
            hub (`kit.models.model_folder.located`).
        weights: "last", "average" (the running average of the weights), or "best" (those of the best evaluation during
            training, if there was one); a model folder has one kind, called "last" here.
    Raises: KitError if the run is not finished, the weights do not fit, or a model folder is not whole.
    """
    require_choice(WEIGHTS, weights=weights)
    place = located(run_dir)
    if is_model_folder(place):
        return _of_model_folder(read_model_folder(place), weights)
    folder = RunFolder(place)
    record = read_json(folder.import_file) if folder.import_file.is_file() else folder.finished_result()
    if "dataset" not in record:
        raise KitError(f"{folder.path} holds a record without the data set of the run; it is not whole")
    config, dataset = folder.config(), record["dataset"]
    student = load_weights(folder.weights(weights), config, dataset)
    student.origin = _origin(folder, weights, record)
    return student


def weights_file(run_dir: str | Path, weights: str = "last") -> Path:
    """File with the weights of a run's student, or with a model folder's, which has one kind."""
    place = located(run_dir)
    return place / MODEL_WEIGHTS if is_model_folder(place) else RunFolder(place).weights(weights)


def _of_model_folder(folder: ModelFolder, weights: str) -> Student:
    if weights != "last":
        raise KitError(f"{folder.path} is a model folder, with one kind of weights only; leave 'weights' at 'last'")
    student = load_weights(folder.path / MODEL_WEIGHTS, folder.config, folder.dataset)
    miou = (folder.record.get("scores") or {}).get("miou")
    score = "" if miou is None else f"; mIoU {miou:.1%} on val"
    student.origin = f"a model folder, {folder.path}, of a student of {folder.dataset.get('name', 'its data')}{score}"
    return student


def _origin(folder: RunFolder, weights: str, record: dict) -> str:
    """One line about the weights of a run, or imported ones."""
    if "split" not in record:
        return f"imported from {record['source']} into {folder.path}"
    miou = record[weights]["miou"] if record.get(weights) else None
    score = "" if miou is None else f"; mIoU {miou:.1%} on val ({weights} weights)"
    trained = f"trained by {record['method']} for {record['steps']} steps"
    return f"{trained} on {record['dataset']['name']}, {record['split']['name']}, in {folder.path}{score}"


def load_weights(path: Path, config: RunConfig, dataset: dict) -> Student:
    """The network `config.student` with the weights in a file. Raises KitError naming the file if they do not fit.

    Args:
        dataset: names and colours of its classes: "classes" and "palette" of a run's record.
    """
    if not path.is_file():
        way_out = "best weights need evaluations during training (train.eval_every)"
        raise KitError(f"there is no {path}" + (f"; {way_out}" if path.stem.endswith("_best") else ""))
    net = build_model(config.student, len(dataset["classes"]), pretrained=False)
    try:
        net.load_state_dict(safetensors.torch.load_file(path))
    except (OSError, RuntimeError, safetensors.SafetensorError) as error:
        raise KitError(f"{path} does not fit the network of this run: {error}") from error
    return Student(net, dataset["classes"], dataset["palette"], config)


def overlaid(image: np.ndarray, prediction: np.ndarray, palette: list) -> np.ndarray:
    """A picture mixed half and half with the colours of its prediction, uint8 (H, W, 3).

    Args:
        image: uint8 (H, W, 3).
        prediction: class ids (H, W).
        palette: RGB 0..255, in the order of class ids.
    """
    return np.rint((image + np.asarray(palette, np.float32)[prediction]) / 2).astype(np.uint8)


def read_pixels(image: Picture) -> Tensor:
    """uint8 (3, H, W) of a file, PIL image, array (H, W, 3) or tensor (3, H, W). Raises KitError for a broken file, and
    for arrays and tensors of another kind, such as floats in 0..1."""
    if isinstance(image, Tensor):
        _require_picture(image, image.ndim == 3 and image.shape[0] == 3, "tensor uint8 (3, H, W)")
        return image
    if isinstance(image, (str, Path)):
        return torch.from_numpy(read_image(Path(image)).copy()).permute(2, 0, 1)
    if isinstance(image, Image.Image):
        image = rgb(ImageOps.exif_transpose(image), "the picture")
    _require_picture(image, image.ndim == 3 and image.shape[2] == 3, "array uint8 (H, W, 3)")
    # a copy: torch warns about read-only arrays, and takes no reversed ones, such as BGR shown as RGB
    return torch.from_numpy(image.copy()).permute(2, 0, 1)


def _require_picture(image: np.ndarray | Tensor, shaped: bool, wanted: str) -> None:
    if not shaped or image.dtype not in (np.uint8, torch.uint8):
        raise KitError(f"a picture is given as {wanted}, RGB, got {image.dtype} {tuple(image.shape)}")
