"""Persons, riders, bicycles and motorcycles of a synthetic scene, drawn on cards that face the camera."""

import math

from kit.data.scenes.canvas import BICYCLE, MOTORCYCLE, PERSON, RIDER, Board, Canvas, hsv, mix, pick, tag_of, tint, uni

SKIN = ((236, 196, 168), (214, 164, 128), (172, 120, 84), (120, 80, 56), (84, 56, 42))
HAIR = ((30, 24, 20), (70, 46, 28), (140, 100, 52), (190, 190, 188), (100, 40, 26), (14, 14, 16))


def cloth(rng):
    """Any piece of clothing: dark, grey, denim or coloured."""
    kind = rng.random()
    if kind < 0.35:
        return tint((1, 1, 1), uni(rng, 18, 90))
    if kind < 0.5:
        return tint((62, 82, 120), uni(rng, 0.6, 1.2))
    return hsv(rng, uni(rng, 0.2, 0.9), uni(rng, 0.3, 0.95))


def person(canvas: Canvas, rng, x: float, z: float) -> None:
    """Someone standing or walking, with coat, skirt, bag or umbrella as it happens; 1.1 to 1.95 m tall."""
    board, tag = Board(canvas, x, z), tag_of(PERSON, z)
    h = uni(rng, 1.55, 1.95) if rng.random() < 0.88 else uni(rng, 1.05, 1.4)
    upper, lower, skin, hair = cloth(rng), cloth(rng), pick(rng, SKIN), pick(rng, HAIR)
    girth = uni(rng, 0.85, 1.25) * h / 1.75
    side, stride = rng.random() < 0.5, uni(rng, 0.02, 0.3) * h / 1.75
    shoulder, hip = 0.82 * h, 0.5 * h
    half = (0.15 if side else 0.21) * girth
    for k, shade in ((-1, 0.8), (1, 1.0)):  # legs, the farther one darker
        foot = k * (stride if side else 0.09 * girth)
        bare = rng.random() < 0.12
        knee = (foot * 0.55 + 0.04, 0.27 * h)
        board.limb([(k * 0.05, hip), knee, (foot, 0.05)], tint(skin if bare else lower, shade), tag, 0.15 * girth)
        board.rect(foot - 0.06, 0, foot + 0.14, 0.07, (30, 26, 24), tag)
    coat = rng.random()
    if coat < 0.4:  # coat or skirt below the waist
        board.poly(
            [(-half * 1.2, 0.3 * h), (half * 1.2, 0.3 * h), (half, 0.6 * h), (-half, 0.6 * h)],
            upper if coat < 0.25 else lower,
            tag,
        )
    board.poly(
        [
            (-half * 0.9, hip - 0.03),
            (half * 0.9, hip - 0.03),
            (half, shoulder - 0.03),
            (half * 0.5, shoulder + 0.03),
            (-half * 0.5, shoulder + 0.03),
            (-half, shoulder - 0.03),
        ],
        upper,
        tag,
    )
    swing = uni(rng, -0.25, 0.25) if side else 0.06
    for k in (-1, 1):
        root = k * half * (0.3 if side else 0.95)
        hand = (root + k * swing + 0.03 * k, 0.46 * h)
        board.limb(
            [(root, shoulder - 0.04), ((root + hand[0]) / 2 + 0.03 * k, 0.63 * h), hand],
            tint(upper, 0.82 if k < 0 else 0.92),
            tag,
            0.1 * girth,
        )
        board.disc(*hand, 0.045, 0.045, skin, tag)
    board.rect(-0.05, shoulder, 0.05, shoulder + 0.08, tint(skin, 0.85), tag)
    head = 0.93 * h
    board.disc(0, head, 0.095, 0.125, skin, tag)
    board.disc(-0.02 if side else 0, head + 0.04, 0.105, 0.1, hair, tag)
    if rng.random() < 0.6:  # a face towards us, else hair only
        board.disc(0.03 if side else 0, head - 0.03, 0.07, 0.085, skin, tag)
    if rng.random() < 0.3:
        bag = cloth(rng)
        at = pick(rng, ((-half - 0.12, 0.55 * h, -half + 0.06, 0.78 * h), (half - 0.02, 0.36 * h, half + 0.2, 0.5 * h)))
        board.rect(*at, bag, tag)
    if rng.random() < 0.1:
        shade = cloth(rng)
        board.line([(0.15, 0.6 * h), (0.15, h + 0.35)], (40, 40, 40), tag, 0.03)
        dome = [(0.15 + 0.6 * math.cos(t), h + 0.12 + 0.38 * math.sin(t)) for t in [k * math.pi / 8 for k in range(9)]]
        board.poly(dome, shade, tag)


def wheel(board: Board, x: float, r: float, flat: float, tag: int, tyre: float, rim=(24, 24, 26)) -> None:
    """A spoked wheel; flat < 1 turns it. The disc belongs to the vehicle, though the street shimmers through."""
    behind = board.canvas.peek(*board.at(x, r))
    board.disc(x, r, r * flat + tyre, r, rim, tag)
    if r * flat > 2 * tyre:
        board.disc(x, r, r * flat - tyre, r - tyre, mix(behind, (120, 122, 125), 0.35), tag)
        for k in range(4):
            t = k * math.pi / 4 + 0.3
            board.line(
                [
                    (x - math.cos(t) * r * flat * 0.9, r - math.sin(t) * r * 0.9),
                    (x + math.cos(t) * r * flat * 0.9, r + math.sin(t) * r * 0.9),
                ],
                (95, 97, 100),
                tag,
                0.012,
            )


def bicycle(canvas: Canvas, rng, x: float, z: float, flat: float = 1.0, flip: int = 1) -> None:
    """A bicycle seen from the side (flat 1) to nearly end-on (flat 0.15); flip -1 looks left."""
    board, tag, rgb = Board(canvas, x, z), tag_of(BICYCLE, z), hsv(rng, uni(rng, 0.1, 0.9), uni(rng, 0.15, 0.85))
    w, r = flip * flat, 0.34
    for at in (-0.52, 0.52):
        wheel(board, at * w, r, flat, tag, 0.035)
    bars = [
        [(-0.52, r), (-0.05, 0.3), (0.38, 0.82), (-0.2, 0.84), (-0.52, r)],
        [(-0.05, 0.3), (-0.24, 0.96)],
        [(0.52, r), (0.36, 1.0)],
    ]
    for bar in bars:
        board.line([(a * w, b) for a, b in bar], rgb, tag, 0.05)
    board.line([(-0.36 * w, 0.97), (-0.12 * w, 0.97)], (25, 22, 20), tag, 0.08)
    spread = 0.28 * (1 - flat)
    board.line([(0.36 * w - spread, 1.02), (0.36 * w + spread + 0.08 * w, 1.04)], (30, 30, 32), tag, 0.045)
    if rng.random() < 0.25:
        board.rect(0.3 * w, 0.78, 0.3 * w + 0.3 * w + 0.1, 1.0, (120, 90, 56), tag)


def motorcycle(canvas: Canvas, rng, x: float, z: float, flat: float = 1.0, flip: int = 1, front: bool = False) -> None:
    """A motorcycle or scooter, as `bicycle`; front shows its head lamp when nearly end-on."""
    board, tag = Board(canvas, x, z), tag_of(MOTORCYCLE, z)
    rgb, w = hsv(rng, uni(rng, 0.3, 0.95), uni(rng, 0.2, 0.85)), flip * flat
    thick = 0.2 * (1 - flat)
    for at in (-0.68, 0.68):
        wheel(board, at * w, 0.31, flat, tag, 0.08)
    dark = (34, 34, 37)
    board.poly(
        [(-0.35 * w - thick, 0.25), (0.35 * w + thick, 0.25), (0.42 * w + thick, 0.6), (-0.45 * w - thick, 0.62)],
        dark,
        tag,
    )
    board.disc(0.0, 0.42, 0.17 * flat + 0.03, 0.15, (140, 142, 145), tag)
    board.line([(-0.1 * w, 0.28), (-0.8 * w, 0.34)], (170, 170, 172), tag, 0.09)
    board.line([(0.68 * w, 0.31), (0.42 * w, 0.95)], (120, 120, 124), tag, 0.07)
    board.disc(0.16 * w, 0.78, 0.28 * flat + thick, 0.15, rgb, tag)
    board.poly([(-0.8 * w - thick, 0.82), (0.0, 0.74), (0.0, 0.84), (-0.75 * w + thick, 0.95)], (28, 24, 24), tag)
    board.poly(
        [(0.3 * w - thick, 0.65), (0.62 * w + thick, 0.7), (0.52 * w + thick, 1.1), (0.36 * w - thick, 1.12)], rgb, tag
    )
    board.line([(0.38 * w - 0.34 * (1 - flat), 1.08), (0.38 * w + 0.34 * (1 - flat) + 0.02, 1.08)], dark, tag, 0.06)
    lamp = (255, 248, 220) if front or flip * flat > 0.5 else (210, 30, 24)
    rgb_l, tag_l = canvas.glow(lamp, tag)
    board.disc(0.6 * w if flat > 0.5 else 0.0, 0.9, 0.09, 0.09, rgb_l, tag_l)


def rider(canvas: Canvas, rng, x: float, z: float, motor: bool) -> None:
    """A bicycle or motorcycle with somebody on it: vehicle first, then the person above it with the near leg."""
    flat, flip, front = pick(rng, (0.15, 0.2, 0.45, 0.8, 1.0)), 1 if rng.random() < 0.5 else -1, rng.random() < 0.5
    if motor:
        motorcycle(canvas, rng, x, z, flat, flip, front)
    else:
        bicycle(canvas, rng, x, z, flat, flip)
    board, tag = Board(canvas, x, z), tag_of(RIDER, z)
    upper, lower, skin, w = cloth(rng), cloth(rng), pick(rng, SKIN), flip * flat
    seat, grip, pedal = (
        ((-0.25, 0.92), (0.4, 1.08), (0.1, 0.36)) if motor else ((-0.24, 1.0), (0.36, 1.06), (-0.02, 0.2))
    )
    lean = uni(rng, 0.1, 0.35)
    neck = (seat[0] + lean, seat[1] + 0.52)
    wide = 0.17 * (1 - flat)
    for k, shade in ((-1, 0.8), (1, 1.0)):
        knee = (0.2 * w + k * wide, 0.74 if k > 0 else 0.66)
        foot = (pedal[0] * w + k * wide, pedal[1] + (0.12 if k > 0 else 0.0))
        board.limb([(seat[0] * w, seat[1] - 0.02), knee, foot], tint(lower, shade), tag, 0.15)
        board.rect(foot[0] - 0.06, foot[1] - 0.06, foot[0] + 0.1, foot[1] + 0.02, (26, 24, 24), tag)
    half = 0.13 + 0.09 * (1 - flat)
    board.poly(
        [
            (seat[0] * w - half * 0.85, seat[1] - 0.1),
            (seat[0] * w + half * 0.85, seat[1] - 0.1),
            (neck[0] * w + half, neck[1] - 0.04),
            (neck[0] * w + half * 0.4, neck[1] + 0.05),
            (neck[0] * w - half * 0.4, neck[1] + 0.05),
            (neck[0] * w - half, neck[1] - 0.04),
        ],
        upper,
        tag,
    )
    for k in (-1, 1):
        board.limb(
            [
                (neck[0] * w + k * half * 0.8, neck[1] - 0.07),
                (0.5 * (neck[0] + grip[0]) * w + k * (wide + 0.06), 0.5 * (neck[1] + grip[1]) - 0.08),
                (grip[0] * w + k * (wide + 0.04), grip[1]),
            ],
            tint(upper, 0.85),
            tag,
            0.095,
        )
    head = (neck[0] * w + 0.06 * w, neck[1] + 0.2)
    board.disc(*head, 0.095, 0.12, skin, tag)
    if motor or rng.random() < 0.55:
        board.disc(head[0], head[1] + 0.03, 0.135, 0.15 if motor else 0.1, cloth(rng), tag)
    else:
        board.disc(head[0], head[1] + 0.05, 0.105, 0.09, pick(rng, HAIR), tag)
    if rng.random() < 0.25:
        board.rect(neck[0] * w - 0.16, seat[1] + 0.12, neck[0] * w + 0.1, neck[1] - 0.04, cloth(rng), tag)
