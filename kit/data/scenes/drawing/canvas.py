"""The camera, and the two pictures that every part of a synthetic scene is painted on: colours and tags.

Metres everywhere: x to the right of the road's centre line, y up from the ground, z ahead of the camera.
Strokes paint both pictures, so the mask, the texture and the fog fit the colours exactly.
"""

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from kit.data.scenes.drawing.colours import Colour
from kit.data.scenes.drawing.tags import GLOW, PLAIN, tag_of

ROUND = tuple((math.cos(k * math.pi / 6), math.sin(k * math.pi / 6)) for k in range(12))
"""Twelve points of the unit circle."""


@dataclass(frozen=True)
class Camera:
    """A pinhole camera on a road that may bend.

    focal, cx, horizon: pixels of the oversampled canvas; height: metres above ground; roll: slope of the horizon.
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
    """Direction of the light on the ground (x, z), share of direct light, and shadow length per metre of height."""

    x: float
    z: float
    direct: float
    reach: float

    def on(self, nx: float, nz: float) -> float:
        """Brightness of an upright surface with outward normal (nx, nz), about 0.6 to 1.15."""
        return 1.0 - 0.45 * self.direct + 0.6 * self.direct * max(0.0, nx * self.x + nz * self.z)


class Canvas:
    """Paints colour and tag together, in canvas pixels."""

    def __init__(self, camera: Camera, sun: Sun, colour: np.ndarray, tags: np.ndarray, night: bool, season: str):
        self.camera, self.sun, self.night, self.season = camera, sun, night, season
        self.colour, self.tags = Image.fromarray(colour), Image.fromarray(tags)
        self._draw, self._mark = ImageDraw.Draw(self.colour), ImageDraw.Draw(self.tags)
        self.lamps: list[tuple[float, float, float]] = []  # canvas column, row, radius of light pools at night

    def poly(self, points, rgb, tag: int | None) -> None:
        """A filled polygon; without a tag it changes only the colours."""
        self._draw.polygon(points, fill=rgb)
        if tag is not None:
            self._mark.polygon(points, fill=tag)

    def disc(self, u: float, v: float, ru: float, rv: float, rgb, tag: int) -> None:
        """A filled ellipse with half axes ru, rv."""
        bounds = (u - ru, v - rv, u + ru, v + rv)
        self._draw.ellipse(bounds, fill=rgb)
        self._mark.ellipse(bounds, fill=tag)

    def line(self, points, rgb, tag: int, width: float) -> None:
        """A line; at least one canvas pixel wide, so that far poles do not vanish."""
        stroke = {"width": max(int(width + 0.5), 1), "joint": "curve" if len(points) > 2 else None}
        self._draw.line(points, fill=rgb, **stroke)
        self._mark.line(points, fill=tag, **stroke)

    def glow(self, tag: int) -> int:
        """The tag of something that emits light at night: the same label and distance, another material."""
        return (tag & ~0xFF00 | GLOW << 8) if self.night else tag

    def peek(self, u: float, v: float) -> Colour:
        """The current colour at a place, for wheels and fences to look through; grey beyond the canvas."""
        inside = 0 <= u < self.colour.width and 0 <= v < self.colour.height
        return self.colour.getpixel((int(u), int(v))) if inside else (90, 90, 90)


class Board:
    """An upright card facing the camera at (x, z): draws in metres right of and above its foot.

    Strokes have the card's tag unless they name another.
    """

    def __init__(self, canvas: Canvas, x: float, z: float, label: int, material: int = PLAIN):
        self.canvas, self.tag = canvas, tag_of(label, z, material)
        self.u, self.v = canvas.camera.project(x, 0.0, z)
        self.scale = canvas.camera.focal / z

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Canvas pixels of a point on the card."""
        return self.u + x * self.scale, self.v - y * self.scale

    def poly(self, points, rgb, tag: int | None = None) -> None:
        """A polygon in metres."""
        self.canvas.poly([self.at(*p) for p in points], rgb, tag or self.tag)

    def rect(self, x0, y0, x1, y1, rgb) -> None:
        """An upright rectangle in metres."""
        self.poly([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], rgb)

    def shape(self, levels, rgb, tag: int | None = None) -> None:
        """A polygon in metres, given by (middle, half width, height) of each level from below upwards."""
        left, right = ([(x + side * half, y) for x, half, y in levels] for side in (-1, 1))
        self.poly(left[:1] + right + left[:0:-1], rgb, tag)

    def disc(self, x, y, rx, ry, rgb, tag: int | None = None) -> None:
        """An ellipse in metres."""
        self.canvas.disc(*self.at(x, y), rx * self.scale, ry * self.scale, rgb, tag or self.tag)

    def line(self, points, rgb, width) -> None:
        """A line in metres, width included."""
        self.canvas.line([self.at(*p) for p in points], rgb, self.tag, width * self.scale)

    def limb(self, points, rgb, width) -> None:
        """A line with round ends: arms, legs."""
        self.line(points, rgb, width)
        if width * self.scale > 2.5:
            for x, y in (points[0], points[-1]):
                self.disc(x, y, width / 2, width / 2, rgb)


class Face:
    """A flat four-cornered piece of the world; details are placed on it by fractions (s across, t up)."""

    def __init__(self, canvas: Canvas, corners, tag: int):
        """corners: (x, y, z) at bottom start, bottom end, top end, top start; tag: of strokes that name no other."""
        self.canvas, self.corners, self.tag = canvas, corners, tag
        # a place on the face is p + s * q + t * r + s * t * w, worked out once for each of x, y, z
        self._basis = [(a, b - a, d - a, a - b + c - d) for a, b, c, d in zip(*corners, strict=True)]

    @classmethod
    def along(cls, canvas: Canvas, x: float, z0: float, z1: float, height: float, tag: int):
        """An upright face beside the road, `height` metres above the ground."""
        return cls(canvas, ((x, 0, z0), (x, 0, z1), (x, height, z1), (x, height, z0)), tag)

    @classmethod
    def across(cls, canvas: Canvas, x0: float, x1: float, z: float, height: float, tag: int):
        """An upright face towards the camera, between x0 and x1 in either order."""
        left, right = sorted((x0, x1))
        return cls(canvas, ((left, 0, z), (right, 0, z), (right, height, z), (left, height, z)), tag)

    def point(self, s: float, t: float) -> tuple[float, float]:
        """Canvas pixels of a place on the face."""
        return self.canvas.camera.project(*[p + s * q + t * (r + s * w) for p, q, r, w in self._basis])

    def fill(self, rgb) -> None:
        """Fill all of the face."""
        self.rect(0, 0, 1, 1, rgb)

    def rect(self, s0, t0, s1, t1, rgb, tag: int | None = None) -> None:
        """Fill a part of the face."""
        corners = [self.point(s0, t0), self.point(s1, t0), self.point(s1, t1), self.point(s0, t1)]
        self.canvas.poly(corners, rgb, tag or self.tag)

    def oval(self, s: float, t: float, rs: float, rt: float, rgb, tag: int | None) -> None:
        """Fill an ellipse of the face, seen in perspective."""
        self.canvas.poly([self.point(s + rs * c, t + rt * d) for c, d in ROUND], rgb, tag)

    def visible(self) -> bool:
        """Whether the side with bottom start on the left faces the camera."""
        (ax, ay), (bx, by), (cx, cy) = (self.canvas.camera.project(*p) for p in self.corners[:3])
        return (bx - ax) * (cy - ay) - (by - ay) * (cx - ax) < 0
