"""Controls for `kit.explore.explorer`: choose, click, switch between runs, save a view."""

import html
import io
import json
import re
import shlex
from functools import partial
from pathlib import Path

import numpy as np
from ipywidgets import HTML, Button, Dropdown, FileUpload, FloatSlider, HBox, IntSlider, Layout, ToggleButtons, VBox
from PIL import Image

from kit.errors import KitError
from kit.explore.explorer import Explorer
from kit.explore.networks import STUDENT
from kit.explore.view_request import BY_CLASS, BY_LEVEL, PHOTO, VIEWS, Layer, Scene, ViewRequest
from kit.figures.pictures.thumbnails import cell_at, thumbnail_sheet
from kit.figures.pictures.view import heat_stops, legend, paint, png, render, view_figure
from kit.figures.style import run_labels, save, show
from kit.runs.folder import load_runs
from kit.system.storage import write_bytes, write_json
from kit.types import IGNORE
from kit.widgets.parts import ClickPicture, outcome

COMMAND = "papermill notebooks/explore.ipynb explored.ipynb -y {}"


def explorer_panel(explorer: Explorer, request: ViewRequest, out: str | Path, thumbnails: int = 0) -> VBox:
    """The picture of a request, a control for each of its fields, and thumbnails of the run's worst images.

    Args:
        explorer: of the runs.
        request: the first view.
        out: folder for saved views.
        thumbnails: number shown at a time; 0 shows none.
    """
    return ExplorerPanel(explorer, request, Path(out), thumbnails).box


class ExplorerPanel:
    """The controls, and the request that they define."""

    def __init__(self, explorer: Explorer, request: ViewRequest, out: Path, thumbnails: int = 0):
        self.explorer, self.out, self.count = explorer, out, thumbnails
        runs = list(zip(run_labels(load_runs(explorer.runs)), explorer.runs, strict=True))
        wide = Layout(width="auto")
        described = {"layout": wide, "style": {"description_width": "5.2em"}}
        menu, share = partial(Dropdown, **described), partial(FloatSlider, min=0, max=1, step=0.05, **described)
        classes = [("all classes", ""), *((name, name) for name in explorer.classes)]
        networks = explorer.networks(request.run)
        self.controls = {
            "run": ToggleButtons(options=runs, value=request.run, style={"button_width": "auto"}),
            "network": menu(options=networks, value=request.network, description="Network"),
            "image": menu(options=self._images(), value=request.image, description="Image"),
            "view": menu(options=VIEWS, value=request.view, description="View"),
            "cls": menu(options=classes, value=request.cls, description="Class"),
            "threshold": share(request.threshold, description="Threshold"),
            "strength": share(request.strength, description="Overlay"),
            "level": IntSlider(request.level, min=0, max=2, description="Level", **described),
        }
        self.picture = ClickPicture(pixel=list(request.pixel))
        self.colours, self.words, self.saved = HTML(), HTML(), HTML()
        self.sheet, self.sheet_words = ClickPicture(kind="kit-sheet"), HTML()
        self.rank = IntSlider(1, min=1, max=1, step=max(1, thumbnails), description="From rank",
                              continuous_update=False, style=described["style"])  # fmt: skip
        self.upload = FileUpload(accept="image/*", description="Own photograph", layout=wide)
        self.keep = Button(description="Save view", icon="save", tooltip="PNG, PDF and parameters", layout=wide)
        self._quiet = False
        for control in self.controls.values():
            control.observe(self._changed, "value")
        self.picture.observe(self._changed, "pixel")
        self.upload.observe(self._uploaded, "value")
        self.keep.on_click(lambda _: self._save())
        rest = [control for name, control in self.controls.items() if name != "run"]
        left = VBox([*rest, self.upload, self.keep], layout=Layout(width="19em", flex="0 0 auto"))
        right = VBox([self.picture, self.colours, self.words],
                     layout=Layout(flex="1 1 26em", max_width="52em", min_width="20em"))  # fmt: skip
        across = HBox([left, right], layout=Layout(flex_flow="row wrap", grid_gap="1.5em"))
        self.worst = VBox([HBox([self.rank, self.sheet_words]), self.sheet])
        self.rank.observe(lambda _: self.draw_sheet(), "value")
        self.sheet.observe(self._picked, "pixel")
        self.box = VBox([self.controls["run"], across, self.saved, self.worst])
        self.draw()
        self.draw_sheet()

    @property
    def request(self) -> ViewRequest:
        """The request defined by the current values of the controls."""
        values = {name: control.value for name, control in self.controls.items()}
        return ViewRequest(**values, pixel=tuple(self.picture.pixel))

    def draw(self) -> None:
        """Show the current view; if it does not exist, show the image alone and the reason."""
        request = self.request
        self.controls["cls"].disabled = request.view not in BY_CLASS
        self.controls["level"].disabled = request.view not in BY_LEVEL
        self.controls["threshold"].disabled = request.view == "truth"
        try:
            scene = self.explorer.scene(request)
            self.picture.alt = scene.title
            self.picture.png = render(scene, request.strength, request.pixel)
            self.colours.value, self.words.value = _colours(scene), _line(scene.words)
        except KitError as error:
            self.colours.value, self.words.value = "", _line(str(error), "#a40e26")
            self.picture.png = self._bare(request)

    def draw_sheet(self) -> None:
        """Show thumbnails from the selected rank on, the worst first, or why they cannot be shown; hide the sheet if
        there are none."""
        run = self.controls["run"].value
        try:
            images = len(self.explorer.ranking(run))
            self.worst.layout.display = None if self.count and images else "none"
            if self.count and images:
                self.rank.max = images
                self.thumbnails = self.explorer.thumbnails(run, self.rank.value - 1, self.count)
                last = self.rank.value - 1 + len(self.thumbnails)
                text = f"to {last} of {images}, the lowest IoU first; click one to see it above"
                self.sheet_words.value = _line(text)
                self.sheet.alt = "Thumbnails: errors on the images with the lowest IoU"
                self.sheet.png = show(thumbnail_sheet(self.thumbnails)).data
        except KitError as error:
            self.sheet.png, self.sheet_words.value = b"", _line(str(error), "#a40e26")

    def _picked(self, change) -> None:
        cell = cell_at(change["new"], len(self.thumbnails))
        if cell is not None:
            self.controls["image"].value = self.thumbnails[cell].name

    def _bare(self, request: ViewRequest) -> bytes:
        try:
            image = self.explorer.pair(request.image)[0]
        except KitError:
            return self.picture.png
        nothing = Layer(np.full(image.shape[:2], IGNORE, np.uint8), ((0, 0, 0),), ("",))
        return png(paint(image, nothing, 0.0, request.pixel))

    def _changed(self, change) -> None:
        if self._quiet:
            return
        if change["owner"] is self.controls["run"]:
            self._offer("network", self.explorer.networks(change["new"]))
            self.draw_sheet()
        self.draw()

    def _offer(self, name: str, options: list[str] | list[tuple[str, str]]) -> None:
        """Replace the options of a control without redrawing; it keeps its value if possible."""
        control = self.controls[name]
        values = [option if isinstance(option, str) else option[1] for option in options]
        value, self._quiet = control.value, True
        control.options = options
        control.value = value if value in values else values[0]
        self._quiet = False

    def _images(self) -> list[tuple[str, str]]:
        """(label, id) of each image of the menu."""
        photo = [(PHOTO, PHOTO)] if self.explorer.photo is not None else []
        return [*((self.explorer.short[name], name) for name in self.explorer.images), *photo]

    def _uploaded(self, change) -> None:
        if not change["new"]:
            return
        try:
            self.explorer.set_photo(Image.open(io.BytesIO(change["new"][0]["content"])))
        except (KitError, OSError, Image.DecompressionBombError) as error:
            self.words.value = _line(f"{change['new'][0]['name']} cannot be read: {error}", "#a40e26")
            return
        self._offer("image", self._images())
        if self.controls["image"].value == PHOTO:
            self.draw()
        else:
            self.controls["image"].value = PHOTO  # draws

    def _save(self) -> None:
        self.saved.value = outcome(lambda: save_view(self.explorer, self.request, self.out))


def save_view(explorer: Explorer, request: ViewRequest, out: Path) -> str:
    """Write a view as PNG, PDF and JSON, with an uploaded photograph beside it; return the names of the files and the
    command that reproduces the picture headless. Raises KitError if there is no such view."""
    scene = explorer.scene(request)
    network = "" if request.network == STUDENT else f"-{request.network}"
    level = f"-level {request.level}" if request.view in BY_LEVEL and request.level else ""
    name = "-".join((request.view + level, request.cls, Path(request.run).name + network, request.image))
    stem = out / re.sub(r"[^\w.-]+", "_", name).strip("_")
    parameters = {"runs": explorer.runs, **request.parameters(), "weights": explorer.weights, "out": str(out),
                  "data_root": str(explorer.files.root), "interactive": False}  # fmt: skip
    files = save(view_figure(scene, request.strength, request.pixel), stem)
    if request.image == PHOTO:
        photo = stem.with_name(f"{stem.name}-photograph.png")
        write_bytes(photo, png(explorer.photo.permute(1, 2, 0).numpy()))  # the scene's image may be smaller
        parameters["photo"] = str(photo)
        files.append(photo)
    described = stem.with_name(f"{stem.name}.json")
    write_json(described, parameters)
    names = "\n".join(map(str, [*files, described]))
    return f"{names}\n\n{COMMAND.format(shlex.quote(json.dumps(parameters)))}"


def _colours(scene: Scene) -> str:
    """Legend of the colours as HTML."""
    if not scene.layer.palette:
        low, high = scene.layer.scale
        bar = f"background: linear-gradient(90deg, {', '.join(heat_stops())})"
        return (
            f"<div style='display: flex; gap: .6em; align-items: center'>{html.escape(scene.layer.label)}: {low:.3g}"
            f"<span style='{bar}; flex: 0 1 14em; height: .8em'></span>{high:.3g}</div>"
        )
    swatch = (
        "<span style='white-space: nowrap; margin-right: 1em'><span style='display: inline-block; width: .9em; "
        "height: .9em; border: 1px solid #888; margin-right: .35em; background: rgb{}'></span>{}</span>"
    )
    return " ".join(swatch.format(rgb, html.escape(name)) for name, rgb in legend(scene.layer))


def _line(text: str, colour: str = "inherit") -> str:
    return f"<span style='color: {colour}'>{html.escape(text)}</span>"
