"""One synthetic street scene with its exact mask: `draw_scene`.

A street is planned, everything on it is placed in metres, and all of it is painted from far to near on a canvas of
twice the size. The image is the canvas, averaged down and then lit; the mask is a vote over the same strokes' tags.
"""

import numpy as np
from PIL import Image

from kit.data.scenes.drawing.buildings import skyline
from kit.data.scenes.drawing.canvas import Canvas
from kit.data.scenes.drawing.colours import tint, uni
from kit.data.scenes.drawing.tags import VOID, tag_of
from kit.data.scenes.ground import cast_shadows, paint_backdrop
from kit.data.scenes.light import develop, make_mood, settle_mask
from kit.data.scenes.plan import Stage, plan_camera, plan_street
from kit.data.scenes.roadside import build_sides
from kit.data.scenes.traffic import add_people, add_traffic, furnish

OVERSAMPLE = 2
VERSION = 1
"""Increase it whenever the same seed would give other bytes."""


def draw_scene(seed: int, height: int = 128, width: int = 256) -> tuple[np.ndarray, np.ndarray]:
    """Draw one street scene.

    Args:
        seed: >= 0; the same seed and size give the same bytes. Scenes of different seeds are unrelated.
        height, width: of the picture in pixels, each >= 32.
    Returns: the image uint8 (height, width, 3), RGB, and the mask uint8 (height, width) of Cityscapes label ids
        (`kit.data.scenes.drawing.tags.LABEL_IDS`, or 0 for pixels that belong to no class).
    Raises: ValueError if seed is negative or a side is under 32.
    """
    if seed < 0 or min(height, width) < 32:
        raise ValueError(f"draw_scene needs seed >= 0 and sides >= 32, got seed {seed}, size {height}x{width}")
    rng = np.random.default_rng([seed, VERSION])
    street = plan_street(rng)
    mood = make_mood(rng, street.season)
    camera = plan_camera(rng, street, height * OVERSAMPLE, width * OVERSAMPLE)
    stage = Stage()
    build_sides(stage, rng, street)
    furnish(stage, rng, street)
    add_people(stage, rng, street)
    add_traffic(stage, rng, street)
    colour, tags = paint_backdrop(rng, camera, street, mood, height * OVERSAMPLE, width * OVERSAMPLE)
    cast_shadows(colour, camera, mood, stage.feet)
    canvas = Canvas(camera, mood.sun, np.clip(colour, 0, 255).astype(np.uint8), tags, mood.night, street.season)
    skyline(canvas, rng, street.kind if rng.random() < 0.8 else "hills")
    for _, draw, args in sorted(stage.things, key=lambda thing: -thing[0]):
        draw(canvas, rng, *args)
    if rng.random() < 0.1:
        own_bonnet(canvas, rng)
    albedo = np.asarray(canvas.colour.resize((width, height), Image.Resampling.BOX), np.float32)
    settled = settle_mask(np.asarray(canvas.tags))
    return develop(rng, mood, canvas, albedo, settled), (settled & 0xFF).astype(np.uint8)


def own_bonnet(canvas: Canvas, rng) -> None:
    """The front of the car that carries the camera; void, as in Cityscapes."""
    width, height = canvas.colour.size
    rgb, tall, tag = tint((60, 62, 66), uni(rng, 0.4, 2.5)), uni(rng, 0.04, 0.09) * height, tag_of(VOID, 1.0)
    canvas.disc(width / 2, height + tall * 0.3, width * uni(rng, 0.5, 0.62), tall * 1.3, rgb, tag)
    canvas.disc(width / 2, height + tall * 0.9, width * 0.5, tall * 1.3, tint(rgb, 1.25), tag)
