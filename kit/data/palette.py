"""Default colours for classes without one, as different from each other and from black as possible."""

from functools import lru_cache

import numpy as np

from kit.data.spec import Colour

LEVELS = (0, 40, 80, 120, 160, 200, 240)
"""Values of red, green and blue that are combined."""

TAKEN = ((0, 0, 0), (255, 255, 255), (128, 128, 128))
"""Colours that no class gets: black marks ignored pixels, white looks like paper, grey like a photograph."""


@lru_cache
def default_colours(count: int) -> tuple[Colour, ...]:
    """The first `count` colours (at most 342) of one fixed list, each the farthest in CIELAB from all before it."""
    colours = np.stack(np.meshgrid(LEVELS, LEVELS, LEVELS, indexing="ij"), -1).reshape(-1, 3)
    places = _lab(colours)
    away = np.min([np.linalg.norm(places - place, axis=1) for place in _lab(np.array(TAKEN))], axis=0)
    chosen = []
    while len(chosen) < count and away.max() > 0:
        at = int(away.argmax())
        chosen.append(tuple(colours[at].tolist()))
        away = np.minimum(away, np.linalg.norm(places - places[at], axis=1))
    return tuple(chosen)


def _lab(colours: np.ndarray) -> np.ndarray:
    """CIELAB (N, 3) of sRGB values (N, 3) in 0..255, under D65 (IEC 61966-2-1 and CIE 15)."""
    rgb = colours / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = linear @ to_xyz.T / to_xyz.sum(1)
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], 1)
