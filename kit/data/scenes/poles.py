"""Poles, street lamps, traffic lights, traffic signs and odds and ends of a synthetic scene."""

import math

from kit.data.scenes.canvas import LIGHT, POLE, SIGN, VOID, Board, Canvas, hsv, pick, tag_of, tint, uni

METAL = ((130, 133, 136), (96, 99, 102), (60, 64, 66), (44, 60, 50), (165, 167, 168), (100, 78, 58))
RED, BLUE, WHITE, YELLOW, GREEN = (188, 32, 36), (28, 74, 160), (232, 232, 228), (232, 186, 40), (30, 110, 70)


def pole(board: Board, rng, height: float, width: float) -> tuple:
    """A plain upright; returns its colour and tag for arms."""
    rgb, tag = tint(pick(rng, METAL), uni(rng, 0.8, 1.15)), tag_of(POLE, board.z)
    board.rect(-width / 2, 0, width / 2, height, rgb, tag)
    if width * board.scale > 3:
        board.rect(-width / 2, 0, -width / 6, height, tint(rgb, 1.2))
    return rgb, tag


def street_lamp(canvas: Canvas, rng, x: float, z: float, side: int) -> None:
    """A lamp post with an arm over the road, or an old-fashioned lantern; lights a pool at night."""
    board = Board(canvas, x, z)
    height = uni(rng, 6, 9.5)
    if rng.random() < 0.25:
        height = uni(rng, 3.2, 4.5)
        rgb, tag = pole(board, rng, height, 0.14)
        glow, lit = canvas.glow((255, 226, 160) if canvas.night else (210, 212, 205), tag)
        board.poly([(-0.15, height), (0.15, height), (0.22, height + 0.5), (-0.22, height + 0.5)], glow, lit)
        head = (0.0, height)
    else:
        rgb, tag = pole(board, rng, height, uni(rng, 0.15, 0.22))
        head = (-side * uni(rng, 1.2, 2.4), height + uni(rng, 0.2, 0.8))
        board.line([(0, height - 0.1), (head[0] * 0.4, head[1]), head], rgb, tag, 0.1)
        glow, lit = canvas.glow((255, 226, 160) if canvas.night else tint(rgb, 0.8), tag)
        board.poly(
            [
                (head[0] - 0.4, head[1] - 0.07),
                (head[0] + 0.4, head[1] - 0.07),
                (head[0] + 0.3, head[1] + 0.1),
                (head[0] - 0.3, head[1] + 0.1),
            ],
            glow,
            lit,
        )
    if canvas.night:
        u, _ = board.at(head[0], 0)
        canvas.lamps.append((u, board.v, 4.5 * board.scale))


def utility_pole(canvas: Canvas, rng, x: float, z: float) -> None:
    """A wooden mast with a cross arm."""
    board = Board(canvas, x, z)
    height = uni(rng, 7, 9)
    rgb, tag = pole(board, rng, height, uni(rng, 0.22, 0.3))
    for k in range(1 + int(rng.random() * 2)):
        board.line([(-0.9, height - 0.5 - 0.6 * k), (0.9, height - 0.5 - 0.6 * k)], rgb, tag, 0.12)


def bollard(canvas: Canvas, rng, x: float, z: float) -> None:
    """A knee-high post."""
    board = Board(canvas, x, z)
    pole(board, rng, uni(rng, 0.8, 1.1), 0.16)
    board.rect(-0.08, 0.65, 0.08, 0.75, pick(rng, (WHITE, RED)))


def traffic_light(canvas: Canvas, rng, x: float, z: float, side: int) -> None:
    """Signal heads on a mast, some also on an arm over the road."""
    board = Board(canvas, x, z)
    arm = rng.random() < 0.4
    height = uni(rng, 5.2, 6) if arm else uni(rng, 2.9, 3.5)
    rgb, tag = pole(board, rng, height, 0.16)
    heads = [(0.0, min(height, 3.3))]
    if arm:
        reach = -side * uni(rng, 2.5, 4.5)
        board.line([(0, height - 0.1), (reach, height - 0.1)], rgb, tag, 0.14)
        heads.append((reach, height + 0.35))
    state, casing = int(rng.random() * 3), pick(rng, ((22, 23, 24), (36, 42, 38), (52, 50, 30)))
    away = rng.random() < 0.2  # seen from behind: no lamps
    tag = tag_of(LIGHT, z)
    for hx, top in heads:
        board.rect(hx - 0.24, top - 1.05, hx + 0.24, top, casing, tag)
        for k in range(3) if not away else ():
            on = k == state
            colour = (
                ((255, 60, 44), (255, 190, 50), (70, 240, 140))[k]
                if on
                else ((70, 26, 24), (74, 60, 26), (24, 62, 44))[k]
            )
            lamp, lit = canvas.glow(colour, tag) if on else (colour, tag)
            board.disc(hx, top - 0.19 - 0.33 * k, 0.13, 0.13, lamp, lit)


def sign_plate(board: Board, rng, y: float, size: float, tag: int) -> float:
    """One plate of any common shape with its lower edge at y metres; returns its upper edge."""
    kind, r = int(rng.random() * 8), size / 2
    mid = y + r
    fade = uni(rng, 0.75, 1.1)

    def ngon(n, radius, turn, rgb, mark=None):
        board.poly(
            [
                (radius * math.sin(turn + k * 2 * math.pi / n), mid + radius * math.cos(turn + k * 2 * math.pi / n))
                for k in range(n)
            ],
            tint(rgb, fade),
            mark,
        )

    if rng.random() < 0.15:  # the back of a sign
        ngon(pick(rng, (12, 4, 3)), r, pick(rng, (0.0, 0.785)), (140, 142, 144), tag)
    elif kind in (0, 1):
        ngon(14, r, 0, RED, tag)
        if kind == 0:
            ngon(14, r * 0.7, 0, WHITE)
            board.rect(-r * 0.35, mid - r * 0.3, r * 0.35, mid + r * 0.3, (40, 40, 44))
        else:
            board.rect(-r * 0.7, mid - r * 0.16, r * 0.7, mid + r * 0.16, WHITE)
    elif kind == 2:
        turn = math.pi if rng.random() < 0.4 else 0.0
        ngon(3, r * 1.2, turn, RED, tag)
        ngon(3, r * 0.7, turn, WHITE)
    elif kind == 3:
        ngon(4, r * 1.15, 0, WHITE, tag)
        ngon(4, r * 0.85, 0, YELLOW)
    elif kind == 4:
        ngon(14, r, 0, BLUE, tag)
        board.poly(
            [
                (-r * 0.15, mid - r * 0.6),
                (r * 0.15, mid - r * 0.6),
                (r * 0.15, mid),
                (r * 0.45, mid),
                (0, mid + r * 0.65),
                (-r * 0.45, mid),
                (-r * 0.15, mid),
            ],
            WHITE,
        )
    elif kind == 5:
        ngon(8, r * 1.05, 0.39, RED, tag)
        board.rect(-r * 0.6, mid - r * 0.15, r * 0.6, mid + r * 0.15, WHITE)
    elif kind == 6:
        board.rect(-r, y, r, y + size, tint(BLUE, fade), tag)
        board.rect(-r * 0.3, y + size * 0.2, r * 0.3, y + size * 0.8, WHITE)
    else:
        wide = size * uni(rng, 0.9, 1.6)
        board.rect(-wide, y, wide, y + size * 0.8, tint(pick(rng, (GREEN, BLUE, YELLOW, WHITE)), fade), tag)
        ink = pick(rng, (WHITE, (30, 30, 34)))
        for k in range(2):
            board.rect(
                -wide * 0.8, y + size * (0.14 + 0.34 * k), wide * uni(rng, 0.1, 0.8), y + size * (0.26 + 0.34 * k), ink
            )
    return y + size * 1.08


def traffic_sign(canvas: Canvas, rng, x: float, z: float) -> None:
    """One or two plates on a thin post."""
    board = Board(canvas, x, z)
    height = uni(rng, 1.9, 2.6)
    size, count = uni(rng, 0.6, 0.95), 1 + (rng.random() < 0.25)
    pole(board, rng, height + size * count * 0.9, 0.09)
    for _ in range(count):
        height = sign_plate(board, rng, height, size, tag_of(SIGN, z))


def clutter(canvas: Canvas, rng, x: float, z: float) -> None:
    """A bin, switch box or bench: in Cityscapes such things are void, so they are here."""
    board, tag = Board(canvas, x, z), tag_of(VOID, z)
    rgb, kind = hsv(rng, uni(rng, 0, 0.6), uni(rng, 0.2, 0.7)), rng.random()
    if kind < 0.6:
        w, h = uni(rng, 0.25, 0.5), uni(rng, 0.8, 1.3)
        board.rect(-w, 0, w, h, rgb, tag)
        board.rect(-w, h * 0.85, w, h, tint(rgb, 0.7))
    else:
        for y in (0.45, 0.8):
            board.rect(-0.8, y, 0.8, y + 0.12, rgb, tag)
        for a in (-0.7, 0.6):
            board.rect(a, 0, a + 0.1, 0.9, (40, 40, 42), tag)
