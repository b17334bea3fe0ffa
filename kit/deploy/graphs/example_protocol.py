"""Class ids of a picture, with NumPy, Pillow and ONNX Runtime alone: python example.py PICTURE [MASK.png]

Prints the size of the mask and the share of each class; MASK.png is written in the classes' colours. The steps,
whose settings are stored in student.onnx beside this file under the key "settings":

1. The picture is turned upright by its EXIF orientation, and converted to RGB.
2. It is resized to the working size, bilinear with antialiasing (`base_size`; null keeps its own size; with
   `keep_aspect` only its shorter side becomes the shorter side of `base_size`).
3. The network sees it as in `protocol`, the protocol of its evaluation: whole, padded on the right and below, or in
   overlapping windows; at several scales and mirrored, if scores were averaged over these. A network that takes only
   one size sees other pictures in windows of that size.
4. Logits, or probabilities if scores are averaged, are resized to the picture's own size, corners aligned; the largest
   is the class.
"""

import json
import math
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageOps


def open_student(path):
    """The session, and the settings, class names and palette in the file."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    stored = session.get_modelmeta().custom_metadata_map
    return session, *(json.loads(stored[key]) for key in ("settings", "classes", "palette"))


def read_picture(path):
    """An upright PIL image in RGB; of 16-bit pixels, the upper 8 bits."""
    picture = ImageOps.exif_transpose(Image.open(path))
    if picture.mode.startswith("I"):
        grey = np.asarray(picture).astype(np.int64)
        grey = grey if picture.mode == "I" and grey.max() < 256 else grey >> 8
        picture = Image.fromarray(grey.clip(0, 255).astype(np.uint8))
    return picture.convert("RGB")


def working_size(settings, height, width):
    """(height, width) to which a picture is resized."""
    base = settings["base_size"]
    if base is None or not settings["keep_aspect"]:
        return tuple(base or (height, width))
    scale = min(base) / min(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def predict(session, settings, picture):
    """Class ids, uint8 (H, W), of a PIL image in RGB, at its own size."""
    size = (picture.height, picture.width)
    height, width = working_size(settings, *size)
    small = picture if picture.size == (width, height) else picture.resize((width, height), Image.BILINEAR)
    image = np.asarray(small, np.float32).transpose(2, 0, 1) / 255
    protocol, total = settings["protocol"], 0
    for scale in protocol["scales"]:
        scaled = image if scale == 1 else resize(image, [max(1, round(side * scale)) for side in (height, width)])
        total = total + scores(session, settings, scaled, size)
        if protocol["flip"]:
            total = total + scores(session, settings, scaled[..., ::-1], size)[..., ::-1]
    return total.argmax(0).astype(np.uint8)


def scores(session, settings, image, size):
    """Scores, float32 (C, *size), of an image (3, h, w) in 0..1."""
    protocol = settings["protocol"]
    window, stride = windows(settings, *image.shape[1:])
    if window is not None:
        return resize(sliding(session, settings, image, window, stride), size)
    values = resize(logits(session, settings, image), size)
    averaged = protocol["flip"] or len(protocol["scales"]) > 1
    return combined(settings, values) if averaged else values


def windows(settings, height, width):
    """(height, width) of the windows and of their stride; (None, None) if an image of this size is shown whole."""

    def taken(height, width):
        return settings["size_is_free"] or padded(settings, height, width) == tuple(settings["size"])

    window, stride = settings["protocol"]["window"], settings["protocol"]["stride"]
    if window is None and taken(height, width):
        return None, None
    if window is None or not taken(*window):
        window = settings["size"]
        stride = [math.ceil(2 * side / 3) for side in window]
    return window, stride


def sliding(session, settings, image, window, stride):
    """Scores, float32 (C, h, w), averaged over windows; the last windows end at the edges of the image."""
    height, width = image.shape[1:]
    full = [max(side, part) for side, part in zip((height, width), window, strict=True)]
    centred = settings["protocol"].get("pad") == "centre"
    top, left = ((full[0] - height) // 2, (full[1] - width) // 2) if centred else (0, 0)
    image = pad(settings, image, *full, top, left)
    rows, columns = (
        [*range(0, side - part, step), side - part] for side, part, step in zip(full, window, stride, strict=True)
    )
    total, seen = 0, np.zeros(full, np.float32)
    for y in rows:
        for x in columns:
            part = image[:, y : y + window[0], x : x + window[1]]
            values = combined(settings, logits(session, settings, part))
            total = np.zeros((len(values), *full), np.float32) if isinstance(total, int) else total
            total[:, y : y + window[0], x : x + window[1]] += values
            seen[y : y + window[0], x : x + window[1]] += 1
    return (total / seen)[:, top : top + height, left : left + width]


def logits(session, settings, image):
    """Logits, float32 (C, h, w), of an image (3, h, w) in 0..1."""
    height, width = image.shape[1:]
    shown = pad(settings, image, *padded(settings, height, width))
    return session.run(["logits"], {"images": shown[None]})[0][0, :, :height, :width]


def combined(settings, values):
    """Values to average, from logits (C, h, w): probabilities over the first axis, or the logits themselves."""
    if settings["protocol"].get("combine") == "logits":
        return values
    values = np.exp(values - values.max(0))
    return values / values.sum(0)


def padded(settings, height, width):
    """(height, width) rounded up to multiples that the network takes."""
    multiple = settings["multiple"]
    return tuple(-(-side // multiple) * multiple for side in (height, width))


def pad(settings, image, height, width, top=0, left=0):
    """An image (3, h, w) placed at (top, left) in the padding colour, (3, height, width)."""
    out = np.empty((3, height, width), np.float32)
    out[:] = np.asarray(settings["padding"], np.float32)[:, None, None]
    out[:, top : top + image.shape[1], left : left + image.shape[2]] = image
    return out


def resize(values, size):
    """Values (C, h, w) at another size, bilinear, corners aligned."""
    for axis, side in enumerate(size, 1):
        last = values.shape[axis] - 1
        if side == last + 1:
            continue
        place = np.arange(side) * (last / (side - 1) if side > 1 else 0.0)
        low = place.astype(int)
        share = (place - low).astype(np.float32).reshape((-1, 1) if axis == 1 else (-1,))
        values = values.take(low, axis) * (1 - share) + values.take(np.minimum(low + 1, last), axis) * share
    return values


def main(picture, mask=None):
    """Print what is in a picture, and write its mask if a file is named."""
    session, settings, classes, palette = open_student(Path(__file__).with_name("student.onnx"))
    ids = predict(session, settings, read_picture(picture))
    print(ids.shape, *(f"{name} {(ids == i).mean():.1%}" for i, name in enumerate(classes) if (ids == i).any()))
    if settings["remark"]:
        print(settings["remark"])
    if mask:
        out = Image.fromarray(ids)
        out.putpalette([value for colour in palette for value in colour])
        out.save(mask)


if __name__ == "__main__":
    main(*sys.argv[1:])
