import io

import numpy as np
import pytest
from PIL import Image

from kit.widgets import trial
from kit.widgets.trial import TrialPanel


@pytest.fixture
def panel():
    """A student of two classes that takes bright pixels for the second, surely."""

    def probabilities(image):
        bright = image.mean(2) > 127
        return np.stack([~bright, bright]).astype(np.float32)

    return TrialPanel(probabilities, ["dark", "bright"], [[0, 0, 0], [255, 0, 0]], "a student <of> two classes")


def half_bright(width=40, height=20):
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, width // 4 :] = 255
    return Image.fromarray(pixels)


def encoded(picture, kind="PNG", **options):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def drop(panel, name, content, size=None):
    """As the browser does it."""
    size = len(content) if size is None else size
    turn = panel.field.turn + 1
    panel.field.set_state({"name": name, "size": size, "content": memoryview(content), "turn": turn})


def shown(panel):
    return {name: np.asarray(Image.open(io.BytesIO(p.value)).convert("RGB")) for name, p in panel.pictures.items()}


def test_a_photograph(panel):
    assert "&lt;of&gt;" in panel.box.children[0].value and panel.results.layout.display == "none"
    drop(panel, "street.png", encoded(half_bright()))
    assert panel.results.layout.display == "flex" and "street.png: 40 x 20 pixels, " in panel.message.value
    assert "bright 75.0%" in panel.legend.value and panel.legend.value.index("bright") < panel.legend.value.index(
        "dark"
    )
    views = shown(panel)
    assert views["mask"][0, -1].tolist() == [255, 0, 0] and views["overlay"][0, -1].tolist() == [255, 127, 127]
    assert (views["confidence"] == 255).all()


def test_a_photograph_of_a_long_name(panel):
    drop(panel, "街" * 100 + ".png", encoded(half_bright()))
    assert panel.results.layout.display == "flex"
    assert ".png: 40 x 20 pixels, " in panel.message.value


def test_an_animation(panel):
    frames = [half_bright(), Image.new("RGB", (40, 20), "white"), Image.new("RGB", (40, 20))]
    content = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], duration=100, lossless=True)
    drop(panel, "street.webp", content)
    assert "3 frames of 40 x 20 pixels, " in panel.message.value and "ms a frame" in panel.message.value
    assert "bright 58.3%" in panel.legend.value and panel.progress.layout.visibility == "hidden"
    assert Image.open(io.BytesIO(panel.pictures["mask"].value)).n_frames == 3


def test_what_cannot_be_shown_is_one_line(panel, monkeypatch):
    whole = encoded(half_bright())
    drop(panel, "street.png", whole)
    wrong = {
        "half.png": (whole[: len(whole) // 2], "half.png cannot be read"),
        "text.jpg": (b"no picture", "text.jpg cannot be read"),
        "empty.png": (b"", "empty.png cannot be read: the file is empty"),
        "long.png": (encoded(Image.new("1", (60_000, 1))), "60000 x 1 pixels; a side may have 1 to 4096"),
        "../../up.png": (b"?", "up.png cannot be read"),
        "movie.mp4": (b"no video", "movie.mp4 cannot be read as a video"),
    }
    for name, (content, message) in wrong.items():
        drop(panel, name, content)
        assert f"error: {message}" in panel.message.value.replace("&#x27;", "'") or message in panel.message.value, name
        assert panel.results.layout.display == "none" and not panel.legend.value
        assert "/tmp" not in panel.message.value
    drop(panel, "large.png", b"", size=trial.LARGEST_FILE + 1)  # the browser keeps what is too large
    assert "large.png has 20.0 MB; at most 20 MB are accepted" in panel.message.value
