"""A panel that shows a student's predictions for a photograph or a short video that is dropped onto it."""

import html
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import ipywidgets
import numpy as np
from ipywidgets import HTML, HBox, IntProgress, Layout, VBox
from PIL import Image

from kit.data.reading.decode import picture_size, read_image
from kit.data.reading.video import check_sides, is_video, read_frames
from kit.errors import KitError
from kit.system.storage import content_of
from kit.widgets.parts import DropField

LARGEST_FILE, LARGEST_SIDE, MOST_FRAMES = 20_000_000, 4096, 120
"""Limits: bytes of a file, pixels a side, frames of a video."""

SHOWN = 640
"""Pixels of the longer side of pictures that are sent back to the browser."""

LONGEST_NAME = 240
"""Bytes of a file name; file systems allow 255, browsers send as many letters of several bytes each."""

SHARE = 0.001
"""Classes with a smaller share of the pixels are not named."""

HEADS = {"mask": "Classes", "overlay": "Over the photograph", "confidence": "Confidence (dark: unsure)"}


class TrialPanel:
    """A drop field, and below it classes, overlay, confidence and time.

    Args:
        probabilities: picture uint8 (H, W, 3) -> class probabilities (C, H, W) as an array.
        classes, palette: names and RGB colours, in the order of class ids.
        about: a description of the student.
    """

    def __init__(
        self, probabilities: Callable[[np.ndarray], np.ndarray], classes: list[str], palette: list, about: str
    ):
        self.probabilities, self.classes, self.palette = probabilities, classes, np.array(palette, np.uint8)
        self.field = DropField(limit=LARGEST_FILE)
        self.message, self.legend = HTML(), HTML()
        self.progress = IntProgress(min=0, layout=Layout(visibility="hidden", width="100%"))
        self.pictures = {name: ipywidgets.Image(layout=Layout(width="100%", min_width="12em")) for name in HEADS}
        for name, picture in self.pictures.items():
            picture.add_class(f"kit-{name}")
        shown = [VBox([HTML(f"<b>{HEADS[name]}</b>"), picture], layout=Layout(flex="1 1 18em", max_width="40em"))
                 for name, picture in self.pictures.items()]  # fmt: skip
        self.results = HBox(shown, layout=Layout(flex_flow="row wrap", grid_gap="1em", display="none"))
        head = HTML(f"<h2>Try a student</h2><p>{html.escape(about).replace(chr(10), '<br>')}</p>")
        self.box = VBox([head, self.field, self.progress, self.message, self.results, self.legend],
                        layout=Layout(max_width="76em", margin="0 auto", padding="0 1em"))  # fmt: skip
        self.field.observe(lambda _: self.take(self.field.name, self.field.content, self.field.size), "turn")

    def take(self, name: str, content: bytes, size: int) -> None:
        """Show the predictions for a file, or the error in one line; earlier results are hidden first."""
        self.results.layout.display = "none"
        self.legend.value = ""
        self._say(f"{name} is read")
        scratch = ""
        try:
            if size > LARGEST_FILE or len(content) > LARGEST_FILE:
                raise KitError(f"{name} has {size / 1e6:.1f} MB; at most {LARGEST_FILE / 1e6:.0f} MB are accepted")
            with tempfile.TemporaryDirectory(prefix="kit-") as scratch:
                path = Path(scratch) / _fitting(Path(name).name)
                path.write_bytes(content)
                (self._video if is_video(path) else self._picture)(path)
        except KitError as error:
            self._say("error: " + (str(error).replace(f"{scratch}/", "") if scratch else str(error)), wrong=True)
        finally:
            self.progress.layout.visibility = "hidden"

    def _picture(self, path: Path) -> None:
        height, width = picture_size(path)
        check_sides(path.name, width, height, LARGEST_SIDE)
        image = read_image(path)
        views, counts, taken = self._views(image)
        for name, view in views.items():
            self.pictures[name].format, self.pictures[name].value = "png", _encoded(_small(view), "PNG")
        self._show(f"{path.name}: {width} x {height} pixels, {1e3 * taken:.0f} ms", counts)

    def _video(self, path: Path) -> None:
        frames, rate = read_frames(path, MOST_FRAMES, LARGEST_SIDE)
        self.progress.max, self.progress.value, self.progress.layout.visibility = len(frames), 0, "visible"
        taken, counts = 0.0, np.zeros(len(self.classes), np.int64)
        parts: dict[str, list[Image.Image]] = {name: [] for name in HEADS}
        for frame in frames:
            views, pixels, seconds = self._views(frame)
            taken, counts = taken + seconds, counts + pixels
            for name, view in views.items():
                parts[name].append(_small(view))
            self.progress.value += 1
        endless = {"save_all": True, "duration": round(1000 / rate), "loop": 0, "quality": 80}
        for name, (first, *rest) in parts.items():
            content = _encoded(first, "WEBP", append_images=rest, **endless)
            self.pictures[name].format, self.pictures[name].value = "webp", content
        height, width = frames[0].shape[:2]
        each = f"{1e3 * taken / len(frames):.0f} ms a frame"
        self._show(f"{path.name}: {len(frames)} frames of {width} x {height} pixels, {each}", counts)

    def _views(self, image: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray, float]:
        """The views of a picture (uint8), the number of pixels of each class, and the student's run time in seconds."""
        started = time.perf_counter()
        found = self.probabilities(image)
        taken = time.perf_counter() - started
        ids = found.argmax(0)
        colours = self.palette[ids]
        overlay = ((image.astype(np.uint16) + colours) // 2).astype(np.uint8)
        sure = np.rint(255 * found.max(0)).astype(np.uint8)
        counts = np.bincount(ids.ravel(), minlength=len(self.classes))
        return {"mask": colours, "overlay": overlay, "confidence": sure}, counts, taken

    def _show(self, line: str, counts: np.ndarray) -> None:
        self._say(line)
        self.legend.value = "".join(self._entries(counts / counts.sum()))
        self.results.layout.display = "flex"

    def _entries(self, shares: np.ndarray) -> Iterator[str]:
        """A coloured square, name and share of each class, the commonest first."""
        for i in shares.argsort()[::-1]:
            if shares[i] >= SHARE:
                colour = "#" + "".join(f"{value:02x}" for value in self.palette[i])
                yield (f'<span style="display:inline-block;margin-right:1.2em"><span style="display:inline-block;width:'
                       f'1em;height:1em;background:{colour};border:1px solid #8c959f;vertical-align:-0.15em"></span> '
                       f"{html.escape(self.classes[i])} {shares[i]:.1%}</span>")  # fmt: skip

    def _say(self, line: str, wrong: bool = False) -> None:
        colour = "#a40e26" if wrong else "#1f2328"
        self.message.value = (
            f'<span class="kit-message" role="status" style="color:{colour}">{html.escape(line)}</span>'
        )


def _fitting(name: str) -> str:
    """A file name cut to LONGEST_NAME bytes; its suffix is kept."""
    suffix = Path(name).suffix[:8]
    if len(name.encode(errors="ignore")) <= LONGEST_NAME:
        return name
    return name.encode(errors="ignore")[: LONGEST_NAME - 32].decode(errors="ignore") + suffix


def _small(view: np.ndarray) -> Image.Image:
    """A picture no larger than SHOWN."""
    picture = Image.fromarray(view)
    picture.thumbnail((SHOWN, SHOWN))
    return picture


def _encoded(picture: Image.Image, form: str, **options) -> bytes:
    return content_of(lambda file: picture.save(file, form, **options))
