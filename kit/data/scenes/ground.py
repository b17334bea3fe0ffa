"""The sky and the ground of a synthetic scene, computed for every pixel from its place in the world."""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from kit.data.scenes.drawing.canvas import Camera
from kit.data.scenes.drawing.colours import uni
from kit.data.scenes.drawing.tags import DEPTH_STEPS, PLAIN, ROAD, ROUGH, SIDEWALK, SKY, SKY_DEPTH
from kit.data.scenes.plan import Street, ground_bands


def soft_noise(rng: np.random.Generator, height: int, width: int, rows: int, columns: int) -> np.ndarray:
    """Smooth noise in about 0..1, float32 (height, width), with the given number of blobs each way."""
    small = Image.fromarray(rng.random((rows, columns), dtype=np.float32))
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))


def paint_sky(rng: np.random.Generator, mood, rows: int, width: int) -> np.ndarray:
    """The sky's colours, float32 (rows, width, 3) in 0..255: a gradient, clouds, a brighter patch at the sun."""
    t = np.linspace(0, 1, rows, dtype=np.float32)[:, None, None] ** 1.4
    sky = np.float32(mood.zenith) * (1 - t) + np.float32(mood.rim) * t
    sky = np.repeat(sky, width, 1)
    if mood.clouds > 0:
        veil = 0.65 * soft_noise(rng, rows, width, 4, 5) + 0.35 * soft_noise(rng, rows, width, 12, 14)
        veil = np.clip((veil - (0.72 - 0.45 * mood.clouds)) * 3.2, 0, 0.9)[..., None]
        sky += (np.float32(mood.cloud_rgb) - sky) * veil
    if mood.sun.direct > 0.3 and mood.sun.z > 0:
        u = np.arange(width, dtype=np.float32) - width * (0.5 + 0.5 * mood.sun.x)
        v = np.arange(rows, dtype=np.float32)[:, None] - rows * 0.35
        sky += (70 * np.exp(-(u * u + v * v) / (0.06 * width * width)))[..., None] * np.float32((1, 0.9, 0.7))
    return sky


def paint_backdrop(rng, camera: Camera, street: Street, mood, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Sky above and ground below: colours float32 (height, width, 3) in 0..255 and tags int32 (height, width)."""
    colour = np.empty((height, width, 3), np.float32)
    tags = np.full((height, width), SKY | PLAIN << 8 | SKY_DEPTH << 16, np.int32)
    columns = np.arange(width, dtype=np.float32) + 0.5 - camera.cx
    slope = camera.roll * columns
    edge = camera.focal * camera.height / 480  # rows below the horizon down to where the ground is 480 m away
    sky_rows = min(int(camera.horizon + np.abs(slope).max() + edge) + 2, height)
    colour[:sky_rows] = paint_sky(rng, mood, sky_rows, width)
    top = max(int(camera.horizon - np.abs(slope).max()), 0)
    drop = np.arange(top, height, dtype=np.float32)[:, None] + 0.5 - camera.horizon - slope
    below = drop > edge  # sky beyond that distance
    z = camera.focal * camera.height / np.maximum(drop, 1e-3)
    np.minimum(z, 500, out=z)
    x = columns * z / camera.focal - camera.bend(z)
    ground, label, material = ground_surface(rng, street, mood, x, z)
    code = label | material << 8 | (z * DEPTH_STEPS).astype(np.int32) << 16
    np.copyto(colour[top:], ground, where=below[..., None])
    np.copyto(tags[top:], code, where=below)
    return colour, tags


def ground_surface(rng, street: Street, mood, x: np.ndarray, z: np.ndarray):
    """Colour float32 (h, w, 3), label int32 (h, w) and material int32 (h, w) of the ground at places x, z (h, w)."""
    bands = ground_bands(rng, street)
    index = np.searchsorted(np.float32([b.start for b in bands[1:]]), x, side="right")
    middle = next(k for k, b in enumerate(bands) if b.label == ROAD)
    if street.junction:
        crossing = (z > street.junction[0]) & (z < street.junction[1])
        index[crossing] = middle
    label = np.int32([b.label for b in bands])[index]
    material = np.int32([b.material for b in bands])[index]
    ground = np.float32([b.rgb for b in bands])[index]
    tone = np.ones_like(z)
    detail = 1 / (1 + z / 14)  # patterns fade before they become finer than the canvas
    for pattern, (across, along, depth) in {
        "slabs": (uni(rng, 0.5, 1.2), uni(rng, 0.5, 1.2), 0.35),
        "bricks": (0.22, 0.4, 0.4),
        "cobbles": (0.24, 0.24, 0.45),
    }.items():
        chosen = np.array([b.pattern == pattern for b in bands])
        if chosen.any():
            row = np.floor(z / along)
            joint = ((x + row % 2 * across / 2) % across < 0.05) | (z % along < 0.06)
            tone -= np.where(joint & chosen[index], depth * detail, 0)
    road = label == ROAD
    if rng.random() < 0.6:  # worn tracks
        tone += np.where(road, uni(rng, -0.07, 0.05) * np.sin(x * (2 * np.pi / 1.6)), 0)
    for _ in range(int(rng.random() * 6)):  # repaired patches, on carriageway and sidewalk
        px, pz, pw, pl = uni(rng, -8, 8), uni(rng, 3, 30), uni(rng, 0.4, 2.5), uni(rng, 0.8, 8)
        tone += np.where((abs(x - px) < pw / 2) & (abs(z - pz) < pl / 2) & (material == ROUGH), uni(rng, -0.2, 0.15), 0)
    ground *= tone[..., None]
    paint = markings(rng, street, x, z) & road
    white = np.float32((224, 222, 214) if rng.random() < 0.85 else (214, 176, 60)) * uni(rng, 0.75, 1.05)
    ground += (paint * np.float32(uni(rng, 0.6, 0.95)))[..., None] * (white - ground)
    if street.tram:
        for centre in (-1, 1):
            for rail in (-0.72, 0.72):
                hit = (abs(x - centre * (street.median + street.lane * 0.5) - rail) < 0.05 + z * 0.002) & road
                ground[hit] = (58, 58, 62)
    if mood.snow:
        cover = np.clip(mood.snow + 0.5 * np.sin(x * 1.3 + np.sin(z * 0.7)) * np.sin(z * 0.9 + x * 0.4), 0, 0.96)
        cover *= np.where(road, uni(rng, 0.15, 0.75), np.where(label == SIDEWALK, uni(rng, 0.3, 0.9), 1.0))
        ground += cover[..., None] * (np.float32((236, 238, 244)) - ground)
    return ground, label, material


def markings(rng, street: Street, x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Where the carriageway is painted, bool like x: centre, lane and edge lines, zebra, stop line, bay marks."""
    paint = np.zeros(x.shape, bool)
    if rng.random() < 0.12:
        return paint
    half = uni(rng, 0.05, 0.1)
    dash, gap, shift = uni(rng, 1.5, 5), uni(rng, 2, 7), uni(rng, 0, 6)
    dashed = (z + shift) % (dash + gap) < dash
    if not street.median:
        style = rng.random()
        if style < 0.5:
            paint |= (abs(x) < half) & dashed
        elif style < 0.75:
            paint |= abs(x) < half
        elif style < 0.88:
            paint |= abs(abs(x) - 2 * half) < half
    for lane in range(1, street.lanes):
        paint |= (abs(abs(x) - street.median - lane * street.lane) < half) & dashed
    for side in street.sides:
        if rng.random() < 0.35:
            edge = side.kerb - (2.2 if side.parking else 0.25)
            paint |= abs(x - side.sign * edge) < half
        if side.parking and rng.random() < 0.4:
            inside = (x * side.sign > side.kerb - 2.2) & (x * side.sign < side.kerb)
            paint |= inside & (z % 5.5 < 0.14)
    widest = max(side.kerb for side in street.sides)
    if street.junction:
        near, far = street.junction
        paint &= (z < near) | (z > far)
        if rng.random() < 0.6:
            paint |= (abs(x) < widest) & (z > near - 4) & (z < near - 1) & ((x / uni(rng, 0.9, 1.2)) % 1 < 0.5)
        if rng.random() < 0.6:
            paint |= (x > 0) & (z > near - 5.4) & (z < near - 4.9)
    elif rng.random() < 0.25:
        near = uni(rng, 5, 22)
        paint |= (abs(x) < widest - 0.3) & (z > near) & (z < near + 3.2) & (x % 1 < 0.5)
    if rng.random() < 0.15:  # an arrow's shaft and head in the own lane
        near, centre = uni(rng, 5, 14), street.median + street.lane / 2
        ahead = z - near
        paint |= (abs(x - centre) < 0.09) & (ahead > 0) & (ahead < 2.5)
        paint |= (abs(x - centre) < 0.45 * (1 - (ahead - 2.5) / 1.5)) & (ahead > 2.5) & (ahead < 4)
    return paint


def cast_shadows(colour: np.ndarray, camera: Camera, mood, feet) -> None:
    """Darken colour (float32 (h, w, 3), in place) under and beside things.

    feet: (corners, height) with the corners of a footprint as (x, z) in metres and the thing's height in metres.
    """
    height, width = colour.shape[:2]
    shade = Image.new("L", (width, height))
    draw = ImageDraw.Draw(shade)
    strength = int(150 * mood.sun.direct)

    def place(x, z):
        return camera.project(x, 0, max(z, 1.2))

    for corners, tall in feet:
        if strength > 25:
            dx, dz = -mood.sun.x * mood.sun.reach * tall, -mood.sun.z * mood.sun.reach * tall
            for (ax, az), (bx, bz) in zip(corners, corners[1:] + corners[:1], strict=True):
                draw.polygon(
                    [place(ax, az), place(bx, bz), place(bx + dx, bz + dz), place(ax + dx, az + dz)], fill=strength
                )
            draw.polygon([place(x + dx, z + dz) for x, z in corners], fill=strength)
    for corners, tall in feet:
        if tall < 4.5:  # things that stand close above the ground are dark underneath in any light
            draw.polygon([place(x, z) for x, z in corners], fill=max(strength, 130))
    soft = np.asarray(shade.filter(ImageFilter.BoxBlur(1 + width // 400)), np.float32)
    start = max(int(camera.horizon) - 2, 0)  # nothing above the horizon is ground
    colour[start:] *= 1 - soft[start:, :, None] / 255
