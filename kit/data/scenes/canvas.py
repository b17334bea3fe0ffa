"""The camera and the two pictures every part of a synthetic scene is painted on: colours and tags.

Metres everywhere: x to the right of the road's centre line, y up from the ground, z ahead of the camera.
A tag packs what a pixel shows (label id, material, distance) into one integer, so the mask, the texture
and the fog all come from the very strokes that made the picture.
"""

import colorsys
import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

VOID, ROAD, SIDEWALK, BUILDING, WALL, FENCE, POLE = 0, 7, 8, 11, 12, 13, 17
LIGHT, SIGN, VEGETATION, TERRAIN, SKY, PERSON, RIDER = 19, 20, 21, 22, 23, 24, 25
CAR, TRUCK, BUS, TRAIN, MOTORCYCLE, BICYCLE = 26, 27, 28, 31, 32, 33
LABEL_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)

PLAIN, ROUGH, LEAF, GRASS, MASONRY, GLOW = range(6)
"""Materials: they set how much texture a surface gets; GLOW shines by itself."""

DEPTH_STEPS = 8
"""Tag units per metre; 12 bits reach 511 m, which is where the sky hangs."""
SKY_DEPTH = 4095


def tag_of(label: int, z: float, material: int = PLAIN) -> int:
    """Pack label id, distance in metres and material into one positive 32-bit integer."""
    return label | material << 8 | min(max(int(z * DEPTH_STEPS), 0), SKY_DEPTH) << 16


def tint(rgb, factor: float = 1.0) -> tuple[int, int, int]:
    """A colour times a brightness, clipped to 0..255."""
    r, g, b = int(rgb[0] * factor), int(rgb[1] * factor), int(rgb[2] * factor)
    if 0 <= r <= 255 and 0 <= g <= 255 and 0 <= b <= 255:
        return r, g, b
    return min(max(r, 0), 255), min(max(g, 0), 255), min(max(b, 0), 255)


def mix(one, other, share: float) -> tuple[int, int, int]:
    """`share` of the way from one colour to the other."""
    return tint([a + (b - a) * share for a, b in zip(one, other, strict=True)])


def uni(rng: np.random.Generator, low: float, high: float) -> float:
    """One number between low and high; plain float arithmetic is several times faster than rng.uniform."""
    return low + (high - low) * rng.random()


def pick(rng: np.random.Generator, items):
    """One item, all equally likely."""
    return items[int(rng.random() * len(items))]


def hsv(rng: np.random.Generator, saturation: float, value: float) -> tuple[int, int, int]:
    """A colour of random hue; saturation and value in 0..1."""
    return tint(colorsys.hsv_to_rgb(rng.random(), saturation, value), 255)


@dataclass(frozen=True)
class Camera:
    """A pinhole camera on a road that may bend. Lengths in picture pixels of the oversampled canvas.

    focal, cx, horizon: pixels; height: metres above ground; roll: slope of the horizon.
    offset, yaw, curve: where the centre line lies at distance z, offset + yaw z + curve z^2 / 2 (flattened far away).
    """

    focal: float
    cx: float
    horizon: float
    height: float
    roll: float
    offset: float
    yaw: float
    curve: float

    def bend(self, z):
        """Sideways place of the centre line at distance z (number or array), metres."""
        return self.offset + self.yaw * z + 0.5 * self.curve * z * z / (1 + z / 80)

    def project(self, x: float, y: float, z: float) -> tuple[float, float]:
        """A point of the world in canvas pixels (column, row); z must be positive."""
        u = self.focal * (x + self.bend(z)) / z
        return self.cx + u, self.horizon + self.focal * (self.height - y) / z + self.roll * u


@dataclass(frozen=True)
class Sun:
    """Where light comes from: a direction on the ground (x, z), how much is direct, and shadow length per metre."""

    x: float
    z: float
    direct: float
    reach: float

    def on(self, nx: float, nz: float) -> float:
        """Brightness of an upright surface with outward normal (nx, nz), about 0.6 to 1.15."""
        return 1.0 - 0.45 * self.direct + 0.6 * self.direct * max(0.0, nx * self.x + nz * self.z)


class Canvas:
    """Paints colour and tag together; a stroke without a tag only decorates what is already there."""

    def __init__(self, camera: Camera, sun: Sun, colour: np.ndarray, tags: np.ndarray, night: bool):
        self.camera, self.sun, self.night = camera, sun, night
        self.colour, self.tags = Image.fromarray(colour), Image.fromarray(tags)
        self._draw, self._mark = ImageDraw.Draw(self.colour), ImageDraw.Draw(self.tags)
        self.lamps: list[tuple[float, float, float]] = []  # canvas column, row, radius of light pools at night

    def poly(self, points, rgb, tag: int | None = None) -> None:
        """A filled polygon in canvas pixels."""
        self._draw.polygon(points, fill=rgb)
        if tag is not None:
            self._mark.polygon(points, fill=tag)

    def disc(self, u: float, v: float, ru: float, rv: float, rgb, tag: int | None = None) -> None:
        """A filled ellipse with half axes ru, rv in canvas pixels."""
        bounds = (u - ru, v - rv, u + ru, v + rv)
        self._draw.ellipse(bounds, fill=rgb)
        if tag is not None:
            self._mark.ellipse(bounds, fill=tag)

    def line(self, points, rgb, tag: int | None, width: float) -> None:
        """A line; at least one canvas pixel wide, so that far poles survive as one."""
        pixels = max(int(width + 0.5), 1)
        self._draw.line(points, fill=rgb, width=pixels, joint="curve" if len(points) > 2 else None)
        if tag is not None:
            self._mark.line(points, fill=tag, width=pixels, joint="curve" if len(points) > 2 else None)

    def glow(self, rgb, tag: int) -> tuple[tuple[int, int, int], int]:
        """Colour and tag of something that shines at night: the same label and distance, another material."""
        return rgb, (tag & ~0xFF00 | GLOW << 8) if self.night else tag

    def peek(self, u: float, v: float, default=(90, 90, 90)) -> tuple[int, int, int]:
        """The colour now at a place, to look through wheels and glass."""
        inside = 0 <= u < self.colour.width and 0 <= v < self.colour.height
        return self.colour.getpixel((int(u), int(v))) if inside else default


class Board:
    """An upright card facing the camera at (x, z): draws in metres right of and above its foot."""

    def __init__(self, canvas: Canvas, x: float, z: float, y: float = 0.0):
        self.canvas, self.z = canvas, z
        self.u, self.v = canvas.camera.project(x, y, z)
        self.scale = canvas.camera.focal / z

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Canvas pixels of a point on the card."""
        return self.u + x * self.scale, self.v - y * self.scale

    def poly(self, points, rgb, tag=None) -> None:
        """A polygon in metres."""
        self.canvas.poly([self.at(*p) for p in points], rgb, tag)

    def rect(self, x0, y0, x1, y1, rgb, tag=None) -> None:
        """An upright rectangle in metres."""
        self.poly([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], rgb, tag)

    def disc(self, x, y, rx, ry, rgb, tag=None) -> None:
        """An ellipse in metres."""
        self.canvas.disc(*self.at(x, y), rx * self.scale, ry * self.scale, rgb, tag)

    def line(self, points, rgb, tag, width) -> None:
        """A line in metres, width included."""
        self.canvas.line([self.at(*p) for p in points], rgb, tag, width * self.scale)

    def limb(self, points, rgb, tag, width) -> None:
        """A line with round ends: arms, legs, branches."""
        self.line(points, rgb, tag, width)
        if width * self.scale > 2.5:
            for x, y in (points[0], points[-1]):
                self.disc(x, y, width / 2, width / 2, rgb, tag)


class Face:
    """A flat four-cornered piece of the world; details are placed on it by fractions (s across, t up)."""

    def __init__(self, canvas: Canvas, corners):
        """corners: (x, y, z) at bottom start, bottom end, top end, top start."""
        self.canvas, self.corners = canvas, corners
        self.tag: int | None = (
            None  # of the first tagged stroke; details inherit it, so that none can stray from the mask
        )
        # a place on the face is p + s * q + t * r + s * t * w, worked out once for each of x, y, z
        self._basis = [(a, b - a, d - a, a - b + c - d) for a, b, c, d in zip(*corners, strict=True)]

    def point(self, s: float, t: float) -> tuple[float, float]:
        """Canvas pixels of a place on the face."""
        return self.canvas.camera.project(*[p + s * q + t * (r + s * w) for p, q, r, w in self._basis])

    def rect(self, s0, t0, s1, t1, rgb, tag=None) -> None:
        """Fill a part of the face; (0, 0, 1, 1) is all of it."""
        self.tag = tag if self.tag is None else self.tag
        tag = self.tag if tag is None else tag
        self.canvas.poly([self.point(s0, t0), self.point(s1, t0), self.point(s1, t1), self.point(s0, t1)], rgb, tag)

    def oval(self, s: float, t: float, rs: float, rt: float, rgb, tag=None) -> None:
        """Fill an ellipse of the face, seen in perspective."""
        tag = self.tag if tag is None else tag
        self.canvas.poly([self.point(s + rs * c, t + rt * d) for c, d in ROUND], rgb, tag)

    def turned_to_us(self) -> bool:
        """Whether the side with bottom start on the left is what the camera sees."""
        (ax, ay), (bx, by), (cx, cy) = (self.canvas.camera.project(*p) for p in self.corners[:3])
        return (bx - ax) * (cy - ay) - (by - ay) * (cx - ax) < 0


ROUND = tuple((math.cos(k * math.pi / 6), math.sin(k * math.pi / 6)) for k in range(12))
"""Twelve points of the unit circle."""
