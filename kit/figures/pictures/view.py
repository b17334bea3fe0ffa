"""One image with an overlay: as an array made in a few milliseconds, and as a figure."""

import textwrap
from functools import lru_cache

import matplotlib
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from PIL import Image, ImageDraw

from kit.figures.pictures.grid import patch
from kit.figures.style import PAGE, SMALL, UNLABELLED, legend_columns, looks, new_figure
from kit.system.storage import content_of
from kit.types import IGNORE

HEAT = "inferno"
"""Colour map of a map of numbers; its brightness rises evenly."""

SMALLEST = 640
"""Small images are enlarged to at most this width in pixels, so that the ring on them is round."""

NAMES = 12
"""Names in a legend, at most: those with the most pixels."""


def paint(image: np.ndarray, layer, strength: float = 0.6, pixel: tuple[float, float] | None = None) -> np.ndarray:
    """An image with a layer over it, uint8 (n H, n W, 3); a small image is enlarged n times. The stronger the layer,
    the less colour its image keeps.

    Args:
        image: uint8 (H, W, 3).
        layer: a `kit.explore.view_request.Layer`.
        strength: weight of the layer, 0..1.
        pixel: place of a ring, as shares of height and width; None draws none.
    """
    colours, shown = _colours(layer, image.shape[:2])
    photo = image.astype(np.float32)
    luma = photo @ np.array([0.299, 0.587, 0.114], np.float32)
    fade = min(1.0, 2 * strength)
    picture = (1 - fade) * photo + fade * luma[..., None]
    weight = np.where(shown, np.float32(strength), np.float32(0))[..., None]
    picture += weight * (colours - picture)
    picture = _enlarged(picture.astype(np.uint8))
    return picture if pixel is None else _ringed(picture, pixel)


def png(picture: np.ndarray) -> bytes:
    """A picture uint8 (H, W, 3) as the content of a PNG file, compressed for speed, not for size."""
    return content_of(lambda file: Image.fromarray(picture).save(file, "PNG", compress_level=1))


def render(scene, strength: float = 0.6, pixel: tuple[float, float] | None = None) -> bytes:
    """PNG of a `kit.explore.view_request.Scene`; other arguments are those of `paint`."""
    return png(paint(scene.image, scene.layer, strength, pixel))


@looks()
def view_figure(scene, strength: float = 0.6, pixel: tuple[float, float] | None = None, width: float = PAGE) -> Figure:
    """The same picture as a figure, with its title and a legend or colour bar.

    Args:
        scene: a `kit.explore.view_request.Scene`.
        strength, pixel: as in `paint`.
        width: in inches.
    """
    height, across = scene.image.shape[:2]
    handles = [patch(name, np.asarray(rgb) / 255) for name, rgb in legend(scene.layer)]
    columns = legend_columns(handles, width)
    room = 0.55 if not scene.layer.palette else 0.12 + 0.14 * -(-len(handles) // columns)
    fig = new_figure(width, width * height / across + room + 0.2)
    ax = fig.add_subplot()
    ax.imshow(paint(scene.image, scene.layer, strength, pixel))
    ax.set_axis_off()
    ax.set_title("\n".join(textwrap.wrap(scene.title, int(width / 0.07))), fontsize=SMALL + 1)
    if handles:
        fig.legend(handles=handles, loc="outside lower center", ncol=columns, handlelength=1.1, handleheight=0.9,
                   handletextpad=0.4, columnspacing=1.0)  # fmt: skip
    elif not scene.layer.palette:
        bar = fig.colorbar(ScalarMappable(Normalize(*scene.layer.scale), HEAT), ax=ax, location="bottom", shrink=0.5,
                           aspect=40, pad=0.02)  # fmt: skip
        bar.set_label(scene.layer.label)
        bar.outline.set_visible(False)
    return fig


def legend(layer) -> list[tuple[str, tuple[int, int, int]]]:
    """Name and RGB of the ids in a mask, those with the most pixels first; none for a map."""
    if not layer.palette:
        return []
    shown = layer.values if layer.hidden is None else layer.values[~layer.hidden]
    count = np.bincount(shown.ravel(), minlength=IGNORE + 1)
    order = [int(i) for i in np.argsort(-count[: len(layer.palette)], kind="stable") if count[i]]
    return [(layer.names[i], tuple(layer.palette[i])) for i in order[:NAMES]]


def heat_stops() -> list[str]:
    """Colours of a map from its low end to its high one, as "#rrggbb"."""
    table = _table()[np.linspace(0, 255, 9).round().astype(int)].astype(int)
    return [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in table]


def _colours(layer, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Colour of every pixel, float32 (H, W, 3), and whether it is drawn, bool (H, W)."""
    if layer.palette:
        table = np.array([*layer.palette, UNLABELLED], np.float32)
        drawn = layer.values != IGNORE
        shown = drawn if layer.hidden is None else drawn & ~layer.hidden
        return table[np.where(drawn, layer.values, len(layer.palette))], shown
    low, high = layer.scale
    values = _spread(np.clip((layer.values - low) / max(high - low, 1e-12), 0, 1), layer.covers, size)
    shown = np.ones(size, bool)
    if layer.hidden is not None:
        shown = _spread((~layer.hidden).astype(np.float32), layer.covers, size) >= 0.5
    return _table()[(values * 255).astype(np.uint8)], shown


def _spread(values: np.ndarray, covers: tuple[float, float] | None, size: tuple[int, int]) -> np.ndarray:
    """A map (h, w) resized to the size of its image; padding is cut off."""
    height, width = covers or size
    if values.shape == (round(height), round(width)):
        return values[: size[0], : size[1]]
    large = Image.fromarray(values.astype(np.float32)).resize(
        (size[1], size[0]), Image.Resampling.BILINEAR,
        box=(0, 0, values.shape[1] * size[1] / width, values.shape[0] * size[0] / height),
    )  # fmt: skip
    return np.asarray(large)


def _enlarged(picture: np.ndarray) -> np.ndarray:
    factor = SMALLEST // picture.shape[1]
    if factor < 2:
        return picture
    return np.asarray(Image.fromarray(picture).resize(
        (picture.shape[1] * factor, picture.shape[0] * factor), Image.Resampling.BICUBIC))  # fmt: skip


def _ringed(picture: np.ndarray, pixel: tuple[float, float]) -> np.ndarray:
    height, width = picture.shape[:2]
    canvas = Image.fromarray(picture)
    draw, radius = ImageDraw.Draw(canvas), max(3, round(0.014 * max(height, width)))
    row, column = pixel[0] * height, pixel[1] * width
    for shade, wide, reach in (("black", 5, radius + 2), ("white", 3, radius + 1)):  # visible on dark and bright
        draw.ellipse((column - reach, row - reach, column + reach, row + reach), outline=shade, width=wide)
    return np.asarray(canvas)


@lru_cache(maxsize=1)
def _table() -> np.ndarray:
    """RGB 0..255 of a map's 256 steps, float32."""
    return (matplotlib.colormaps[HEAT](np.arange(256))[:, :3] * 255).astype(np.float32)
