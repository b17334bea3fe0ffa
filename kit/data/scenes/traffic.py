"""Things and people on a synthetic street: poles and signs, people, bicycles, and vehicles of every kind."""

import math

from kit.data.scenes.drawing import people, poles, vehicles
from kit.data.scenes.drawing.colours import pick, uni
from kit.data.scenes.drawing.plants import bush, tree
from kit.data.scenes.plan import Stage, Street, square

SIZES = {
    vehicles.car: (1.85, 4.5, 1.5),
    vehicles.truck: (2.5, 9.0, 3.3),
    vehicles.bus: (2.5, 11.5, 3.2),
    vehicles.tram: (2.5, 28.0, 3.5),
}
"""Width, length and height in metres used to keep vehicles apart and to cast their shadows."""


def furnish(stage: Stage, rng, street: Street) -> None:
    """Street lamps, masts, lights, signs, bollards, street trees and clutter, all just behind the kerb."""
    for side in street.sides:
        line, sign = side.kerb + 0.5, side.sign
        if rng.random() < 0.6:
            z, step = uni(rng, 4, 16), uni(rng, 14, 28)
            kind, args = (poles.street_lamp, (sign,)) if rng.random() < 0.8 else (poles.utility_pole, ())
            while z < 110:
                if not street.crossed(z):
                    stage.stand(kind, sign * line, z, *args, half=0.1, tall=7.0)
                z += step * uni(rng, 0.9, 1.1)
        planted = side.strip > side.kerb
        if planted or rng.random() < 0.3:
            z, step, size = uni(rng, 5, 14), uni(rng, 6, 16), uni(rng, 4.5, 9)
            x = sign * ((side.kerb + side.strip) / 2 if planted else side.kerb + 0.8)
            while z < 90:
                if not street.crossed(z) and rng.random() < 0.85:
                    if rng.random() < 0.85:
                        tall = size * uni(rng, 0.85, 1.15)
                        stage.stand(tree, x, z, tall, half=tall * 0.2, tall=tall * 0.7)
                    else:
                        stage.add(z, bush, (x, z))
                z += step
        for _ in range(int(rng.random() * 3.2)):
            z = uni(rng, 6, 42)
            args = (sign * (line + uni(rng, -0.1, 0.4)), z)
            stage.add(z, poles.traffic_sign, args, square(sign * line, z, 0.06), 2.8)
        if rng.random() < 0.12:
            z, count = uni(rng, 5, 20), 3 + int(rng.random() * 7)
            for k in range(count):
                stage.add(z + k * 1.6, poles.bollard, (sign * (side.kerb + 0.3), z + k * 1.6))
        if rng.random() < 0.14 and side.walk - side.strip > 1.5:
            stage.stand(poles.clutter, sign * (side.walk - 0.5), uni(rng, 7, 30), half=0.4, tall=1.0)
        if street.junction or rng.random() < 0.18:
            z = street.junction[0] - 1.2 if street.junction else uni(rng, 9, 32)
            x = sign * (side.kerb + 0.4)
            if rng.random() < 0.7:
                stage.add(z, poles.traffic_light, (x, z, sign), square(sign * line, z, 0.1), 3.4)
                if street.junction and rng.random() < 0.6:
                    far = street.junction[1] + 1
                    stage.add(far, poles.traffic_light, (x, far, sign))
    if street.median:
        z = uni(rng, 6, 12)
        while z < 80:
            if not street.crossed(z):
                kind = pick(rng, (poles.traffic_sign, tree, tree, None))
                if kind is tree:
                    stage.stand(tree, 0.0, z, uni(rng, 4, 7), half=1.0, tall=4.0)
                elif kind:
                    stage.add(z, kind, (0.0, z))
            z += uni(rng, 7, 16)


def add_people(stage: Stage, rng, street: Street) -> None:
    """Walkers on the sidewalks, some crossing; parked bicycles and motorcycles; riders in the lanes."""
    right = street.sides[1].kerb
    crowd = pick(rng, (0, 1, 2, 3, 5, 9)) * (1.4 if street.kind == "city" else 0.7)
    for _ in range(int(crowd + rng.random())):
        side = pick(rng, street.sides)
        z = 4.5 + 32 * rng.random() ** 1.4
        x = side.sign * uni(rng, side.strip + 0.4, max(side.walk, side.strip + 1.5) - 0.3)
        for k in range(1 + (rng.random() < 0.3)):
            stage.stand(people.person, x + 0.6 * k, z + 0.1 * k, tall=1.7)
    if rng.random() < 0.22:  # pedestrians cross the road
        z = street.junction[0] - 2.5 if street.junction else uni(rng, 7, 26)
        for _ in range(1 + int(rng.random() * 4)):
            stage.stand(people.person, uni(rng, -1, 1) * right, z + uni(rng, -1, 1), tall=1.7)
    if rng.random() < 0.3:
        side, z = pick(rng, street.sides), uni(rng, 5, 18)
        for k in range(1 + int(rng.random() * 5)):
            flat, flip = pick(rng, (0.4, 0.9, 1.0)), pick(rng, (-1, 1))
            x = side.sign * (pick(rng, (side.kerb + 0.7, side.walk - 0.5)) if k == 0 else abs(x) + uni(rng, -0.1, 0.1))
            stage.stand(people.bicycle, x, z + 0.7 * k, flat, flip, tall=0.9)
    if rng.random() < 0.17:
        side, z = pick(rng, street.sides), uni(rng, 5, 17)
        for k in range(1 + int(rng.random() * 3)):
            x = side.sign * (side.kerb + uni(rng, -0.5, 0.7))
            flat, flip = pick(rng, (0.25, 0.6, 1.0)), pick(rng, (-1, 1))
            stage.stand(people.motorcycle, x, z + 1.1 * k, flat, flip, tall=1.0)
    if rng.random() < 0.3:
        for _ in range(1 + (rng.random() < 0.3)):
            motor, z = rng.random() < 0.4, uni(rng, 5.5, 21)
            x = pick(rng, (-1, 1)) * uni(rng, 0.4, 1.0) * right
            if stage.free(x, z, 0.6, 1.2):
                stage.stand(people.rider, x, z, motor, tall=1.7)


def add_traffic(stage: Stage, rng, street: Street) -> None:
    """Parked and moving vehicles; rare kinds are placed first so that they find room."""
    lane = street.median + street.lane * 0.5
    for kind, chance in ((vehicles.tram, 0.62 if street.tram else 0.03), (vehicles.bus, 0.16), (vehicles.truck, 0.17)):
        if rng.random() < chance:
            for _ in range(4):  # tries
                oncoming, z = rng.random() < 0.5, uni(rng, 8, 36)
                x = lane if kind is vehicles.tram else lane + street.lane * int(rng.random() * street.lanes)
                if _vehicle(stage, kind, -x if oncoming else x, z, math.pi if oncoming else 0.0):
                    break
    if street.junction and rng.random() < 0.4:
        z = sum(street.junction) / 2
        for x in (uni(rng, -9, -1), uni(rng, 2, 11)):
            if rng.random() < 0.6:
                kind = pick(rng, (vehicles.car,) * 6 + (vehicles.bus, vehicles.truck))
                _vehicle(stage, kind, x, z + uni(rng, -1, 2), pick(rng, (-1, 1)) * math.pi / 2 + rng.normal() * 0.05)
    for side in street.sides:
        if side.parking:
            fill, z = uni(rng, 0.3, 1.0), uni(rng, 3.5, 9)
            across = rng.random() < 0.12  # nose to the kerb
            ahead = math.pi / 2 * -side.sign if across else (math.pi if side.sign < 0 else 0.0)
            while z < 75:
                if rng.random() < fill and not street.crossed(z) and not street.crossed(z + 5):
                    yaw = ahead + rng.normal() * 0.03
                    if not across and rng.random() < 0.2:
                        yaw += math.pi
                    kind = vehicles.car if rng.random() < 0.97 else vehicles.truck
                    _vehicle(stage, kind, side.sign * side.parking, z, yaw)
                z += 2.8 if across else 5.6
    busy = pick(rng, (0.0, 0.15, 0.3, 0.55))
    for number in range(street.lanes):
        for way, ahead in ((-1, math.pi), (1, 0.0)):
            z = uni(rng, 6, 22)
            while z < 95:
                if rng.random() < busy:
                    x = way * (lane + number * street.lane) + uni(rng, -0.25, 0.25)
                    _vehicle(stage, vehicles.car, x, z, ahead + rng.normal() * 0.025)
                z += uni(rng, 7, 14)


def _vehicle(stage: Stage, kind, x: float, z: float, yaw: float) -> bool:
    """Place a vehicle whose nearest end is at z; False if the place is taken."""
    wide, long, tall = SIZES[kind]
    along = abs(math.cos(yaw)) > 0.7
    half_x, half_z = (wide / 2, long / 2) if along else (long / 2, wide / 2)
    if not stage.free(x, z + half_z, half_x + 0.2, half_z + 0.5):
        return False
    # the vehicle's own origin is its tail: put the middle of the body in the claimed rectangle
    tail_x, tail_z = x - math.sin(yaw) * long / 2, z + half_z - math.cos(yaw) * long / 2
    if kind is vehicles.tram:
        tail_z = z if math.cos(yaw) > 0 else z + 9.5
    foot = [(x - half_x, z), (x + half_x, z), (x + half_x, z + 2 * half_z), (x - half_x, z + 2 * half_z)]
    stage.add(z + 0.3, kind, (tail_x, tail_z, yaw), foot, tall)
    return True
