"""Persons, riders, bicycles and motorcycles of a synthetic scene, drawn on cards that face the camera."""

import math

from kit.data.scenes.drawing.canvas import Board, Canvas
from kit.data.scenes.drawing.colours import Colour, hexes, hsv, mix, pick, tint, uni
from kit.data.scenes.drawing.tags import BICYCLE, MOTORCYCLE, PERSON, RIDER

SKIN = hexes("ecc4a8 d6a480 ac7854 785038 54382a")
HAIR = hexes("1e1814 462e1c 8c6434 bebebc 64281a 0e0e10")
SHOES = (30, 26, 24)


def cloth(rng) -> Colour:
    """Any piece of clothing: dark, grey, denim or coloured."""
    kind = rng.random()
    if kind < 0.35:
        return tint((1, 1, 1), uni(rng, 18, 90))
    if kind < 0.5:
        return tint((62, 82, 120), uni(rng, 0.6, 1.2))
    return hsv(rng, uni(rng, 0.2, 0.9), uni(rng, 0.3, 0.95))


def person(canvas: Canvas, rng, x: float, z: float) -> None:
    """Someone standing or walking, at random with coat, skirt, bag or umbrella; 1.05 to 1.95 m tall."""
    board = Board(canvas, x, z, PERSON)
    h = uni(rng, 1.55, 1.95) if rng.random() < 0.88 else uni(rng, 1.05, 1.4)
    upper, lower, skin, hair = cloth(rng), cloth(rng), pick(rng, SKIN), pick(rng, HAIR)
    girth = uni(rng, 0.85, 1.25) * h / 1.75
    side, stride = rng.random() < 0.5, uni(rng, 0.02, 0.3) * h / 1.75
    shoulder, hip, head = 0.82 * h, 0.5 * h, 0.93 * h
    half = (0.15 if side else 0.21) * girth
    for k, shade in ((-1, 0.8), (1, 1.0)):  # legs, the farther one darker
        foot = k * (stride if side else 0.09 * girth)
        rgb = skin if rng.random() < 0.12 else lower
        board.limb([(k * 0.05, hip), (foot * 0.55 + 0.04, 0.27 * h), (foot, 0.05)], tint(rgb, shade), 0.15 * girth)
        board.rect(foot - 0.06, 0, foot + 0.14, 0.07, SHOES)
    coat = rng.random()
    if coat < 0.4:  # coat or skirt below the waist
        board.shape([(0, half * 1.2, 0.3 * h), (0, half, 0.6 * h)], upper if coat < 0.25 else lower)
    board.shape([(0, half * 0.9, hip - 0.03), (0, half, shoulder - 0.03), (0, half * 0.5, shoulder + 0.03)], upper)
    swing = uni(rng, -0.25, 0.25) if side else 0.06
    for k, shade in ((-1, 0.82), (1, 0.92)):
        root = k * half * (0.3 if side else 0.95)
        hand = (root + k * swing + 0.03 * k, 0.46 * h)
        elbow = ((root + hand[0]) / 2 + 0.03 * k, 0.63 * h)
        board.limb([(root, shoulder - 0.04), elbow, hand], tint(upper, shade), 0.1 * girth)
        board.disc(*hand, 0.045, 0.045, skin)
    board.rect(-0.05, shoulder, 0.05, shoulder + 0.08, tint(skin, 0.85))
    board.disc(0, head, 0.095, 0.125, skin)
    board.disc(-0.02 if side else 0, head + 0.04, 0.105, 0.1, hair)
    if rng.random() < 0.6:  # the face; else seen from behind
        board.disc(0.03 if side else 0, head - 0.03, 0.07, 0.085, skin)
    if rng.random() < 0.3:
        bag = cloth(rng)
        at = pick(rng, ((-half - 0.12, 0.55 * h, -half + 0.06, 0.78 * h), (half - 0.02, 0.36 * h, half + 0.2, 0.5 * h)))
        board.rect(*at, bag)
    if rng.random() < 0.1:  # an umbrella
        shade = cloth(rng)
        board.line([(0.15, 0.6 * h), (0.15, h + 0.35)], (40, 40, 40), 0.03)
        angles = [k * math.pi / 8 for k in range(9)]
        board.poly([(0.15 + 0.6 * math.cos(t), h + 0.12 + 0.38 * math.sin(t)) for t in angles], shade)


def wheel(board: Board, x: float, r: float, flat: float, tyre: float) -> None:
    """A spoked wheel; flat < 1 turns it. The disc belongs to the vehicle, although the street is seen through it."""
    behind = board.canvas.peek(*board.at(x, r))
    board.disc(x, r, r * flat + tyre, r, (24, 24, 26))
    if r * flat > 2 * tyre:
        board.disc(x, r, r * flat - tyre, r - tyre, mix(behind, (120, 122, 125), 0.35))
        for k in range(4):
            t = k * math.pi / 4 + 0.3
            dx, dy = math.cos(t) * r * flat * 0.9, math.sin(t) * r * 0.9
            board.line([(x - dx, r - dy), (x + dx, r + dy)], (95, 97, 100), 0.012)


def bicycle(canvas: Canvas, rng, x: float, z: float, flat: float, flip: int) -> None:
    """A bicycle seen from the side (flat 1) to nearly end-on (flat 0.15); flip -1 looks left."""
    board, rgb = Board(canvas, x, z, BICYCLE), hsv(rng, uni(rng, 0.1, 0.9), uni(rng, 0.15, 0.85))
    w, r, spread = flip * flat, 0.34, 0.28 * (1 - flat)
    for at in (-0.52, 0.52):
        wheel(board, at * w, r, flat, 0.035)
    frame = [(-0.52, r), (-0.05, 0.3), (0.38, 0.82), (-0.2, 0.84), (-0.52, r)]
    for tube in (frame, [(-0.05, 0.3), (-0.24, 0.96)], [(0.52, r), (0.36, 1.0)]):
        board.line([(a * w, b) for a, b in tube], rgb, 0.05)
    board.line([(-0.36 * w, 0.97), (-0.12 * w, 0.97)], (25, 22, 20), 0.08)
    board.line([(0.36 * w - spread, 1.02), (0.36 * w + spread + 0.08 * w, 1.04)], (30, 30, 32), 0.045)
    if rng.random() < 0.25:
        board.rect(0.3 * w, 0.78, 0.3 * w + 0.3 * w + 0.1, 1.0, (120, 90, 56))


def motorcycle(canvas: Canvas, rng, x: float, z: float, flat: float, flip: int, front: bool = False) -> None:
    """A motorcycle or scooter, as `bicycle`; front shows its head lamp when nearly end-on."""
    board, rgb = Board(canvas, x, z, MOTORCYCLE), hsv(rng, uni(rng, 0.3, 0.95), uni(rng, 0.2, 0.85))
    w, end, dark, lamp = flip * flat, 1 - flat, (34, 34, 37), (210, 30, 24)
    thick = 0.2 * end

    def outline(*corners):
        """Corners (along, height, side) on the card: `along` is foreshortened by the view, `side` scaled by `thick`."""
        return [(a * w + k * thick, y) for a, y, k in corners]

    for at in (-0.68, 0.68):
        wheel(board, at * w, 0.31, flat, 0.08)
    board.poly(outline((-0.35, 0.25, -1), (0.35, 0.25, 1), (0.42, 0.6, 1), (-0.45, 0.62, -1)), dark)
    board.disc(0.0, 0.42, 0.17 * flat + 0.03, 0.15, (140, 142, 145))
    board.line([(-0.1 * w, 0.28), (-0.8 * w, 0.34)], (170, 170, 172), 0.09)
    board.line([(0.68 * w, 0.31), (0.42 * w, 0.95)], (120, 120, 124), 0.07)
    board.disc(0.16 * w, 0.78, 0.28 * flat + thick, 0.15, rgb)
    board.poly(outline((-0.8, 0.82, -1), (0, 0.74, 0), (0, 0.84, 0), (-0.75, 0.95, 1)), (28, 24, 24))
    board.poly(outline((0.3, 0.65, -1), (0.62, 0.7, 1), (0.52, 1.1, 1), (0.36, 1.12, -1)), rgb)
    board.line([(0.38 * w - 0.34 * end, 1.08), (0.38 * w + 0.34 * end + 0.02, 1.08)], dark, 0.06)
    if front or w > 0.5:
        lamp = (255, 248, 220)
    board.disc(0.6 * w if flat > 0.5 else 0.0, 0.9, 0.09, 0.09, lamp, canvas.glow(board.tag))


def rider(canvas: Canvas, rng, x: float, z: float, motor: bool) -> None:
    """A bicycle or motorcycle with a rider: vehicle first, then the person above it with the near leg."""
    flat, flip, front = pick(rng, (0.15, 0.2, 0.45, 0.8, 1.0)), 1 if rng.random() < 0.5 else -1, rng.random() < 0.5
    if motor:
        motorcycle(canvas, rng, x, z, flat, flip, front)
        seat, grip, pedal = (-0.25, 0.92), (0.4, 1.08), (0.1, 0.36)
    else:
        bicycle(canvas, rng, x, z, flat, flip)
        seat, grip, pedal = (-0.24, 1.0), (0.36, 1.06), (-0.02, 0.2)
    board = Board(canvas, x, z, RIDER)
    upper, lower, skin, w = cloth(rng), cloth(rng), pick(rng, SKIN), flip * flat
    neck = (seat[0] + uni(rng, 0.1, 0.35), seat[1] + 0.52)
    wide, half = 0.17 * (1 - flat), 0.13 + 0.09 * (1 - flat)
    hips, neck_x = seat[0] * w, neck[0] * w
    for k, shade, knee, lift in ((-1, 0.8, 0.66, 0.0), (1, 1.0, 0.74, 0.12)):
        foot = (pedal[0] * w + k * wide, pedal[1] + lift)
        board.limb([(hips, seat[1] - 0.02), (0.2 * w + k * wide, knee), foot], tint(lower, shade), 0.15)
        board.rect(foot[0] - 0.06, foot[1] - 0.06, foot[0] + 0.1, foot[1] + 0.02, (26, 24, 24))
    chest = [(hips, half * 0.85, seat[1] - 0.1), (neck_x, half, neck[1] - 0.04), (neck_x, half * 0.4, neck[1] + 0.05)]
    board.shape(chest, upper)
    for k in (-1, 1):
        root, hand = (neck_x + k * half * 0.8, neck[1] - 0.07), (grip[0] * w + k * (wide + 0.04), grip[1])
        elbow = (0.5 * (neck[0] + grip[0]) * w + k * (wide + 0.06), 0.5 * (neck[1] + grip[1]) - 0.08)
        board.limb([root, elbow, hand], tint(upper, 0.85), 0.095)
    head_x, head_y = neck_x + 0.06 * w, neck[1] + 0.2
    board.disc(head_x, head_y, 0.095, 0.12, skin)
    if motor or rng.random() < 0.55:
        board.disc(head_x, head_y + 0.03, 0.135, 0.15 if motor else 0.1, cloth(rng))
    else:
        board.disc(head_x, head_y + 0.05, 0.105, 0.09, pick(rng, HAIR))
    if rng.random() < 0.25:
        board.rect(neck_x - 0.16, seat[1] + 0.12, neck_x + 0.1, neck[1] - 0.04, cloth(rng))
