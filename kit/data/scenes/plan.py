"""What kind of street a synthetic scene shows: its widths, surfaces and crossing, before anything is drawn."""

from dataclasses import dataclass, field

import numpy as np

from kit.data.scenes.canvas import GRASS, PLAIN, ROAD, ROUGH, SIDEWALK, TERRAIN, Camera, pick, tint, uni

ASPHALT = ((84, 84, 86), (104, 104, 104), (64, 64, 68), (122, 118, 112), (98, 92, 90), (76, 80, 86), (132, 132, 134))
PAVING = (
    (150, 146, 140),
    (126, 122, 120),
    (168, 158, 144),
    (150, 108, 92),
    (104, 102, 102),
    (176, 172, 166),
    (136, 96, 84),
    (92, 92, 96),
)
SOIL = ((84, 110, 54), (104, 122, 64), (72, 96, 52), (132, 124, 74), (124, 100, 74), (96, 84, 62), (150, 140, 96))


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
    """A street: kind is city, suburb, park or arterial; junction is a (z0, z1) stretch of cross street or None."""

    kind: str
    sides: tuple[Side, Side]
    lane: float
    lanes: int  # in each direction
    median: float  # half width of a green or paved middle, 0 if none
    junction: tuple[float, float] | None
    end: float | None  # a building row closes the street here
    tram: bool
    season: str


@dataclass(frozen=True)
class Band:
    """A lengthwise stretch of ground from `start` metres to the next band's start."""

    start: float
    label: int
    material: int
    rgb: tuple[int, int, int]
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
        """Have draw(canvas, rng, *args) called in its turn, and a shadow cast.

        z: metres from the camera; foot: corners (x, z) of what stands on the ground; tall: its height in metres.
        """
        self.things.append((z, draw, args))
        if foot:
            self.feet.append((foot, tall))

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
    kind = pick(rng, ("city", "city", "city", "suburb", "suburb", "park", "arterial"))
    lanes = 2 if kind == "arterial" or rng.random() < 0.15 else 1
    lane = uni(rng, 2.8, 3.7)
    median = uni(rng, 0.8, 2.5) if rng.random() < (0.45 if kind == "arterial" else 0.06) else 0.0
    sides = []
    for sign in (-1, 1):
        edge = median + lanes * lane
        parking = 0.0
        if rng.random() < {"city": 0.6, "suburb": 0.5, "park": 0.3, "arterial": 0.15}[kind]:
            parking, edge = edge + 1.1, edge + 2.2
        strip = edge + (
            uni(rng, 1.0, 3.0)
            if rng.random() < {"city": 0.2, "suburb": 0.5, "park": 0.6, "arterial": 0.6}[kind]
            else 0.0
        )
        has_walk = rng.random() < {"city": 1.0, "suburb": 0.9, "park": 0.65, "arterial": 0.7}[kind]
        walk = strip + (uni(rng, 1.8, 5.5) if has_walk else 0.0)
        back = {
            "city": uni(rng, 0, 0.6),
            "suburb": uni(rng, 2, 7),
            "park": uni(rng, 8, 22),
            "arterial": uni(rng, 1, 9),
        }[kind]
        sides.append(Side(sign, edge, strip, walk, walk + back, parking))
    junction = None
    if rng.random() < 0.35:
        start = uni(rng, 10, 34)
        junction = (start, start + uni(rng, 6, 12))
    end = uni(rng, 45, 110) if kind in ("city", "suburb") and rng.random() < 0.35 else None
    season = pick(rng, ("summer", "summer", "autumn", "winter"))
    return Street(kind, (sides[0], sides[1]), lane, lanes, median, junction, end, rng.random() < 0.22, season)


def plan_camera(rng: np.random.Generator, street: Street, height: int, width: int) -> Camera:
    """A camera in one of the lanes of the right-hand half; height and width in canvas pixels."""
    roll = rng.normal() * 0.012
    place = street.median + street.lane * (int(rng.random() * street.lanes) + uni(rng, 0.35, 0.65))
    focal = uni(rng, 0.72, 1.2) * width
    yaw = rng.normal() * 0.07
    curve = rng.normal() * 0.009 if rng.random() < 0.55 else rng.normal() * 0.001
    # look a little into the bend, as a steered car does
    return Camera(
        focal,
        width * uni(rng, 0.44, 0.56),
        height * uni(rng, 0.36, 0.53),
        uni(rng, 1.15, 2.1) if rng.random() < 0.9 else uni(rng, 2.2, 3.0),
        roll,
        -place,
        yaw - curve * 6,
        curve,
    )


def ground_bands(rng: np.random.Generator, street: Street) -> list[Band]:
    """Bands from far left to far right, each beginning where the one before ends."""
    tarmac = tint(pick(rng, ASPHALT), uni(rng, 0.8, 1.15))
    road_pattern = "cobbles" if rng.random() < 0.12 else "plain"
    soil = tint(pick(rng, SOIL), uni(rng, 0.8, 1.15))
    kerb_rgb = tint((160, 158, 152), uni(rng, 0.7, 1.15))
    halves = []
    for side in street.sides:
        paving = (
            tint(pick(rng, PAVING), uni(rng, 0.75, 1.15)) if rng.random() < 0.75 else tint(tarmac, uni(rng, 0.9, 1.3))
        )
        pattern = pick(rng, ("slabs", "slabs", "bricks", "plain"))
        lane_rgb = tint(tarmac, uni(rng, 0.85, 1.1)) if rng.random() < 0.7 else (140, 74, 66)
        out = [(side.kerb - 2.2, ROAD, ROUGH, lane_rgb, road_pattern)] if side.parking else []
        if side.strip > side.kerb or side.walk > side.strip:
            out.append((side.kerb, SIDEWALK, PLAIN, kerb_rgb, "plain"))
        if side.strip > side.kerb:
            out.append((side.kerb + 0.15, TERRAIN, GRASS, soil, "plain"))
        if side.walk > side.strip:
            out.append((side.strip + 0.15, SIDEWALK, ROUGH, paving, pattern))
        yard = street.kind == "city" and rng.random() < 0.7
        out.append(
            (
                side.walk,
                SIDEWALK if yard else TERRAIN,
                ROUGH if yard else GRASS,
                paving if yard else tint(soil, uni(rng, 0.85, 1.15)),
                pattern if yard else "plain",
            )
        )
        halves.append(out)
    bands, edge = [], -1e6
    for start, *rest in reversed(halves[0]):  # mirrored: a band on the left ends where it starts on the right
        bands.append(Band(edge, *rest))
        edge = -start
    bands.append(Band(edge, ROAD, ROUGH, tarmac, road_pattern))
    if street.median:
        m, green = street.median, rng.random() < 0.7
        bands += [
            Band(-m, SIDEWALK, PLAIN, kerb_rgb, "plain"),
            Band(
                -m + 0.15,
                TERRAIN if green else SIDEWALK,
                GRASS if green else ROUGH,
                soil if green else tint(kerb_rgb, 0.85),
                "plain" if green else "slabs",
            ),
            Band(m - 0.15, SIDEWALK, PLAIN, kerb_rgb, "plain"),
            Band(m, ROAD, ROUGH, tarmac, road_pattern),
        ]
    return bands + [Band(*band) for band in halves[1]]
