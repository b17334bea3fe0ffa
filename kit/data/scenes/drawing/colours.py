"""Colours of synthetic scenes, RGB in 0..255, and random choices."""

import colorsys

import numpy as np

Colour = tuple[int, int, int]


def tint(rgb, factor: float = 1.0) -> Colour:
    """A colour times a brightness, clipped to 0..255."""
    r, g, b = int(rgb[0] * factor), int(rgb[1] * factor), int(rgb[2] * factor)
    if 0 <= r <= 255 and 0 <= g <= 255 and 0 <= b <= 255:
        return r, g, b
    return min(max(r, 0), 255), min(max(g, 0), 255), min(max(b, 0), 255)


def mix(one, other, share: float) -> Colour:
    """`share` of the way from one colour to the other."""
    return tint([a + (b - a) * share for a, b in zip(one, other, strict=True)])


def hexes(text: str) -> tuple[Colour, ...]:
    """The colours of "rrggbb rrggbb ..."."""
    return tuple(tuple(bytes.fromhex(colour)) for colour in text.split())


def uni(rng: np.random.Generator, low: float, high: float) -> float:
    """One number between low and high; plain float arithmetic is several times faster than rng.uniform."""
    return low + (high - low) * rng.random()


def pick(rng: np.random.Generator, items):
    """One item, all equally likely."""
    return items[int(rng.random() * len(items))]


def hsv(rng: np.random.Generator, saturation: float, value: float) -> Colour:
    """A colour of random hue; saturation and value in 0..1."""
    return tint(colorsys.hsv_to_rgb(rng.random(), saturation, value), 255)
