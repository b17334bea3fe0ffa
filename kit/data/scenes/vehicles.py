"""Cars, trucks, buses and trams of a synthetic scene: tapered boxes seen from any side."""

import math

from kit.data.scenes.canvas import BUS, CAR, TRAIN, TRUCK, Canvas, Face, hsv, pick, tag_of, tint, uni

GLASS = ((28, 34, 42), (50, 60, 70), (85, 100, 112), (20, 22, 25))
SOBER = ((225, 225, 222), (180, 183, 186), (120, 124, 128), (70, 74, 80), (28, 29, 32), (16, 17, 20), (196, 188, 170))


def paint_colour(rng, sober: float = 0.6):
    """A car's lacquer: mostly greys, white and black, else any hue."""
    return (
        tint(pick(rng, SOBER), uni(rng, 0.85, 1.1))
        if rng.random() < sober
        else hsv(rng, uni(rng, 0.35, 0.85), uni(rng, 0.25, 0.75))
    )


class Vehicle:
    """A place, a heading and a label; builds boxes in its own frame (a right, b ahead, y up; b = 0 at the tail)."""

    def __init__(self, canvas: Canvas, label: int, x: float, z: float, yaw: float):
        """x, z: middle of the tail; yaw 0 drives away from the camera, pi towards it (radians)."""
        self.canvas, self.label, self.x, self.z = canvas, label, x, z
        self.cos, self.sin = math.cos(yaw), math.sin(yaw)
        self.tag = tag_of(label, z)

    def world(self, a: float, b: float, y: float) -> tuple[float, float, float]:
        """Own frame to world."""
        return self.x + a * self.cos + b * self.sin, y, max(self.z - a * self.sin + b * self.cos, 1.0)

    def box(self, width, b0, b1, y0, y1, rgb, lean=(0.0, 0.0, 0.0)) -> dict[str, Face]:
        """A box between b0 and b1 and y0 and y1, its top drawn in by lean = (tail, nose, flanks) metres.

        Returns the faces the camera sees, by name: tail, nose, left, right, top.
        """
        w, v = width / 2, width / 2 - lean[2]
        low = [self.world(a, b, y0) for a, b in ((-w, b0), (w, b0), (w, b1), (-w, b1))]
        top = [
            self.world(a, b, y1)
            for a, b in ((-v, b0 + lean[0]), (v, b0 + lean[0]), (v, b1 - lean[1]), (-v, b1 - lean[1]))
        ]
        sides = {"tail": (0, 1, 0, -1), "right": (1, 2, 1, 0), "nose": (2, 3, 0, 1), "left": (3, 0, -1, 0)}
        seen = {}
        roof = Face(self.canvas, top)
        if roof.turned_to_us():
            roof.rect(0, 0, 1, 1, tint(rgb, 1.12), self.tag)
            seen["top"] = roof
        for name, (i, j, na, nb) in sides.items():
            face = Face(self.canvas, (low[i], low[j], top[j], top[i]))
            if face.turned_to_us():
                shade = self.canvas.sun.on(na * self.cos + nb * self.sin, -na * self.sin + nb * self.cos)
                face.rect(0, 0, 1, 1, tint(rgb, shade), self.tag)
                seen[name] = face
        return seen

    def treads(self, width, radius, places) -> None:
        """Tyres as seen from before or behind; paint them first, the body then covers their upper parts."""
        for b in sorted(places, reverse=self.cos > 0):
            for a0, a1 in ((-width / 2, 0.24 - width / 2), (width / 2 - 0.24, width / 2)):
                corners = [self.world(a, b, y) for a, y in ((a0, 0.0), (a1, 0.0), (a1, 2 * radius), (a0, 2 * radius))]
                Face(self.canvas, corners).rect(0, 0, 1, 1, (20, 20, 22), self.tag)

    def wheels(self, width, length, radius, places) -> None:
        """Wheels on the flank we see, at the given distances from the tail; the far ones peep out underneath."""
        for side, order in ((-1, (1, 0)), (1, (0, 1))):
            a = side * (width / 2 + 0.01)
            ends = [self.world(a, (0, length)[k], 0.0) for k in order]
            if side > 0:
                ends = [self.world(a, 0, 0.0), self.world(a, length, 0.0)]
            tops = [(x, radius * 2, z) for x, _, z in ends]
            face = Face(self.canvas, (ends[0], ends[1], tops[1], tops[0]))
            if not face.turned_to_us():
                continue
            for b in places:
                s = b / length if side > 0 else 1 - b / length
                face.oval(s, 0.5, radius / length, 0.5, (18, 18, 20), self.tag)
                face.oval(s, 0.5, 0.55 * radius / length, 0.28, (120, 122, 125))

    def lamps(self, face: Face, front: bool, level: float, inset: float = 0.04, wide: float = 0.16) -> None:
        """Two head or tail lamps; at night they shine."""
        shining = (255, 250, 225) if front else (255, 40, 25)
        dull = (205, 208, 210) if front else (150, 22, 20)
        for s in (inset, 1 - inset - wide):
            rgb, tag = self.canvas.glow(shining if self.canvas.night else dull, self.tag)
            face.rect(s, level, s + wide, level + 0.18, rgb, tag)


def car(canvas: Canvas, rng, x: float, z: float, yaw: float) -> None:
    """A hatchback, saloon, estate, off-roader or van."""
    kind, rgb, glass = int(rng.random() * 5), paint_colour(rng), pick(rng, GLASS)
    length, width, waist, height, boot, bonnet = (
        (3.9, 1.72, 0.92, 1.48, 0.05, 1.0),
        (4.6, 1.8, 0.9, 1.43, 0.85, 1.2),
        (4.7, 1.82, 0.92, 1.47, 0.05, 1.2),
        (4.5, 1.9, 1.08, 1.75, 0.05, 1.15),
        (4.8, 1.95, 1.2, 2.1, 0.02, 0.7),
    )[kind]
    height *= uni(rng, 0.95, 1.06)
    length *= uni(rng, 0.93, 1.06)
    me = Vehicle(canvas, CAR, x, z, yaw)
    radius, axles = 0.32 if kind < 3 else 0.36, (0.17 * length, 0.81 * length)
    me.treads(width, radius, axles)
    me.box(width * 0.92, 0.1, length - 0.1, 0.16, 0.4, (20, 20, 22))
    body = me.box(width, 0, length, 0.3, waist, rgb, (0.06, 0.15, 0.03))
    cabin = me.box(
        width - 0.08,
        boot,
        length - bonnet,
        waist - 0.01,
        height,
        rgb,
        (0.35 if kind < 4 else 0.08, 0.7 if kind < 4 else 0.55, 0.17),
    )
    for name, face in cabin.items():
        if name in ("left", "right"):
            gaps = (0.08, 0.36, 0.40, 0.66, 0.70, 0.93)
            if kind == 4 and rng.random() < 0.6:  # a delivery van has glass at the front doors only
                gaps = (0.70, 0.94) if name == "right" else (0.06, 0.30)
            for s0, s1 in zip(gaps[::2], gaps[1::2], strict=True):
                face.rect(s0, 0.12, s1, 0.86, glass)
        elif name != "top" and not (kind == 4 and name == "tail" and rng.random() < 0.4):
            face.rect(0.08, 0.14, 0.92, 0.88, tint(glass, uni(rng, 0.9, 1.5)))
    for name in ("tail", "nose"):
        if name in body:
            face = body[name]
            face.rect(0.02, 0.0, 0.98, 0.2, tint(rgb, 0.6) if rng.random() < 0.5 else (40, 40, 42))
            if name == "nose":
                face.rect(0.25, 0.38, 0.75, 0.62, (26, 27, 30))
            face.rect(0.36, 0.22, 0.64, 0.38, (215, 215, 205))
            me.lamps(face, name == "nose", 0.58)
    for name in ("left", "right"):
        if name in body:
            for s in (0.42, 0.62) if name == "right" else (0.38, 0.58):
                body[name].rect(s, 0.12, s + 0.006, 1.0, tint(rgb, 0.6))
    me.wheels(width, length, radius, axles)


def truck(canvas: Canvas, rng, x: float, z: float, yaw: float) -> None:
    """A box lorry, flatbed, tanker-like or tipper: cab ahead, load behind."""
    cab, load, kind = paint_colour(rng, 0.35), paint_colour(rng, 0.5), int(rng.random() * 3)
    length, width, height = uni(rng, 6, 10.5), uni(rng, 2.3, 2.55), uni(rng, 2.9, 3.9)
    me = Vehicle(canvas, TRUCK, x, z, yaw)
    split = length - 2.1
    away = math.cos(yaw) > 0

    def draw_cab():
        top = uni(rng, 2.5, min(height, 3.2))
        faces = me.box(width * 0.97, split + 0.15, length, 0.5, top, cab, (0, 0.25, 0.06))
        if "nose" in faces:
            faces["nose"].rect(0.08, 0.5, 0.92, 0.86, (25, 30, 36))
            faces["nose"].rect(0.2, 0.12, 0.8, 0.36, tint(cab, 0.45))
            me.lamps(faces["nose"], True, 0.02)
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
                me.lamps(face, False, -0.08, 0.02, 0.12)
            elif name in ("left", "right"):
                if kind == 1:
                    for k in range(1, 8):
                        face.rect(k / 8, 0.02, k / 8 + 0.01, 0.98, tint(load, 0.7))
                elif rng.random() < 0.6:
                    face.rect(0.15, 0.4, 0.8, 0.65, hsv(rng, 0.6, 0.6))

    axles = (1.0, 2.1, length - 1.3)
    me.treads(width, 0.5, axles)
    for part in (draw_cab, draw_load) if away else (draw_load, draw_cab):
        part()
    me.wheels(width, length, 0.5, axles)


def long_body(canvas, rng, label, x, z, yaw, length, width, height, rgb, band, axles=()) -> Vehicle:
    """The common shape of buses and trams: a long box, a row of windows, doors; axles as fractions of the length."""
    me = Vehicle(canvas, label, x, z, yaw)
    axles = [length * part for part in axles]
    me.treads(width, 0.48, axles)
    faces = me.box(width, 0, length, 0.35, height, rgb, (0.05, 0.12, 0.06))
    glass = pick(rng, GLASS[:3])
    panes = max(int(length / 1.5), 4)
    lit = canvas.night and rng.random() < 0.85
    for name, face in faces.items():
        if name in ("left", "right"):
            face.rect(0, 0.0, 1, 0.12, tint(band, 0.6))
            if rng.random() < 0.7:
                face.rect(0, 0.3, 1, 0.38, band)
            for k in range(panes):
                door = k % 4 == 1
                rgb_k, tag = ((225, 210, 160), canvas.glow((0, 0, 0), me.tag)[1]) if lit else (glass, None)
                face.rect((k + 0.1) / panes, 0.05 if door else 0.46, (k + 0.92) / panes, 0.84, rgb_k, tag)
        elif name in ("nose", "tail"):
            face.rect(0.06, 0.42, 0.94, 0.84, glass)
            face.rect(0.2, 0.87, 0.8, 0.96, (20, 20, 20))
            rgb_s, tag = canvas.glow((250, 170, 40), me.tag)
            face.rect(0.3, 0.89, 0.7, 0.94, rgb_s, tag)
            face.rect(0.02, 0.03, 0.98, 0.1, tint(rgb, 0.5))
            face.rect(0, 0.3, 1, 0.37, band)
            me.lamps(face, name == "nose", 0.12)
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
    ahead = math.cos(yaw) > 0
    for k in reversed(range(count)):
        shift = k * (length + 0.25)
        place = shift if ahead else -shift
        me = long_body(
            canvas,
            rng,
            TRAIN,
            x + abs(place) * math.sin(yaw) * (1 if ahead else -1),
            z + shift,
            yaw,
            length,
            2.45,
            3.45,
            rgb,
            band,
        )
        me.box(1.6, 1, length - 1, 3.44, 3.75, (95, 97, 100))
        if k == 0:
            tag = me.tag
            mid = [me.world(0, length * 0.5, y) for y in (3.7, 4.6, 5.2)]
            points = [canvas.camera.project(*p) for p in mid]
            reach = canvas.camera.focal / me.z
            points[1] = (points[1][0] + 0.5 * reach, points[1][1])
            canvas.line(points, (40, 40, 42), tag, 0.08 * reach)
            canvas.line(
                [(points[2][0] - 0.7 * reach, points[2][1]), (points[2][0] + 0.7 * reach, points[2][1])],
                (40, 40, 42),
                tag,
                0.08 * reach,
            )
