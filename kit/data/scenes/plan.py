"""What kind of street a synthetic scene shows: its widths, surfaces and crossing, before anything is drawn."""

from dataclasses import dataclass, field

import numpy as np

from kit.data.scenes.drawing.canvas import Camera
from kit.data.scenes.drawing.colours import Colour, hexes, pick, tint, uni
from kit.data.scenes.drawing.tags import GRASS, PLAIN, ROAD, ROUGH, SIDEWALK, TERRAIN

ASPHALT = hexes("545456 686868 404044 7a7670 625c5a 4c5056 848486")
PAVING = hexes("96928c 7e7a78 a89e90 966c5c 686666 b0aca6 886054 5c5c60")
SOIL = hexes("546e36 687a40 486034 847c4a 7c644a 60543e 968c60")


@dataclass(frozen=True)
class Kind:
    """How streets of one kind are built. Chances in 0..1."""

    parking: float  # chance of a parking lane on a side
    strip: float  # chance of a planted strip
    walk: float  # chance of a sidewalk
    setback: tuple[float, float]  # metres from the sidewalk to the buildings, at least and at most
    lining: tuple[float, ...]  # chances that a stretch of a side is a building, a wall, a fence or a hedge


KINDS = {
    "city": Kind(0.6, 0.2, 1.0, (0, 0.6), (0.82, 0.04, 0.04, 0.03)),
    "suburb": Kind(0.5, 0.5, 0.9, (2, 7), (0.45, 0.07, 0.2, 0.16)),
    "park": Kind(0.3, 0.6, 0.65, (8, 22), (0.06, 0.05, 0.15, 0.12)),
    "arterial": Kind(0.15, 0.6, 0.7, (1, 9), (0.28, 0.16, 0.18, 0.1)),
}


@dataclass(frozen=True)
class Side:
    """One side of the street; all numbers are metres from the centre line."""

    sign: int
    kerb: float  # where the carriageway ends
    strip: float  # end of a planted strip behind the kerb (equal to kerb if none)
    walk: float  # end of the sidewalk (equal to strip if none)
    front: float  # where buildings, walls and fences stand
    parking: float  # middle of the parking lane; 0 if there is none


@dataclass(frozen=True)
class Street:
    """A street: kind is a key of KINDS; junction is a (z0, z1) stretch of cross street or None."""

    kind: str
    sides: tuple[Side, Side]
    lane: float
    lanes: int  # in each direction
    median: float  # half width of a green or paved middle, 0 if none
    junction: tuple[float, float] | None
    end: float | None  # a building row closes the street here
    tram: bool
    season: str

    def crossed(self, z: float) -> bool:
        """Whether distance z lies in the junction, or within a metre of it."""
        return bool(self.junction) and self.junction[0] - 1 < z < self.junction[1] + 1


@dataclass(frozen=True)
class Band:
    """A lengthwise stretch of ground from `start` metres to the next band's start."""

    start: float
    label: int
    material: int
    rgb: Colour
    pattern: str  # plain, slabs, bricks, cobbles


@dataclass
class Stage:
    """What will stand on the street.

    things: (distance, draw, args), to be painted far to near; feet: footprints for shadows; taken: places occupied.
    """

    things: list = field(default_factory=list)
    feet: list = field(default_factory=list)
    taken: list = field(default_factory=list)

    def add(self, z: float, draw, args: tuple, foot=None, tall: float = 0.0) -> None:
        """Plan a call of draw(canvas, rng, *args), and a shadow.

        z: metres from the camera; foot: corners (x, z) of what stands on the ground; tall: its height in metres.
        """
        self.things.append((z, draw, args))
        if foot:
            self.feet.append((foot, tall))

    def stand(self, draw, x: float, z: float, *args, half: float = 0.25, tall: float = 0.0) -> None:
        """Plan draw(canvas, rng, x, z, *args) on a square footprint of half side `half` metres."""
        self.add(z, draw, (x, z, *args), square(x, z, half), tall)

    def free(self, x: float, z: float, half_width: float, half_length: float) -> bool:
        """Claim a rectangle around (x, z); False, and nothing claimed, if it touches an earlier one."""
        for ox, oz, ow, ol in self.taken:
            if abs(x - ox) < half_width + ow and abs(z - oz) < half_length + ol:
                return False
        self.taken.append((x, z, half_width, half_length))
        return True


def square(x: float, z: float, half: float) -> list[tuple[float, float]]:
    """A square footprint around (x, z), metres."""
    return [(x - half, z - half), (x + half, z - half), (x + half, z + half), (x - half, z + half)]


def plan_street(rng: np.random.Generator) -> Street:
    """Draw a street at random."""
    name = pick(rng, ("city", "city", "city", "suburb", "suburb", "park", "arterial"))
    kind, main = KINDS[name], name == "arterial"
    lanes = 2 if main or rng.random() < 0.15 else 1
    lane = uni(rng, 2.8, 3.7)
    median = uni(rng, 0.8, 2.5) if rng.random() < (0.45 if main else 0.06) else 0.0
    sides = []
    for sign in (-1, 1):
        edge, parking = median + lanes * lane, 0.0
        if rng.random() < kind.parking:
            parking, edge = edge + 1.1, edge + 2.2
        strip = edge + (uni(rng, 1.0, 3.0) if rng.random() < kind.strip else 0.0)
        walk = strip + (uni(rng, 1.8, 5.5) if rng.random() < kind.walk else 0.0)
        setbacks = {other: uni(rng, *KINDS[other].setback) for other in KINDS}  # same number of draws for every kind
        sides.append(Side(sign, edge, strip, walk, walk + setbacks[name], parking))
    junction = None
    if rng.random() < 0.35:
        start = uni(rng, 10, 34)
        junction = (start, start + uni(rng, 6, 12))
    end = uni(rng, 45, 110) if name in ("city", "suburb") and rng.random() < 0.35 else None
    season = pick(rng, ("summer", "summer", "autumn", "winter"))
    return Street(name, (sides[0], sides[1]), lane, lanes, median, junction, end, rng.random() < 0.22, season)


def plan_camera(rng: np.random.Generator, street: Street, height: int, width: int) -> Camera:
    """A camera in one of the lanes of the right-hand half; height and width in canvas pixels."""
    roll = rng.normal() * 0.012
    place = street.median + street.lane * (int(rng.random() * street.lanes) + uni(rng, 0.35, 0.65))
    focal = uni(rng, 0.72, 1.2) * width
    yaw = rng.normal() * 0.07
    curve = rng.normal() * 0.009 if rng.random() < 0.55 else rng.normal() * 0.001
    cx, horizon = width * uni(rng, 0.44, 0.56), height * uni(rng, 0.36, 0.53)
    above = uni(rng, 1.15, 2.1) if rng.random() < 0.9 else uni(rng, 2.2, 3.0)
    # yaw: turned a little into the bend, like a steered car
    return Camera(focal, cx, horizon, above, roll, offset=-place, yaw=yaw - curve * 6, curve=curve)


def ground_bands(rng: np.random.Generator, street: Street) -> list[Band]:
    """Bands from far left to far right, each beginning where the one before ends."""
    tarmac = tint(pick(rng, ASPHALT), uni(rng, 0.8, 1.15))
    road = (ROAD, ROUGH, tarmac, "cobbles" if rng.random() < 0.12 else "plain")
    soil = tint(pick(rng, SOIL), uni(rng, 0.8, 1.15))
    kerb = (SIDEWALK, PLAIN, tint((160, 158, 152), uni(rng, 0.7, 1.15)), "plain")
    halves = []
    for side in street.sides:
        if rng.random() < 0.75:
            paving = tint(pick(rng, PAVING), uni(rng, 0.75, 1.15))
        else:
            paving = tint(tarmac, uni(rng, 0.9, 1.3))
        paved = (SIDEWALK, ROUGH, paving, pick(rng, ("slabs", "slabs", "bricks", "plain")))
        lane_rgb = tint(tarmac, uni(rng, 0.85, 1.1)) if rng.random() < 0.7 else (140, 74, 66)
        out = [(side.kerb - 2.2, ROAD, ROUGH, lane_rgb, road[-1])] if side.parking else []
        if side.strip > side.kerb or side.walk > side.strip:
            out.append((side.kerb, *kerb))
        if side.strip > side.kerb:
            out.append((side.kerb + 0.15, TERRAIN, GRASS, soil, "plain"))
        if side.walk > side.strip:
            out.append((side.strip + 0.15, *paved))
        yard = street.kind == "city" and rng.random() < 0.7
        beyond = paved if yard else (TERRAIN, GRASS, tint(soil, uni(rng, 0.85, 1.15)), "plain")
        out.append((side.walk, *beyond))
        halves.append(out)
    bands, edge = [], -1e6
    for start, *rest in reversed(halves[0]):  # mirrored: a band on the left ends where it starts on the right
        bands.append(Band(edge, *rest))
        edge = -start
    bands.append(Band(edge, *road))
    if street.median:
        half = street.median
        green = (TERRAIN, GRASS, soil, "plain")
        middle = green if rng.random() < 0.7 else (SIDEWALK, ROUGH, tint(kerb[2], 0.85), "slabs")
        bands += [Band(-half, *kerb), Band(-half + 0.15, *middle), Band(half - 0.15, *kerb), Band(half, *road)]
    return bands + [Band(*band) for band in halves[1]]
