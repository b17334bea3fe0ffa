"""Upright things beside the road: buildings, houses, walls, fences and the skyline of a synthetic scene."""

import math

from kit.data.scenes.drawing.canvas import ROUND, Canvas, Face
from kit.data.scenes.drawing.colours import hexes, hsv, mix, pick, tint, uni
from kit.data.scenes.drawing.tags import BUILDING, FENCE, LEAF, MASONRY, ROUGH, VEGETATION, WALL, tag_of

PLASTER = hexes(
    "d6c4a0 e2d8c4 c6aa82 b0aca6 969492 cea078 aa6e54 925442 783e32 c4be96 a4b0b4 c8968c e8e6e0 787e84 5a5654 96a088 "
    "646e7c"
)
ROOFS = hexes("783e2e 5a322a 4a4a4e 383638 6e6054 8c5038")
WOOD = hexes("78583c 5a4230 968268 ceccc6 464a48 3c503c 282a2c")
PANES = hexes("262c34 3c4854 60707e 8296a8 1e1e20")
SASHES = hexes("dcdcd7 322e2a 6e6860")


def masonry_lines(face: Face, rgb, near_px: float, rows: int) -> None:
    """Courses of brick or board joints, where they are wide enough to be seen."""
    if near_px < 3:
        return
    for k in range(1, rows):
        face.canvas.line([face.point(0, k / rows), face.point(1, k / rows)], tint(rgb, 0.82), face.tag, 1)


def windows(face: Face, rng, look, length: float, height: float, pixels: float) -> None:
    """Rows of windows over a front of length x height metres; pixels is the canvas size of one metre there."""
    canvas, floors = face.canvas, max(int(height / look["storey"]), 1)
    columns = max(int(length / look["spacing"]), 1)
    lit = canvas.glow(face.tag)
    ww, wh = look["width"] / 2 / columns, look["tall"] / floors
    rim = min(1.25 * ww, 0.5 / columns)
    luck = rng.random(floors * columns + 1).tolist()
    for row in range(floors):
        t0 = (row + 0.24) / floors
        if row == 0 and look["shop"]:
            face.rect(0.02, 0.02, 0.98, 0.78 / floors, look["shopfront"])
            shop, shop_tag = ((250, 226, 170), lit) if canvas.night and luck[-1] < 0.7 else (look["glass"], None)
            for k in range(columns):
                face.rect((k + 0.12) / columns, 0.04 / floors, (k + 0.88) / columns, 0.62 / floors, shop, shop_tag)
            face.rect(0.02, 0.66 / floors, 0.98, 0.8 / floors, look["awning"])
            continue
        if pixels < 2.2:  # too far for single windows: a broken band
            face.rect(0.06, t0, 0.94, t0 + wh, mix(look["wall"], look["glass"], 0.5))
            continue
        for k in range(columns):
            s, chance = (k + 0.5) / columns, luck[row * columns + k]
            if row == 0 and k == columns // 2:
                face.rect(s - 0.3 / columns, 0.0, s + 0.3 / columns, 0.72 / floors, look["door"])
                continue
            if pixels > 6 and look["frame"]:
                face.rect(s - rim, t0 - 0.04 / floors, s + rim, t0 + wh + 0.04 / floors, look["frame"])
            if canvas.night and chance < 0.3:
                face.rect(s - ww, t0, s + ww, t0 + wh, tint((255, 214, 140), 0.7 + chance), lit)
            else:
                face.rect(s - ww, t0, s + ww, t0 + wh, tint(look["glass"], 0.75 + 0.6 * chance))
            if pixels > 9:
                face.rect(s - ww * 0.08, t0, s + ww * 0.08, t0 + wh, look["sash"])
                if look["shutters"]:
                    for a in (-1.75, 1.05):
                        face.rect(s + a * ww, t0, s + (a + 0.7) * ww, t0 + wh, look["shutters"])
        if look["balcony"] and row and pixels > 3:
            face.rect(0.1, t0 - 0.06 / floors, 0.9, t0 + 0.16 / floors, look["balcony"])
        if look["ledge"]:
            face.rect(0, row / floors, 1, (row + 0.05) / floors, tint(look["wall"], 0.85))


def make_look(rng) -> dict:
    """One building's style: sizes in metres, colours, and which ornaments it has."""
    modern = rng.random() < 0.25
    if rng.random() < 0.88:
        wall = tint(pick(rng, PLASTER), uni(rng, 0.7, 1.12))
    else:
        wall = hsv(rng, uni(rng, 0.1, 0.5), uni(rng, 0.4, 0.9))
    return {
        "wall": wall,
        "glass": pick(rng, PANES),
        "storey": uni(rng, 2.8, 3.9),
        "spacing": uni(rng, 1.8, 3.4),
        "width": uni(rng, 0.7, 0.96) if modern else uni(rng, 0.35, 0.56),
        "tall": uni(rng, 0.55, 0.7) if modern else uni(rng, 0.42, 0.6),
        "shop": rng.random() < 0.3,
        "shopfront": hsv(rng, 0.4, uni(rng, 0.15, 0.5)),
        "awning": hsv(rng, 0.7, uni(rng, 0.3, 0.9)),
        "door": hsv(rng, 0.5, uni(rng, 0.15, 0.5)),
        "frame": pick(rng, (None, (226, 224, 216), (80, 70, 62), tint(wall, 1.15))),
        "sash": pick(rng, SASHES),
        "shutters": hsv(rng, 0.4, uni(rng, 0.25, 0.6)) if not modern and rng.random() < 0.2 else None,
        "balcony": pick(rng, WOOD) if rng.random() < 0.18 else None,
        "ledge": rng.random() < 0.4,
        "brick": rng.random() < 0.4,
    }


def building(
    canvas: Canvas, rng, side: int, x: float, z0: float, z1: float, height: float, deep: float, pitched: bool
) -> None:
    """A building whose front runs along the road at x (metres from the centre, side -1 left, 1 right), z0 to z1."""
    tag, look = tag_of(BUILDING, z0, MASONRY), make_look(rng)
    near, ridge, back = side * x, side * (x + deep / 2), side * (x + deep)
    pixels = canvas.camera.focal / z0
    front_light, end_light = canvas.sun.on(-side, 0), canvas.sun.on(0, -1)
    roof = tint(pick(rng, ROOFS), front_light)
    rise = uni(rng, 0.25, 0.55) * deep if pitched else 0.0
    if z0 > 1.5:  # the end wall that faces the camera; a neighbour drawn later may hide it
        end = Face.across(canvas, near, back, z0, height, tag)
        end.fill(tint(look["wall"], end_light))
        if pitched:
            gable = ((near, height), (ridge, height + rise), (back, height))
            peak = [canvas.camera.project(*corner, z0) for corner in gable]
            canvas.poly(peak, tint(look["wall"], end_light * 0.96), tag)
        if rng.random() < 0.6:
            shaded = look | {"wall": tint(look["wall"], end_light), "shop": False}
            windows(end, rng, shaded, deep, height, pixels)
    wall = tint(look["wall"], front_light)
    if pitched:
        eaves, top = height - 0.1, height + rise
        corners = ((near, eaves, z0 - 0.2), (near, eaves, z1), (ridge, top, z1), (ridge, top, z0 - 0.2 * (z0 > 1.5)))
        slope = Face(canvas, corners, tag)
        slope.fill(roof)
        masonry_lines(slope, roof, pixels, 8)
    front = Face.along(canvas, near, z0, z1, height, tag)
    front.fill(wall)
    if look["brick"]:
        masonry_lines(front, wall, pixels / 2, int(height * 2.5))
    windows(front, rng, look | {"wall": wall}, z1 - z0, height, canvas.camera.focal / ((z0 + z1) / 2))
    if not pitched:
        front.rect(0, 0.97, 1, 1, tint(look["wall"], front_light * 0.75))


def facing_block(canvas: Canvas, rng, x0: float, x1: float, z: float, height: float) -> None:
    """A building across the end of the road, its front towards the camera."""
    tag, look, light = tag_of(BUILDING, z, MASONRY), make_look(rng), canvas.sun.on(0, -1)
    face = Face.across(canvas, x0, x1, z, height, tag)
    wall = tint(look["wall"], light)
    face.fill(wall)
    windows(face, rng, look | {"wall": wall}, x1 - x0, height, canvas.camera.focal / z)
    if rng.random() < 0.5:
        corners = ((x0 - 0.3, height), (x1 + 0.3, height), (x1 - 1.5, height + 3), (x0 + 1.5, height + 3))
        roof = [canvas.camera.project(*corner, z) for corner in corners]
        canvas.poly(roof, tint(pick(rng, ROOFS), light), tag)


def wall(canvas: Canvas, rng, side: int, x: float, z0: float, z1: float, height: float) -> None:
    """A free-standing wall along the road: stone, brick, plaster or concrete panels, with a coping."""
    tag, length = tag_of(WALL, z0, MASONRY), z1 - z0
    rgb = tint(pick(rng, PLASTER), uni(rng, 0.65, 1.05) * canvas.sun.on(-side, 0))
    if z0 > 1.5:
        Face.across(canvas, side * x, side * (x + 0.4), z0, height, tag).fill(tint(rgb, 0.8))
    face = Face.along(canvas, side * x, z0, z1, height, tag)
    face.fill(rgb)
    pixels, kind = canvas.camera.focal / z0, rng.random()
    if kind < 0.65:
        rows = max(int(height / 0.25), 3)
        masonry_lines(face, rgb, pixels / 2, rows)
        for k in range(int(length * 2)) if pixels > 12 else ():
            s, t = k / (length * 2), int(rng.random() * rows) / rows
            face.rect(s, t, min(s + 0.3 / length, 1.0), t + 1 / rows, tint(rgb, uni(rng, 0.75, 1.15)))
    else:
        for k in range(int(length / 2.5) + 1):
            s = k * 2.5 / length
            face.rect(s, 0, min(s + 0.03, 1.0), 1, tint(rgb, 0.75))
    if rng.random() < 0.3:  # graffiti
        for _ in range(4):
            s, t = uni(rng, 0.05, 0.8), uni(rng, 0.1, 0.5)
            face.rect(s, t, s + uni(rng, 0.03, 0.15), t + uni(rng, 0.1, 0.35), hsv(rng, 0.7, 0.7))
    face.rect(0, 0.93, 1, 1, tint(rgb, 1.2))


def fence(canvas: Canvas, rng, side: int, x: float, z0: float, z1: float, height: float) -> None:
    """Pickets, boards or bars along the road. The gaps count as fence, as in Cityscapes, and are drawn closed."""
    rgb = tint(pick(rng, WOOD), uni(rng, 0.8, 1.15) * canvas.sun.on(-side, 0))
    length, kind = z1 - z0, rng.random()
    face = Face.along(canvas, side * x, z0, z1, height, tag_of(FENCE, z0))
    gap = mix(rgb, canvas.peek(*face.point(0.5, 0.6)), 0.0 if kind < 0.25 else 0.65)
    face.rect(0, 0.0, 1, 0.96, tint(gap, 0.85))
    step, share = (0.3, 0.7) if kind < 0.6 else (0.16, 0.3)
    count = max(int(length / step), 1)
    for k in range(count):
        z = z0 + (k + 0.5) * step
        if canvas.camera.focal / z * step < 2.0 and k % 6 != 0:
            continue  # finer than the canvas: the mean colour of the filling replaces it
        s = (k + 0.15) / count
        face.rect(s, 0.02, s + share / count, 0.94, rgb)
    for t in (0.15, 0.84) if kind > 0.25 else (0.93,):
        face.rect(0, t, 1, t + 0.08, tint(rgb, 0.9))
    for k in range(int(length / 2.5) + 1):
        s = min(k * 2.5 / length, 0.98)
        face.rect(s, 0, min(s + 0.1 / length, 1.0), 1.0, tint(rgb, 0.75))


def skyline(canvas: Canvas, rng, kind: str) -> None:
    """What is far away between the end of the road and the sky: roofs, woods or hills."""
    camera, width = canvas.camera, canvas.colour.width
    z = 260.0
    scale = camera.focal / z
    foot = camera.horizon + camera.focal * camera.height / z + 1
    roofs, leaves = tag_of(BUILDING, z, ROUGH), tag_of(VEGETATION, z, LEAF)

    def base(u):
        return foot + camera.roll * (u - camera.cx)

    if kind == "hills" or rng.random() < 0.35:
        phase, green = rng.random(3) * 6.28, hsv(rng, 0.2, 0.4) if rng.random() < 0.2 else (74, 92, 78)
        points = [(0.0, base(0)), (float(width), base(width))]
        for k in range(33):
            u = width * (1 - k / 32)
            rise = 12 + 9 * (1 + math.sin(k / 5 + phase[0])) + 5 * math.sin(k / 1.9 + phase[1])
            points.append((u, base(u) - max(rise, 3) * scale))
        canvas.poly(points, green, leaves)
    u = -10.0
    while u < width:
        wide = uni(rng, 8, 40) * scale
        if kind == "city" or rng.random() < 0.4:
            low, high = base(u), base(u) - uni(rng, 8, 34) * scale
            outline = [(u, low), (u + wide, low), (u + wide, high), (u, high)]
            canvas.poly(outline, tint(pick(rng, PLASTER), uni(rng, 0.5, 0.9)), roofs)
        else:
            high, middle, foot_v = uni(rng, 6, 16) * scale, u + wide / 2, base(u + wide / 2)
            dome = [(middle + wide * 0.8 * c, foot_v - high * d) for c, d in ROUND[:7]]  # the upper half circle
            canvas.poly(dome, tint((60, 84, 52), uni(rng, 0.7, 1.2)), leaves)
        u += wide * uni(rng, 0.5, 1.3)
