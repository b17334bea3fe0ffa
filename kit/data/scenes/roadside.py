"""What lines a synthetic street on both sides: buildings, walls, fences, hedges and the trees behind them."""

from bisect import bisect

from kit.data.scenes.drawing.buildings import building, facing_block, fence, wall
from kit.data.scenes.drawing.colours import uni
from kit.data.scenes.drawing.plants import bush, hedge, tree
from kit.data.scenes.plan import KINDS, Side, Stage, Street


def build_sides(stage: Stage, rng, street: Street) -> None:
    """Line both sides with buildings, walls, fences, hedges and trees; close the end of the street if planned."""
    city, suburb = street.kind == "city", street.kind == "suburb"
    lining = KINDS[street.kind].lining
    limit = street.end or 170.0
    for side in street.sides:
        sign, edge, storeys = side.sign, side.walk + 0.2, uni(rng, 2, 6.5)
        z = 1.2
        pitched = rng.random() < (0.85 if suburb else 0.35)
        while z < limit:
            length = uni(rng, 7, 22) if city else uni(rng, 8, 18)
            if street.junction and z < street.junction[1] and z + length > street.junction[0] - 1.5:
                length = street.junction[0] - 1.5 - z
                if length < 3:
                    z = street.junction[1] + 1.5
                    continue
            end = z + length
            roll = rng.random()
            if roll < lining[0]:
                floors = max(1, round(storeys + rng.normal() * (1.2 if city else 0.5)))
                floors = min(floors, 3) if suburb else floors
                height, deep = floors * 3.1 + uni(rng, 0.3, 1.5), uni(rng, 8, 13)
                jut = side.front + (0.0 if city else uni(rng, 0, 2.5))
                stop = max(end - (0.0 if city else uni(rng, 1.5, 5)), z + 4)
                front, back = sign * jut, sign * (jut + deep)
                foot = [(front, z), (front, stop), (back, stop), (back, z)]
                stage.add(stop, building, (sign, jut, z, stop, height, deep, pitched or suburb), foot, height)
                if not city and side.front - side.walk > 1.8 and rng.random() < 0.7:
                    _front_line(stage, rng, side, z, end)
            elif roll < sum(lining[:2]):
                tall = uni(rng, 1.2, 3.4)
                stage.add(end, wall, (sign, edge, z, end, tall), [(sign * edge, z), (sign * edge, end)], tall)
                _trees(stage, rng, sign, side.walk + 4, side.walk + 12, z, end, 3)
            elif roll < sum(lining[:3]):
                stage.add(end, fence, (sign, edge, z, end, uni(rng, 0.9, 2.0)))
                _trees(stage, rng, sign, side.walk + 2, side.walk + 14, z, end, 4)
            elif roll < sum(lining):
                stage.add(end, hedge, (sign, edge, z, end, uni(rng, 0.8, 2.4)))
                _trees(stage, rng, sign, side.walk + 3, side.walk + 14, z, end, 2)
            else:
                _trees(stage, rng, sign, side.walk + 1.5, side.walk + 22, z, end, 7)
            z = end
            if z > 60 and not city and rng.random() < 0.15:
                break
    if street.end:
        x = -30.0
        while x < 30:
            wide = uni(rng, 8, 18)
            stage.add(street.end + 2, facing_block, (x, x + wide, street.end + 2, uni(rng, 5, 20)))
            x += wide


def _front_line(stage: Stage, rng, side: Side, z: float, end: float) -> None:
    """The fence, wall or hedge between a front garden and the sidewalk, and a tree behind it."""
    kinds = ((fence, 0.8, 1.4), (wall, 0.6, 1.5), (hedge, 0.7, 1.5))
    draw, low, high = kinds[bisect((0.45, 0.56), rng.random())]
    x = side.walk + 0.15
    stage.add(end - 0.1, draw, (side.sign, x, z, end, uni(rng, low, high)))
    if side.front - x > 3:
        _trees(stage, rng, side.sign, x + 1.2, side.front - 1, z, end, 1)


def _trees(stage: Stage, rng, sign: int, x0: float, x1: float, z0: float, z1: float, most: int) -> None:
    """Up to `most` trees or bushes in a rectangle beside the road."""
    for _ in range(int(rng.random() * (most + 1))):
        x, z, size = sign * uni(rng, x0, x1), uni(rng, z0, z1), uni(rng, 4.5, 11)
        if z < 4:
            continue
        if rng.random() < 0.25:
            stage.add(z, bush, (x, z))
        else:
            stage.stand(tree, x, z, size, half=size * 0.22, tall=size * 0.8)
