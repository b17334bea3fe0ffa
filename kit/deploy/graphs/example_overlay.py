"""Draw classes over a photograph, with NumPy, Pillow and ONNX Runtime: python example.py PHOTO [OVERLAY.png]"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

HERE = Path(__file__).parent


def predict(picture, model="student.onnx"):
    """Class ids, uint8 (H, W), of a PIL image in RGB."""
    session = onnxruntime.InferenceSession(str(HERE / model), providers=["CPUExecutionProvider"])
    height, width = session.get_inputs()[0].shape[1:3]  # names instead of numbers if the graph takes any size
    shown = picture if isinstance(height, str) else picture.resize((width, height), Image.BILINEAR)
    ids = session.run(["classes"], {"pictures": np.asarray(shown)[None]})[0][0]
    return np.asarray(Image.fromarray(ids).resize(picture.size, Image.NEAREST))


def read(path):
    """An upright RGB image; of 16-bit pixels, the upper 8 bits."""
    picture = ImageOps.exif_transpose(Image.open(path))
    if max(picture.size) > 16384:
        raise ValueError(f"{picture.width} x {picture.height} pixels are too many; at most 16384 a side are allowed")
    if picture.mode.startswith("I"):
        grey = np.asarray(picture).astype(np.int64)
        deep = picture.mode != "I" or grey.max() > 255
        picture = Image.fromarray((grey >> 8 if deep else grey).clip(0, 255).astype(np.uint8))
    return picture.convert("RGB")


def main(photo, overlay="overlay.png", model="student.onnx"):
    """Print the share of each class, and write the photograph with their colours over it."""
    labels = json.loads((HERE / "labels.json").read_text())
    try:
        picture = read(photo)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        sys.exit(f"{photo} cannot be read: {error}")
    ids = predict(picture, model)
    print(*(f"{name} {(ids == i).mean():.1%}" for i, name in enumerate(labels["classes"]) if (ids == i).any()))
    colours = np.array(labels["palette"], np.uint8)[ids]
    Image.blend(picture, Image.fromarray(colours), 0.5).save(overlay)


if __name__ == "__main__":
    main(*sys.argv[1:])
