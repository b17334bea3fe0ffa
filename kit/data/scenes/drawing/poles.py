"""Poles, street lamps, traffic lights, traffic signs and street furniture of a synthetic scene."""

import math

from kit.data.scenes.drawing.canvas import Board, Canvas
from kit.data.scenes.drawing.colours import Colour, hexes, hsv, pick, tint, uni
from kit.data.scenes.drawing.tags import LIGHT, POLE, SIGN, VOID

METAL = hexes("828588 606366 3c4042 2c3c32 a5a7a8 644e3a")
CASINGS = hexes("161718 242a26 34321e")
SIGNALS = tuple(zip(hexes("ff3c2c ffbe32 46f08c"), hexes("461a18 4a3c1a 183e2c"), strict=True))
"""(lit, dark) colour of each lamp of a traffic light, from top to bottom."""
LANTERN = (255, 226, 160)
RED, BLUE, WHITE, YELLOW, GREEN = hexes("bc2024 1c4aa0 e8e8e4 e8ba28 1e6e46")


def ngon(corners: int, radius: float = 1.0, turn: float = 0.0) -> list[tuple[float, float]]:
    """A regular polygon around the origin, its first corner at the top, then turned by `turn` radians."""
    angles = [turn + k * 2 * math.pi / corners for k in range(corners)]
    return [(radius * math.sin(angle), radius * math.cos(angle)) for angle in angles]


def bar(x: float, y: float) -> list[tuple[float, float]]:
    """A rectangle around the origin with half sides x, y."""
    return [(-x, -y), (x, -y), (x, y), (-x, y)]


ARROW = [(-0.15, -0.6), (0.15, -0.6), (0.15, 0), (0.45, 0), (0, 0.65), (-0.45, 0), (-0.15, 0)]
PLATES = (
    ([(ngon(14), RED), (ngon(14, 0.7), WHITE)], [(bar(0.35, 0.3), (40, 40, 44))]),  # prohibition
    ([(ngon(14), RED)], [(bar(0.7, 0.16), WHITE)]),  # no entry
    ([(ngon(3, 1.2), RED), (ngon(3, 0.7), WHITE)], []),  # warning; upside down: give way
    ([(ngon(4, 1.15), WHITE), (ngon(4, 0.85), YELLOW)], []),  # priority road
    ([(ngon(14), BLUE)], [(ARROW, WHITE)]),  # ahead only
    ([(ngon(8, 1.05, 0.39), RED)], [(bar(0.6, 0.15), WHITE)]),  # stop
    ([(bar(1, 1), BLUE)], [(bar(0.3, 0.6), WHITE)]),  # information
)
"""Traffic signs: layers that fade with age, and symbols on them, each (outline in half sizes of the plate, colour)."""
WARNING, PANEL = 2, len(PLATES)


def pole(board: Board, rng, height: float, width: float) -> Colour:
    """A plain vertical post; returns its colour, for arms."""
    rgb = tint(pick(rng, METAL), uni(rng, 0.8, 1.15))
    board.rect(-width / 2, 0, width / 2, height, rgb)
    if width * board.scale > 3:
        board.rect(-width / 2, 0, -width / 6, height, tint(rgb, 1.2))
    return rgb


def street_lamp(canvas: Canvas, rng, x: float, z: float, side: int) -> None:
    """A lamp post with an arm over the road, or an old-fashioned lantern; lights a pool at night."""
    board = Board(canvas, x, z, POLE)
    height = uni(rng, 6, 9.5)
    if rng.random() < 0.25:
        height = uni(rng, 3.2, 4.5)
        pole(board, rng, height, 0.14)
        head, dark, levels = 0.0, (210, 212, 205), [(0.0, 0.15, height), (0.0, 0.22, height + 0.5)]
    else:
        rgb = pole(board, rng, height, uni(rng, 0.15, 0.22))
        head, top = -side * uni(rng, 1.2, 2.4), height + uni(rng, 0.2, 0.8)
        board.line([(0, height - 0.1), (head * 0.4, top), (head, top)], rgb, 0.1)
        dark, levels = tint(rgb, 0.8), [(head, 0.4, top - 0.07), (head, 0.3, top + 0.1)]
    board.shape(levels, LANTERN if canvas.night else dark, canvas.glow(board.tag))
    if canvas.night:
        u, _ = board.at(head, 0)
        canvas.lamps.append((u, board.v, 4.5 * board.scale))


def utility_pole(canvas: Canvas, rng, x: float, z: float) -> None:
    """A wooden mast with a cross arm."""
    board = Board(canvas, x, z, POLE)
    height = uni(rng, 7, 9)
    rgb = pole(board, rng, height, uni(rng, 0.22, 0.3))
    for k in range(1 + int(rng.random() * 2)):
        board.line([(-0.9, height - 0.5 - 0.6 * k), (0.9, height - 0.5 - 0.6 * k)], rgb, 0.12)


def bollard(canvas: Canvas, rng, x: float, z: float) -> None:
    """A knee-high post."""
    board = Board(canvas, x, z, POLE)
    pole(board, rng, uni(rng, 0.8, 1.1), 0.16)
    board.rect(-0.08, 0.65, 0.08, 0.75, pick(rng, (WHITE, RED)))


def traffic_light(canvas: Canvas, rng, x: float, z: float, side: int) -> None:
    """Signal heads on a mast, some also on an arm over the road."""
    mast, board = Board(canvas, x, z, POLE), Board(canvas, x, z, LIGHT)
    arm = rng.random() < 0.4
    height = uni(rng, 5.2, 6) if arm else uni(rng, 2.9, 3.5)
    rgb = pole(mast, rng, height, 0.16)
    heads = [(0.0, min(height, 3.3))]
    if arm:
        reach = -side * uni(rng, 2.5, 4.5)
        mast.line([(0, height - 0.1), (reach, height - 0.1)], rgb, 0.14)
        heads.append((reach, height + 0.35))
    state, casing = int(rng.random() * 3), pick(rng, CASINGS)
    away = rng.random() < 0.2  # seen from behind: no lamps
    for head, top in heads:
        board.rect(head - 0.24, top - 1.05, head + 0.24, top, casing)
        for k, (lit, dark) in enumerate(() if away else SIGNALS):
            rgb, tag = (lit, canvas.glow(board.tag)) if k == state else (dark, board.tag)
            board.disc(head, top - 0.19 - 0.33 * k, 0.13, 0.13, rgb, tag)


def sign_plate(board: Board, rng, y: float, size: float) -> float:
    """One plate of any common shape with its lower edge at y metres; returns the lower edge of the next one above."""
    kind, half, flip = int(rng.random() * (len(PLATES) + 1)), size / 2, 1
    fade = uni(rng, 0.75, 1.1)
    if rng.random() < 0.15:  # the back of a sign
        grounds, symbols = [(ngon(pick(rng, (12, 4, 3)), 1.0, pick(rng, (0.0, 0.785))), (140, 142, 144))], []
    elif kind < PANEL:
        grounds, symbols = PLATES[kind]
        flip = -1 if kind == WARNING and rng.random() < 0.4 else 1
    else:
        wide = size * uni(rng, 0.9, 1.6)
        board.rect(-wide, y, wide, y + size * 0.8, tint(pick(rng, (GREEN, BLUE, YELLOW, WHITE)), fade))
        ink = pick(rng, (WHITE, (30, 30, 34)))
        for low in (y + size * 0.14, y + size * 0.48):
            board.rect(-wide * 0.8, low, wide * uni(rng, 0.1, 0.8), low + size * 0.12, ink)
        grounds, symbols = [], []
    for layer, (outline, rgb) in enumerate([(outline, tint(rgb, fade)) for outline, rgb in grounds] + symbols):
        points = [board.at(half * a * flip, y + half + half * b * flip) for a, b in outline]
        board.canvas.poly(points, rgb, None if layer else board.tag)  # upper layers only decorate the plate
    return y + size * 1.08


def traffic_sign(canvas: Canvas, rng, x: float, z: float) -> None:
    """One or two plates on a thin post."""
    height = uni(rng, 1.9, 2.6)
    size, count = uni(rng, 0.6, 0.95), 1 + (rng.random() < 0.25)
    pole(Board(canvas, x, z, POLE), rng, height + size * count * 0.9, 0.09)
    for _ in range(count):
        height = sign_plate(Board(canvas, x, z, SIGN), rng, height, size)


def clutter(canvas: Canvas, rng, x: float, z: float) -> None:
    """A bin, switch box or bench, which are void as in Cityscapes."""
    board = Board(canvas, x, z, VOID)
    rgb, kind = hsv(rng, uni(rng, 0, 0.6), uni(rng, 0.2, 0.7)), rng.random()
    if kind < 0.6:
        w, h = uni(rng, 0.25, 0.5), uni(rng, 0.8, 1.3)
        board.rect(-w, 0, w, h, rgb)
        board.rect(-w, h * 0.85, w, h, tint(rgb, 0.7))
    else:
        for y in (0.45, 0.8):
            board.rect(-0.8, y, 0.8, y + 0.12, rgb)
        for a in (-0.7, 0.6):
            board.rect(a, 0, a + 0.1, 0.9, (40, 40, 42))
