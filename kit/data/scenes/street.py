"""Upright things beside the road: buildings, houses, walls, fences and the skyline of a synthetic scene."""

import math

from kit.data.scenes.canvas import (
    BUILDING,
    FENCE,
    LEAF,
    MASONRY,
    PLAIN,
    ROUGH,
    ROUND,
    VEGETATION,
    WALL,
    Canvas,
    Face,
    hsv,
    mix,
    pick,
    tag_of,
    tint,
    uni,
)

PLASTER = (
    (214, 196, 160),
    (226, 216, 196),
    (198, 170, 130),
    (176, 172, 166),
    (150, 148, 146),
    (206, 160, 120),
    (170, 110, 84),
    (146, 84, 66),
    (120, 62, 50),
    (196, 190, 150),
    (164, 176, 180),
    (200, 150, 140),
    (232, 230, 224),
    (120, 126, 132),
    (90, 86, 84),
    (150, 160, 136),
    (100, 110, 124),
)
ROOFS = ((120, 62, 46), (90, 50, 42), (74, 74, 78), (56, 54, 56), (110, 96, 84), (140, 80, 56))
WOOD = ((120, 88, 60), (90, 66, 48), (150, 130, 104), (206, 204, 198), (70, 74, 72), (60, 80, 60), (40, 42, 44))


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
    tag = look["tag"]
    lit = canvas.glow((0, 0, 0), tag)[1]
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
            if row == 0 and k == columns // 2 and not look["shop"]:
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


def make_look(rng, tag: int) -> dict:
    """One building's style: sizes in metres, colours, and which ornaments it has."""
    modern = rng.random() < 0.25
    wall = (
        tint(pick(rng, PLASTER), uni(rng, 0.7, 1.12))
        if rng.random() < 0.88
        else hsv(rng, uni(rng, 0.1, 0.5), uni(rng, 0.4, 0.9))
    )
    glass = pick(rng, ((38, 44, 52), (60, 72, 84), (96, 112, 126), (130, 150, 168), (30, 30, 32)))
    return {
        "tag": tag,
        "wall": wall,
        "glass": glass,
        "storey": uni(rng, 2.8, 3.9),
        "spacing": uni(rng, 1.8, 3.4),
        "width": uni(rng, 0.7, 0.96) if modern else uni(rng, 0.35, 0.56),
        "tall": uni(rng, 0.55, 0.7) if modern else uni(rng, 0.42, 0.6),
        "shop": rng.random() < 0.3,
        "shopfront": hsv(rng, 0.4, uni(rng, 0.15, 0.5)),
        "awning": hsv(rng, 0.7, uni(rng, 0.3, 0.9)),
        "door": hsv(rng, 0.5, uni(rng, 0.15, 0.5)),
        "frame": pick(rng, (None, (226, 224, 216), (80, 70, 62), tint(wall, 1.15))),
        "sash": pick(rng, ((220, 220, 215), (50, 46, 42), (110, 104, 96))),
        "shutters": hsv(rng, 0.4, uni(rng, 0.25, 0.6)) if not modern and rng.random() < 0.2 else None,
        "balcony": tint(pick(rng, WOOD), 1.0) if rng.random() < 0.18 else None,
        "ledge": rng.random() < 0.4,
        "brick": rng.random() < 0.4,
    }


def building(
    canvas: Canvas, rng, side: int, x: float, z0: float, z1: float, height: float, deep: float, pitched: bool
) -> None:
    """A building whose front runs along the road at x (metres from the centre, side -1 left, 1 right), z0 to z1."""
    tag = tag_of(BUILDING, z0, MASONRY)
    look = make_look(rng, tag)
    near, far, back = side * x, side * x, side * (x + deep)
    pixels = canvas.camera.focal / z0
    front_light, end_light = canvas.sun.on(-side, 0), canvas.sun.on(0, -1)
    roof = pick(rng, ROOFS)
    rise = uni(rng, 0.25, 0.55) * deep if pitched else 0.0
    ridge = side * (x + deep / 2)
    if z0 > 1.5:  # the end wall turned to us; a neighbour drawn later may hide it
        if side > 0:
            end = Face(canvas, ((near, 0, z0), (back, 0, z0), (back, height, z0), (near, height, z0)))
        else:
            end = Face(canvas, ((back, 0, z0), (near, 0, z0), (near, height, z0), (back, height, z0)))
        end.rect(0, 0, 1, 1, tint(look["wall"], end_light), tag)
        if pitched:
            peak = [
                canvas.camera.project(near, height, z0),
                canvas.camera.project(ridge, height + rise, z0),
                canvas.camera.project(back, height, z0),
            ]
            canvas.poly(peak, tint(look["wall"], end_light * 0.96), tag)
        if rng.random() < 0.6:
            shaded = look | {"wall": tint(look["wall"], end_light), "shop": False}
            windows(end, rng, shaded, deep, height, pixels)
    front = Face(canvas, ((near, 0, z0), (far, 0, z1), (far, height, z1), (near, height, z0)))
    wall = tint(look["wall"], front_light)
    if pitched:
        slope = Face(
            canvas,
            (
                (near, height - 0.1, z0 - 0.2),
                (far, height - 0.1, z1),
                (ridge, height + rise, z1),
                (ridge, height + rise, z0 - 0.2 if z0 > 1.5 else z0),
            ),
        )
        slope.rect(0, 0, 1, 1, tint(roof, front_light), tag)
        masonry_lines(slope, tint(roof, front_light), pixels, 8)
    front.rect(0, 0, 1, 1, wall, tag)
    if look["brick"]:
        masonry_lines(front, wall, pixels / 2, int(height * 2.5))
    mid = canvas.camera.focal / ((z0 + z1) / 2)
    windows(front, rng, look | {"wall": wall}, z1 - z0, height, mid)
    if not pitched:
        front.rect(0, 0.97, 1, 1, tint(look["wall"], front_light * 0.75))


def facing_block(canvas: Canvas, rng, x0: float, x1: float, z: float, height: float) -> None:
    """A building across the end of the road, its front towards the camera."""
    tag = tag_of(BUILDING, z, MASONRY)
    look = make_look(rng, tag)
    face = Face(canvas, ((x0, 0, z), (x1, 0, z), (x1, height, z), (x0, height, z)))
    wall = tint(look["wall"], canvas.sun.on(0, -1))
    face.rect(0, 0, 1, 1, wall, tag)
    windows(face, rng, look | {"wall": wall}, x1 - x0, height, canvas.camera.focal / z)
    if rng.random() < 0.5:
        a, b = canvas.camera.project(x0 - 0.3, height, z), canvas.camera.project(x1 + 0.3, height, z)
        c, d = canvas.camera.project(x1 - 1.5, height + 3, z), canvas.camera.project(x0 + 1.5, height + 3, z)
        canvas.poly([a, b, c, d], tint(pick(rng, ROOFS), canvas.sun.on(0, -1)), tag)


def wall(canvas: Canvas, rng, side: int, x: float, z0: float, z1: float, height: float) -> None:
    """A free-standing wall along the road: stone, brick, plaster or concrete panels, with a coping."""
    tag = tag_of(WALL, z0, MASONRY)
    rgb = tint(pick(rng, PLASTER), uni(rng, 0.65, 1.05) * canvas.sun.on(-side, 0))
    face = Face(canvas, ((side * x, 0, z0), (side * x, 0, z1), (side * x, height, z1), (side * x, height, z0)))
    if z0 > 1.5:
        end = sorted((side * x, side * (x + 0.4)))
        Face(canvas, ((end[0], 0, z0), (end[1], 0, z0), (end[1], height, z0), (end[0], height, z0))).rect(
            0, 0, 1, 1, tint(rgb, 0.8), tag
        )
    face.rect(0, 0, 1, 1, rgb, tag)
    pixels, kind = canvas.camera.focal / z0, rng.random()
    if kind < 0.65:
        rows = max(int(height / 0.25), 3)
        masonry_lines(face, rgb, pixels / 2, rows)
        if pixels > 12:
            for k in range(int((z1 - z0) * 2)):
                s, t = k / ((z1 - z0) * 2), int(rng.random() * rows) / rows
                face.rect(s, t, min(s + 0.3 / (z1 - z0), 1.0), t + 1 / rows, tint(rgb, uni(rng, 0.75, 1.15)))
    else:
        for k in range(int((z1 - z0) / 2.5) + 1):
            s = k * 2.5 / (z1 - z0)
            face.rect(s, 0, min(s + 0.03, 1.0), 1, tint(rgb, 0.75))
    if rng.random() < 0.3:  # paint by passers-by
        for _ in range(4):
            s, t = uni(rng, 0.05, 0.8), uni(rng, 0.1, 0.5)
            face.rect(s, t, s + uni(rng, 0.03, 0.15), t + uni(rng, 0.1, 0.35), hsv(rng, 0.7, 0.7))
    face.rect(0, 0.93, 1, 1, tint(rgb, 1.2))


def fence(canvas: Canvas, rng, side: int, x: float, z0: float, z1: float, height: float) -> None:
    """Pickets, boards or bars along the road. The gaps count as fence, as in Cityscapes, and are drawn closed."""
    tag = tag_of(FENCE, z0, PLAIN)
    rgb = tint(pick(rng, WOOD), uni(rng, 0.8, 1.15) * canvas.sun.on(-side, 0))
    length = z1 - z0
    face = Face(canvas, ((side * x, 0, z0), (side * x, 0, z1), (side * x, height, z1), (side * x, height, z0)))
    kind = rng.random()
    behind = canvas.peek(*face.point(0.5, 0.6))
    gap = mix(rgb, behind, 0.0 if kind < 0.25 else 0.65)
    face.rect(0, 0.0, 1, 0.96, tint(gap, 0.85), tag)
    step = 0.3 if kind < 0.6 else 0.16
    count = max(int(length / step), 1)
    for k in range(count):
        z = z0 + (k + 0.5) * step
        if canvas.camera.focal / z * step < 2.0 and k % 6 != 0:
            continue  # finer than the canvas: the filling's mean colour stands for it
        s = (k + 0.15) / count
        face.rect(s, 0.02, s + (0.7 if kind < 0.6 else 0.3) / count, 0.94, rgb)
    for t in (0.15, 0.84) if kind > 0.25 else (0.93,):
        face.rect(0, t, 1, t + 0.08, tint(rgb, 0.9), tag)
    for k in range(int(length / 2.5) + 1):
        s = min(k * 2.5 / length, 0.98)
        face.rect(s, 0, min(s + 0.1 / length, 1.0), 1.0, tint(rgb, 0.75), tag)


def skyline(canvas: Canvas, rng, kind: str) -> None:
    """What stands far away between the end of the road and the sky: roofs, woods or hills."""
    camera, width = canvas.camera, canvas.colour.width
    z = 260.0
    scale = camera.focal / z
    foot = camera.horizon + camera.focal * camera.height / z + 1

    def base(u):
        return foot + camera.roll * (u - camera.cx)

    if kind == "hills" or rng.random() < 0.35:
        phase, green = rng.random(3) * 6.28, hsv(rng, 0.2, 0.4) if rng.random() < 0.2 else (74, 92, 78)
        points = [(0.0, base(0)), (float(width), base(width))]
        for k in range(33):
            u = width * (1 - k / 32)
            rise = 12 + 9 * (1 + math.sin(k / 5 + phase[0])) + 5 * math.sin(k / 1.9 + phase[1])
            points.append((u, base(u) - max(rise, 3) * scale))
        canvas.poly(points, green, tag_of(VEGETATION, z, LEAF))
    u = -10.0
    while u < width:
        wide = uni(rng, 8, 40) * scale
        if kind == "city" or rng.random() < 0.4:
            high = uni(rng, 8, 34) * scale
            canvas.poly(
                [(u, base(u)), (u + wide, base(u)), (u + wide, base(u) - high), (u, base(u) - high)],
                tint(pick(rng, PLASTER), uni(rng, 0.5, 0.9)),
                tag_of(BUILDING, z, ROUGH),
            )
        else:
            high, middle, foot_v = uni(rng, 6, 16) * scale, u + wide / 2, base(u + wide / 2)
            dome = [(middle + wide * 0.8 * c, foot_v - high * d) for c, d in ROUND[:7]]  # the upper half circle
            canvas.poly(dome, tint((60, 84, 52), uni(rng, 0.7, 1.2)), tag_of(VEGETATION, z, LEAF))
        u += wide * uni(rng, 0.5, 1.3)
