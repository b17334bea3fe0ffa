import numpy as np
import pytest
from PIL import Image

from kit.data.reading.video import is_video, read_frames
from kit.errors import KitError


def frames(count):
    return [np.full((32, 48, 3), 20 * i + 10, np.uint8) for i in range(count)]


def test_an_animation(tmp_path):
    path = tmp_path / "a.gif"
    first, *rest = map(Image.fromarray, frames(4))
    first.save(path, save_all=True, append_images=rest, duration=50)
    read, rate = read_frames(path, most=3, largest=100)
    assert is_video(path) and rate == 20 and [frame[0, 0, 0] for frame in read] == [10, 30, 50]
    first.save(tmp_path / "one.gif")
    assert not is_video(tmp_path / "one.gif") and not is_video(tmp_path / "a.png")
    with pytest.raises(KitError, match="a.gif has 48 x 32 pixels; a side may have 1 to 40"):
        read_frames(path, most=3, largest=40)


def test_a_video(tmp_path):
    av = pytest.importorskip("av", reason="the extra 'serve' is not installed: pip install -e .[serve]")
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=12)  # lossless
        stream.width, stream.height, stream.pix_fmt = 48, 32, "bgr0"
        for pixels in frames(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
        container.mux(stream.encode())
    read, rate = read_frames(path, most=9, largest=100)
    assert rate == 12 and all(np.array_equal(*pair) for pair in zip(read, frames(3), strict=True))
    path.write_bytes(b"?")
    with pytest.raises(KitError, match="a.mkv cannot be read as a video"):
        read_frames(path, most=9, largest=100)


def test_a_video_of_a_telephone_held_upright(tmp_path):
    av = pytest.importorskip("av", reason="the extra 'serve' is not installed: pip install -e .[serve]")
    pixels = np.zeros((32, 64, 3), np.uint8)
    pixels[:, :32] = 255  # the left half, which is the upper one after a turn to the right
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        if not hasattr(stream, "set_display_rotation"):
            pytest.skip("this PyAV writes no orientation")
        stream.set_display_rotation(-90)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
        container.mux(stream.encode())
    ((frame,), _) = read_frames(tmp_path / "a.mp4", most=3, largest=100)
    assert frame.shape == (64, 32, 3) and frame[:28].min() > 200 and frame[36:].max() < 50
