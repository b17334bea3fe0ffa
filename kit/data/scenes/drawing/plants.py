"""Trees, bushes and hedges of a synthetic scene."""

import math

from kit.data.scenes.drawing.canvas import Board, Canvas, Face
from kit.data.scenes.drawing.colours import hexes, pick, tint, uni
from kit.data.scenes.drawing.tags import LEAF, ROUGH, VEGETATION, tag_of

GREENS = hexes("3e5c2c 547036 324a2c 687c42 4c6246 78803c")
AUTUMN = hexes("aa6e28 964824 ba963c 783c28")
BARK = hexes("46382c 605448 322c28 827a6e")


def leaf_colour(canvas: Canvas, rng):
    """A crown's colour in the canvas's season: "summer", "autumn" or "winter"."""
    return tint(pick(rng, AUTUMN if canvas.season == "autumn" and rng.random() < 0.7 else GREENS), uni(rng, 0.75, 1.2))


def branches(board: Board, rng, x, y, angle, length, width, rgb, depth) -> None:
    """A leafless crown: every branch ends in two or three thinner ones."""
    ex, ey = x + math.cos(angle) * length, y + math.sin(angle) * length
    board.line([(x, y), (ex, ey)], rgb, width)
    if depth and length * board.scale > 2:
        for turn in (-0.5, 0.45, 0.05)[: 2 + (rng.random() < 0.5)]:
            turned, shorter = angle + turn + uni(rng, -0.2, 0.2), length * uni(rng, 0.6, 0.8)
            branches(board, rng, ex, ey, turned, shorter, width * 0.6, rgb, depth - 1)


def tree(canvas: Canvas, rng, x: float, z: float, size: float) -> None:
    """One tree of about `size` metres: broad, upright, conifer, or bare in winter. The trunk is vegetation too."""
    board, wood = Board(canvas, x, z, VEGETATION, LEAF), Board(canvas, x, z, VEGETATION, ROUGH)
    bark, leaves = tint(pick(rng, BARK), uni(rng, 0.8, 1.1)), leaf_colour(canvas, rng)
    kind, thick = rng.random(), uni(rng, 0.03, 0.055) * size
    tilt = uni(rng, -0.04, 0.04) * size
    if canvas.season == "winter" and kind < 0.75:
        wood.shape([(0, thick / 2, 0), (0, thick / 3, 0.35 * size)], bark)
        for angle in (1.2, 1.57, 1.95):
            branches(wood, rng, 0, 0.33 * size, angle + uni(rng, -0.2, 0.2), 0.22 * size, thick * 0.6, bark, 4)
        return
    bare = 0.12 if kind > 0.85 else uni(rng, 0.22, 0.4)
    wood.shape([(0, thick / 2, 0), (tilt, thick / 3, (bare + 0.2) * size)], bark)
    if kind > 0.85:  # conifer: skirts from below upwards
        for k in range(6):
            low, wide = bare + k * 0.14, 0.24 * (1 - k / 6.5)
            skirt = [(-wide * size, low * size), (wide * size, (low - 0.02) * size), (0, (low + 0.28) * size)]
            board.poly(skirt, tint(leaves, 0.6 + 0.07 * k))
        return
    wide, tall = (0.14, 0.36) if kind > 0.72 else (uni(rng, 0.26, 0.42), uni(rng, 0.26, 0.34))
    centre = bare + tall * 0.9
    lit = canvas.sun.x * canvas.sun.direct
    draws = rng.random((34, 4)).tolist()
    draws.sort(key=lambda d: d[1] + 0.4 * d[0] * lit)  # low, shaded clumps first; lit ones on top
    for a, b, c, d in draws:
        turn, reach = a * 6.283, 0.85 * math.sqrt(c)
        dx, dy = math.cos(turn) * reach, (b - 0.5) * 2 * math.sqrt(1 - reach * reach * 0.9)
        blob = (0.22 + 0.2 * d) * min(wide, tall) * size
        rgb = tint(leaves, 0.78 + 0.22 * dy + 0.16 * lit * dx + 0.2 * (d - 0.5))
        board.disc(tilt + dx * wide * size, (centre + dy * tall * 0.85) * size, blob * 1.1, blob, rgb)


def bush(canvas: Canvas, rng, x: float, z: float) -> None:
    """A low shrub of half a metre to two."""
    board, leaves = Board(canvas, x, z, VEGETATION, LEAF), leaf_colour(canvas, rng)
    wide, tall = uni(rng, 0.5, 1.5), uni(rng, 0.4, 1.6)
    for a, b, c in rng.random((10, 3)).tolist():
        rgb = tint(leaves, 0.65 + 0.5 * b)
        board.disc((a - 0.5) * 2 * wide, b * tall * 0.8, wide * (0.3 + 0.2 * c), tall * 0.3, rgb)


def hedge(canvas: Canvas, rng, side: int, x: float, z0: float, z1: float, height: float) -> None:
    """A clipped hedge along the road with a rough upper edge."""
    tag, leaves = tag_of(VEGETATION, z0, LEAF), leaf_colour(canvas, rng)
    rgb = tint(leaves, canvas.sun.on(-side, 0))
    x *= side
    Face.along(canvas, x, z0, z1, height, tag).fill(rgb)
    if z0 > 1.5:
        Face.across(canvas, x, x + side * 1.2, z0, height, tag).fill(tint(rgb, 0.85))
    for k in range(int(z1 - z0) * 2):
        z = z1 - k / 2
        if z > 1.5:
            r = uni(rng, 0.15, 0.35) * canvas.camera.focal / z
            canvas.disc(*canvas.camera.project(x, height, z), r * 1.2, r * 0.7, tint(rgb, uni(rng, 0.9, 1.15)), tag)
