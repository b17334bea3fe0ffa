"""Time of day and weather of a synthetic scene, and how they and the sensor turn plain colours into a photograph."""

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from kit.data.scenes.drawing.canvas import Camera, Canvas, Sun
from kit.data.scenes.drawing.colours import mix, pick, tint, uni
from kit.data.scenes.drawing.tags import DEPTH_STEPS, GLOW, GRASS, LEAF, MASONRY, ROAD, ROUGH, SIDEWALK, SKY, SKY_DEPTH
from kit.data.scenes.ground import soft_noise

GRAIN = {ROUGH: (0.05, 0.03), LEAF: (0.2, 0.14), GRASS: (0.12, 0.14), MASONRY: (0.035, 0.05)}
"""Fine and coarse texture strength per material."""


@dataclass(frozen=True)
class Mood:
    """Light and weather. Colours in 0..255, gains as factors, haze per metre, the rest shares in 0..1."""

    night: bool
    sun: Sun
    zenith: tuple
    rim: tuple
    clouds: float
    cloud_rgb: tuple
    ambient: tuple  # gain per colour channel
    haze: float
    haze_rgb: tuple
    rain: float
    wet: float
    snow: float
    flakes: bool


def make_mood(rng: np.random.Generator, season: str) -> Mood:
    """Draw a time of day and a weather; snow covers the ground only in winter."""
    hour = rng.random()
    weather = pick(rng, ("clear", "clear", "clear", "fair", "fair", "overcast", "overcast", "rain", "fog"))
    if season == "winter" and rng.random() < 0.4:
        weather = "snow"
    grey = weather in ("overcast", "rain", "fog", "snow")
    turn = rng.random() * 2 * math.pi
    direct = 0.0 if grey else uni(rng, 0.55, 1.0)
    reach = uni(rng, 0.4, 1.6)
    night, dusk = hour < 0.13, 0.13 <= hour < 0.27
    ambient = np.array((1.0, 1.0, 1.0)) * uni(rng, 1.1, 1.4)
    zenith = mix((70, 120, 200), (110, 150, 205), rng.random())
    rim = mix((190, 212, 232), (226, 226, 220), rng.random())
    cloud_rgb = (238, 238, 240)
    if grey:
        level = uni(rng, 0.7, 1.05)
        zenith, rim, cloud_rgb = tint((176, 182, 190), level), tint((214, 216, 218), level), (196, 198, 202)
        ambient *= uni(rng, 0.72, 0.95)
    if dusk:
        zenith, rim = mix(zenith, (60, 66, 110), 0.7), mix((236, 150, 90), (210, 150, 150), rng.random())
        cloud_rgb, direct, reach = (190, 130, 120), direct * 0.7, uni(rng, 1.5, 3)
        ambient *= np.array((0.76, 0.63, 0.6)) * uni(rng, 0.75, 1.15)
    if night:
        zenith, rim, cloud_rgb = (12, 14, 26), mix((34, 34, 46), (70, 54, 44), rng.random()), (40, 38, 42)
        direct = 0.0
        ambient *= np.array((0.2, 0.21, 0.26)) * uni(rng, 0.8, 1.6)
    haze = {"fog": uni(rng, 0.012, 0.045), "rain": 0.006, "snow": 0.009, "overcast": 0.003}
    clear = uni(rng, 0.0008, 0.003)
    rain = uni(rng, 0.3, 1.0) if weather == "rain" else 0.0
    wet = uni(rng, 0.4, 0.9) if rain else (uni(rng, 0.2, 0.6) if rng.random() < 0.08 and weather != "snow" else 0.0)
    snow = uni(rng, 0.25, 0.8) if weather == "snow" else 0.0
    clouds, closed = {"clear": uni(rng, 0, 0.3), "fair": uni(rng, 0.4, 0.9)}, uni(rng, 0.5, 1.0)
    return Mood(
        night=night,
        sun=Sun(math.sin(turn), math.cos(turn), direct, reach),
        zenith=zenith,
        rim=rim,
        clouds=clouds.get(weather, closed),
        cloud_rgb=cloud_rgb,
        ambient=tuple(ambient),
        haze=haze.get(weather, clear),
        haze_rgb=mix(rim, (60, 60, 64), 0.5) if night else mix(rim, zenith, 0.2),
        rain=rain,
        wet=wet,
        snow=snow,
        flakes=weather == "snow" and rng.random() < 0.6,
    )


def settle_mask(tags: np.ndarray) -> np.ndarray:
    """Halve a tag map (2h, 2w) to (h, w): of each four tags, the nearest of those whose label is most frequent.

    Preferring the nearest keeps thin things whole. The result is always one of the four tags, never a mixture.
    """
    four = np.stack(quarters(tags))
    labels = four & 0xFF
    votes = sum((labels == labels[k]).astype(np.int32) for k in range(4))
    best = (votes << 13 | (4095 - (four >> 16))).argmax(0)
    return np.take_along_axis(four, best[None], 0)[0]


def quarters(canvas: np.ndarray) -> list[np.ndarray]:
    """The four samples (h, w) of each pixel of an array (2h, 2w)."""
    return [canvas[0::2, 0::2], canvas[0::2, 1::2], canvas[1::2, 0::2], canvas[1::2, 1::2]]


def develop(rng, mood: Mood, canvas: Canvas, albedo: np.ndarray, settled: np.ndarray) -> np.ndarray:
    """Turn plain colours into a photograph.

    Args:
        albedo: float32 (h, w, 3) in 0..255, the colours of the canvas (2h, 2w) at picture size.
        settled: int32 (h, w), its tags at picture size.
    Returns: uint8 (h, w, 3).
    """
    height, width = settled.shape
    label, material = settled & 0xFF, settled >> 8 & 0xFF
    z = (settled >> 16).astype(np.float32) / DEPTH_STEPS
    image = albedo * grain(rng, material, z)[..., None]
    if mood.wet:
        image = wet_ground(rng, mood, canvas.camera, image, label)
    light = np.float32(mood.ambient) * np.ones((height, width, 1), np.float32)
    if mood.night:
        light += night_lamps(rng, canvas, z)
        light[material == GLOW] = 1.0
    light[label == SKY] = 1.0  # the sky's colour already is its brightness
    image *= light
    if mood.night:  # halos around light sources
        shining = photograph(image * (material == GLOW)[..., None])
        image += np.asarray(shining.filter(ImageFilter.GaussianBlur(max(width / 64, 1))), np.float32) * 1.1
    clear = np.exp(-mood.haze * np.arange(SKY_DEPTH + 1, dtype=np.float32) / DEPTH_STEPS)  # by depth in tag units
    seen = sum(quarters(clear[np.asarray(canvas.tags) >> 16]))[..., None] / 4
    image = image * seen + np.float32(mood.haze_rgb) * (1 - seen)
    if mood.rain:
        grey = np.float32((150, 155, 165))
        image += streaks(rng, height, width, mood.rain)[..., None] * grey * float(sum(mood.ambient) / 3)
    if mood.flakes:
        image = flakes(rng, image)
    return sensor(rng, image, mood.night)


def photograph(image: np.ndarray) -> Image.Image:
    """Colours (h, w, 3), clipped to 0..255, as a picture."""
    return Image.fromarray(np.clip(image, 0, 255).astype(np.uint8))


def grain(rng, material: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Texture as a factor around 1, float32 (h, w): fine and coarse noise by material, broad noise up to 400 m away."""
    height, width = material.shape
    fine_of, coarse_of = np.full(6, 0.012, np.float32), np.full(6, 0.03, np.float32)
    for kind, (fine, coarse) in GRAIN.items():
        fine_of[kind], coarse_of[kind] = fine * uni(rng, 0.6, 1.4), coarse * uni(rng, 0.6, 1.4)
    fine = rng.standard_normal((height, width), dtype=np.float32)
    coarse = soft_noise(rng, height, width, max(height // 5, 2), max(width // 5, 2)) * 3.4 - 1.7
    broad = soft_noise(rng, height, width, 5, 9) * 0.09 - 0.045
    return np.maximum(1 + fine_of[material] * fine + coarse_of[material] * coarse + broad * (z < 400), 0.1)


def wet_ground(rng, mood: Mood, camera: Camera, image: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Darker ground that mirrors what stands above the horizon, in ragged patches."""
    height, width = label.shape
    horizon = camera.horizon / 2
    rows = np.arange(height)
    mirror = np.clip(2 * horizon - rows + 2, 0, height - 1).astype(int)
    blurred = photograph(image).filter(ImageFilter.BoxBlur(1 + width / 200))
    puddle = np.clip(soft_noise(rng, height, width, 14, 10) * 1.6 - 0.5, 0.1, 1) * mood.wet * 0.6
    puddle *= (label == ROAD) | ((label == SIDEWALK) & (rows[:, None] > horizon))
    share = puddle[..., None]
    return image * (1 - 0.45 * share) * (1 - share) + np.asarray(blurred)[mirror] * 0.9 * share


def night_lamps(rng, canvas: Canvas, z: np.ndarray) -> np.ndarray:
    """Extra light at night, float32 (h, w, 3): the own car's head lamps, and pools under up to 10 street lamps."""
    camera, (height, width) = canvas.camera, z.shape
    v, u = np.mgrid[:height, :width].astype(np.float32)
    beam = np.exp(-(((u - camera.cx / 2) / (0.33 * width)) ** 2)) * np.exp(-z / 16) * uni(rng, 0.5, 1.1)
    beam *= np.clip((v - camera.horizon / 2) / (0.1 * height) + 0.6, 0.1, 1)
    glow = np.zeros((height, width), np.float32)
    for lu, lv, radius in canvas.lamps[:10]:
        r = max(radius / 2, 4.0)
        du, dv = (u - lu / 2) / r, (v - lv / 2) / np.where(v > lv / 2, r * 0.5, r * 1.3)
        glow += 0.55 * np.exp(-(du * du + dv * dv))
    warm = np.float32((1.0, 0.84, 0.58) if rng.random() < 0.6 else (0.9, 0.95, 1.0))
    return beam[..., None] * np.float32((1.0, 0.97, 0.9)) + np.minimum(glow, 1.2)[..., None] * warm


def streaks(rng, height: int, width: int, amount: float) -> np.ndarray:
    """Falling rain as slanted strokes, float32 (h, w) in 0..about 0.5."""
    sheet = Image.new("L", (width, height))
    draw, slant = ImageDraw.Draw(sheet), uni(rng, -0.3, 0.3)
    for a, b, c in rng.random((int(amount * 160), 3)).tolist():
        length = height * (0.03 + 0.09 * c)
        u, v = a * width, b * height
        draw.line([(u, v), (u + slant * length, v + length)], fill=int(30 + 70 * c))
    return np.asarray(sheet, np.float32) / 255


def flakes(rng, image: np.ndarray) -> np.ndarray:
    """Falling snow: small pale discs."""
    height, width = image.shape[:2]
    sheet = Image.new("L", (width, height))
    draw = ImageDraw.Draw(sheet)
    for a, b, c in rng.random((140, 3)).tolist():
        r = 0.3 + 1.0 * c**3 * width / 256
        draw.ellipse((a * width - r, b * height - r, a * width + r, b * height + r), fill=int(90 + 110 * c))
    share = np.asarray(sheet, np.float32)[..., None] / 255 * 0.8
    return image * (1 - share) + np.float32((235, 236, 240)) * share


def sensor(rng, image: np.ndarray, night: bool) -> np.ndarray:
    """Exposure, colour temperature, contrast, slight blur, vignette and noise; uint8 (h, w, 3)."""
    height, width = image.shape[:2]
    warmth = rng.normal() * 0.05
    gain = np.float32((1 + warmth, 1 + rng.normal() * 0.015, 1 - warmth)) * np.exp(0.1 + rng.normal() * 0.13)
    image = np.clip(image * gain / 255, 0, 2.0) ** np.float32(uni(rng, 0.85, 1.2))
    image /= np.sqrt(np.sqrt(1 + np.square(np.square(image))))  # soft clipping: highlights keep some structure
    grey = image.mean(2, keepdims=True)
    image = grey + (image - grey) * uni(rng, 0.65, 1.3)
    v, u = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    image *= (1 - uni(rng, 0, 0.18) * (u * u + v * v))[..., None]
    photo = photograph(image * 255)
    blur = uni(rng, 0.0, 0.7) * width / 256
    if blur > 0.2:
        photo = photo.filter(ImageFilter.GaussianBlur(blur))
    noise = rng.standard_normal((height, width, 3), dtype=np.float32) * uni(rng, 1, 4 if not night else 9)
    return np.clip(np.asarray(photo, np.float32) + noise, 0, 255).astype(np.uint8)
