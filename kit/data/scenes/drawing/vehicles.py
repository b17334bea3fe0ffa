"""Cars, trucks, buses and trams of a synthetic scene: tapered boxes seen from any side."""

import math

from kit.data.scenes.drawing.canvas import Canvas, Face
from kit.data.scenes.drawing.colours import Colour, hexes, hsv, pick, tint, uni
from kit.data.scenes.drawing.tags import BUS, CAR, TRAIN, TRUCK, tag_of

GLASS = hexes("1c222a 323c46 556470 141619")
SOBER = hexes("e1e1de b4b7ba 787c80 464a50 1c1d20 101114 c4bcaa")
CARS = (
    (3.9, 1.72, 0.92, 1.48, 0.05, 1.0),  # hatchback
    (4.6, 1.8, 0.9, 1.43, 0.85, 1.2),  # saloon
    (4.7, 1.82, 0.92, 1.47, 0.05, 1.2),  # estate
    (4.5, 1.9, 1.08, 1.75, 0.05, 1.15),  # off-roader
    (4.8, 1.95, 1.2, 2.1, 0.02, 0.7),  # van
)
"""Metres: length, width, waist, height, and lengths of boot and bonnet."""
VAN = 4
HEAD_LAMPS, TAIL_LAMPS = ((205, 208, 210), (255, 250, 225)), ((150, 22, 20), (255, 40, 25))
"""Colours by day and at night."""
BOX = {"top": (4, 5, 6, 7), "tail": (0, 1, 5, 4), "right": (1, 2, 6, 5), "nose": (2, 3, 7, 6), "left": (3, 0, 4, 7)}
"""Faces of a box -> their corners: 0 to 3 are its floor, from the left end of the tail, 4 to 7 its top above them."""


def paint_colour(rng, sober: float = 0.6) -> Colour:
    """A car's paint: mostly greys, white and black, else any hue."""
    if rng.random() < sober:
        return tint(pick(rng, SOBER), uni(rng, 0.85, 1.1))
    return hsv(rng, uni(rng, 0.35, 0.85), uni(rng, 0.25, 0.75))


class Vehicle:
    """A place, a heading and a label; builds boxes in its own frame (a right, b ahead, y up; b = 0 at the tail)."""

    def __init__(self, canvas: Canvas, label: int, x: float, z: float, yaw: float):
        """x, z: middle of the tail; yaw 0 drives away from the camera, pi towards it (radians)."""
        self.canvas, self.x, self.z, self.tag = canvas, x, z, tag_of(label, z)
        self.cos, self.sin = cos, sin = math.cos(yaw), math.sin(yaw)
        outward = {"tail": (-sin, -cos), "right": (cos, -sin), "nose": (sin, cos), "left": (-cos, sin)}
        self.light = {"top": 1.12} | {name: canvas.sun.on(*normal) for name, normal in outward.items()}

    def world(self, a: float, b: float, y: float) -> tuple[float, float, float]:
        """Own frame to world."""
        return self.x + a * self.cos + b * self.sin, y, max(self.z - a * self.sin + b * self.cos, 1.0)

    def face(self, *corners) -> Face:
        """The face with these corners (a, b, y)."""
        return Face(self.canvas, [self.world(*corner) for corner in corners], self.tag)

    def box(self, width, b0, b1, y0, y1, rgb, lean=(0.0, 0.0, 0.0)) -> dict[str, Face]:
        """A box between b0 and b1 and y0 and y1, its top drawn in by lean = (tail, nose, flanks) metres.

        Returns the faces the camera sees, by name: tail, nose, left, right, top.
        """
        w, v, t0, t1 = width / 2, width / 2 - lean[2], b0 + lean[0], b1 - lean[1]
        corners = [(-w, b0, y0), (w, b0, y0), (w, b1, y0), (-w, b1, y0)]
        corners += [(-v, t0, y1), (v, t0, y1), (v, t1, y1), (-v, t1, y1)]
        faces = {name: self.face(*(corners[k] for k in places)) for name, places in BOX.items()}
        seen = {name: face for name, face in faces.items() if face.visible()}
        for name, face in seen.items():
            face.fill(tint(rgb, self.light[name]))
        return seen

    def treads(self, width, radius, places) -> None:
        """Tyres seen from the front or back; paint them before the body, which covers their upper parts."""
        for b in sorted(places, reverse=self.cos > 0):
            for a0, a1 in ((-width / 2, 0.24 - width / 2), (width / 2 - 0.24, width / 2)):
                self.face((a0, b, 0.0), (a1, b, 0.0), (a1, b, 2 * radius), (a0, b, 2 * radius)).fill((20, 20, 22))

    def wheels(self, width, length, radius, places) -> None:
        """Wheels on the flank that the camera sees, at the given distances from the tail."""
        for side in (-1, 1):
            a = side * (width / 2 + 0.01)
            b0, b1 = (0, length) if side > 0 else (length, 0)
            face = self.face((a, b0, 0.0), (a, b1, 0.0), (a, b1, radius * 2), (a, b0, radius * 2))
            for b in places if face.visible() else ():
                s = b / length if side > 0 else 1 - b / length
                face.oval(s, 0.5, radius / length, 0.5, (18, 18, 20), self.tag)
                face.oval(s, 0.5, 0.55 * radius / length, 0.28, (120, 122, 125), None)

    def lamps(self, face: Face, colours, level: float, inset: float = 0.04, wide: float = 0.16) -> None:
        """Two lamps, HEAD_LAMPS or TAIL_LAMPS; at night they emit light."""
        for s in (inset, 1 - inset - wide):
            face.rect(s, level, s + wide, level + 0.18, colours[self.canvas.night], self.canvas.glow(self.tag))


def car(canvas: Canvas, rng, x: float, z: float, yaw: float) -> None:
    """A hatchback, saloon, estate, off-roader or van."""
    kind, rgb, glass = int(rng.random() * len(CARS)), paint_colour(rng), pick(rng, GLASS)
    length, width, waist, height, boot, bonnet = CARS[kind]
    height *= uni(rng, 0.95, 1.06)
    length *= uni(rng, 0.93, 1.06)
    me, van = Vehicle(canvas, CAR, x, z, yaw), kind == VAN
    radius, axles = 0.32 if kind < 3 else 0.36, (0.17 * length, 0.81 * length)
    me.treads(width, radius, axles)
    me.box(width * 0.92, 0.1, length - 0.1, 0.16, 0.4, (20, 20, 22))
    body = me.box(width, 0, length, 0.3, waist, rgb, (0.06, 0.15, 0.03))
    lean = (0.08, 0.55, 0.17) if van else (0.35, 0.7, 0.17)
    cabin = me.box(width - 0.08, boot, length - bonnet, waist - 0.01, height, rgb, lean)
    for name, face in cabin.items():
        if name in ("left", "right"):
            panes = ((0.08, 0.36), (0.40, 0.66), (0.70, 0.93))
            if van and rng.random() < 0.6:  # a delivery van has glass at the front doors only
                panes = ((0.70, 0.94),) if name == "right" else ((0.06, 0.30),)
            for s0, s1 in panes:
                face.rect(s0, 0.12, s1, 0.86, glass)
        elif name != "top" and not (van and name == "tail" and rng.random() < 0.4):
            face.rect(0.08, 0.14, 0.92, 0.88, tint(glass, uni(rng, 0.9, 1.5)))
    for name, lamps in (("tail", TAIL_LAMPS), ("nose", HEAD_LAMPS)):
        if face := body.get(name):
            face.rect(0.02, 0.0, 0.98, 0.2, tint(rgb, 0.6) if rng.random() < 0.5 else (40, 40, 42))
            if name == "nose":
                face.rect(0.25, 0.38, 0.75, 0.62, (26, 27, 30))
            face.rect(0.36, 0.22, 0.64, 0.38, (215, 215, 205))
            me.lamps(face, lamps, 0.58)
    for name, doors in (("left", (0.38, 0.58)), ("right", (0.42, 0.62))):
        for s in doors if name in body else ():
            body[name].rect(s, 0.12, s + 0.006, 1.0, tint(rgb, 0.6))
    me.wheels(width, length, radius, axles)


def truck(canvas: Canvas, rng, x: float, z: float, yaw: float) -> None:
    """A box lorry, flatbed, tanker-like or tipper: cab ahead, load behind."""
    cab, load, kind = paint_colour(rng, 0.35), paint_colour(rng, 0.5), int(rng.random() * 3)
    length, width, height = uni(rng, 6, 10.5), uni(rng, 2.3, 2.55), uni(rng, 2.9, 3.9)
    me = Vehicle(canvas, TRUCK, x, z, yaw)
    split = length - 2.1

    def draw_cab():
        top = uni(rng, 2.5, min(height, 3.2))
        faces = me.box(width * 0.97, split + 0.15, length, 0.5, top, cab, (0, 0.25, 0.06))
        if "nose" in faces:
            faces["nose"].rect(0.08, 0.5, 0.92, 0.86, (25, 30, 36))
            faces["nose"].rect(0.2, 0.12, 0.8, 0.36, tint(cab, 0.45))
            me.lamps(faces["nose"], HEAD_LAMPS, 0.02)
        for name in ("left", "right"):
            if name in faces:
                faces[name].rect(0.3, 0.5, 0.85, 0.85, (28, 34, 40))

    def draw_load():
        me.box(width * 0.9, 0.2, length - 0.2, 0.45, 0.95, (32, 33, 35))
        faces = me.box(width, 0, split, 0.9, height if kind < 2 else 1.7, load, (0, 0, 0.0 if kind else 0.1))
        if kind == 2:
            me.box(width * 0.9, 0.2, split - 0.2, 1.69, uni(rng, 1.9, 2.4), (110, 84, 60), (0.5, 0.5, 0.5))
        for name, face in faces.items():
            if name == "tail":
                face.rect(0.49, 0.02, 0.51, 0.98, tint(load, 0.55))
                face.rect(0.02, 0.02, 0.98, 0.06, tint(load, 0.5))
                me.lamps(face, TAIL_LAMPS, -0.08, 0.02, 0.12)
            elif name in ("left", "right"):
                if kind == 1:
                    for k in range(1, 8):
                        face.rect(k / 8, 0.02, k / 8 + 0.01, 0.98, tint(load, 0.7))
                elif rng.random() < 0.6:
                    face.rect(0.15, 0.4, 0.8, 0.65, hsv(rng, 0.6, 0.6))

    axles = (1.0, 2.1, length - 1.3)
    me.treads(width, 0.5, axles)
    for part in (draw_cab, draw_load) if me.cos > 0 else (draw_load, draw_cab):
        part()
    me.wheels(width, length, 0.5, axles)


def long_body(canvas, rng, label, x, z, yaw, length, width, height, rgb, band, axles=()) -> Vehicle:
    """The common shape of buses and trams: a long box, a row of windows, doors; axles as fractions of the length."""
    me = Vehicle(canvas, label, x, z, yaw)
    axles = [length * part for part in axles]
    me.treads(width, 0.48, axles)
    faces = me.box(width, 0, length, 0.35, height, rgb, (0.05, 0.12, 0.06))
    glass, panes, glow = pick(rng, GLASS[:3]), max(int(length / 1.5), 4), canvas.glow(me.tag)
    window = ((225, 210, 160), glow) if canvas.night and rng.random() < 0.85 else (glass, None)
    for name, face in faces.items():
        if name in ("left", "right"):
            face.rect(0, 0.0, 1, 0.12, tint(band, 0.6))
            if rng.random() < 0.7:
                face.rect(0, 0.3, 1, 0.38, band)
            for k in range(panes):
                sill = 0.05 if k % 4 == 1 else 0.46  # doors reach down
                face.rect((k + 0.1) / panes, sill, (k + 0.92) / panes, 0.84, *window)
        elif name in ("nose", "tail"):
            face.rect(0.06, 0.42, 0.94, 0.84, glass)
            face.rect(0.2, 0.87, 0.8, 0.96, (20, 20, 20))
            face.rect(0.3, 0.89, 0.7, 0.94, (250, 170, 40), glow)
            face.rect(0.02, 0.03, 0.98, 0.1, tint(rgb, 0.5))
            face.rect(0, 0.3, 1, 0.37, band)
            me.lamps(face, HEAD_LAMPS if name == "nose" else TAIL_LAMPS, 0.12)
    me.wheels(width, length, 0.48, axles)
    return me


def bus(canvas: Canvas, rng, x: float, z: float, yaw: float) -> None:
    """A city bus or coach, sometimes a double-decker."""
    length, tall = uni(rng, 9.5, 12.5), rng.random() < 0.15
    rgb = hsv(rng, uni(rng, 0.5, 0.95), uni(rng, 0.45, 0.9)) if rng.random() < 0.7 else pick(rng, SOBER[:3])
    height = 4.2 if tall else uni(rng, 2.9, 3.3)
    long_body(canvas, rng, BUS, x, z, yaw, length, 2.5, height, rgb, hsv(rng, 0.7, 0.7), (0.27, 0.78))


def tram(canvas: Canvas, rng, x: float, z: float, yaw: float) -> None:
    """Two or three tram cars in a row with a current collector on the roof; farthest first."""
    rgb = hsv(rng, uni(rng, 0.4, 0.9), uni(rng, 0.5, 0.9)) if rng.random() < 0.6 else (222, 220, 208)
    band, count, length = hsv(rng, 0.8, 0.6), 2 + int(rng.random() * 2), uni(rng, 8.5, 11)
    aside = math.sin(yaw) * (1 if math.cos(yaw) > 0 else -1)
    for k in reversed(range(count)):
        shift = k * (length + 0.25)
        me = long_body(canvas, rng, TRAIN, x + shift * aside, z + shift, yaw, length, 2.45, 3.45, rgb, band)
        me.box(1.6, 1, length - 1, 3.44, 3.75, (95, 97, 100))
    reach = canvas.camera.focal / me.z
    foot, (u, v), (top, high) = (canvas.camera.project(*me.world(0, length * 0.5, y)) for y in (3.7, 4.6, 5.2))
    for points in ([foot, (u + 0.5 * reach, v), (top, high)], [(top - 0.7 * reach, high), (top + 0.7 * reach, high)]):
        canvas.line(points, (40, 40, 42), me.tag, 0.08 * reach)
