"""Settings of an export's example.py, and how well its masks agree with `Student.predict`."""

import importlib.util
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from kit.data.reading.decode import picture_size
from kit.data.reading.sizes import rounded_up, size_when_read
from kit.evaluate import protocol
from kit.evaluate.student import Student
from kit.types import PADDING

SOURCE = Path(__file__).with_name("example_protocol.py")
"""The file that is copied as example.py; it imports nothing of the kit."""


def graph_size(student: Student, pictures: Sequence[Path] = ()) -> tuple[int, int]:
    """(height, width) of the network's input under the protocol of its run, for a graph of one size.

    This is the window, or else the size of a picture after it is read and resized, rounded up to multiples of
    `net.multiple`. If pictures keep different sizes, it is the most common size of `pictures`; without pictures,
    `data.base_size`, else the size of a training crop.
    """
    data, size = student.config.data, fixed_size(student)
    if size is None and pictures:
        sizes = (size_when_read(picture_size(path), data.base_size, data.keep_aspect) for path in pictures)
        size = Counter(sizes).most_common(1)[0][0]
    return rounded_up(size or data.base_size or data.crop, student.net.multiple)


def fixed_size(student: Student) -> tuple[int, int] | None:
    """(height, width) of the network's input before padding; None if it depends on the picture."""
    cfg = student.config
    return cfg.evaluate.window or (None if cfg.data.keep_aspect else cfg.data.base_size)


def settings_of(student: Student, size: tuple[int, int], free: bool) -> dict:
    """Settings for example.py: how `Student.predict` prepares pictures and calls its network.

    Args:
        size: (height, width) of the exported graph.
        free: whether the graph takes any other size, in multiples of `net.multiple`, as well.
    """
    base = student.config.data.base_size
    return {
        "base_size": list(base) if base else None,
        "keep_aspect": student.config.data.keep_aspect,
        "padding": list(PADDING),
        "multiple": student.net.multiple,
        "size": list(size),
        "size_is_free": free,
        "protocol": protocol.record(student.config.evaluate),
        "remark": remark(student, size, free),
    }


def remark(student: Student, size: tuple[int, int], free: bool) -> str:
    """Sentence on how example.py differs from `Student.predict`; "" if it does the same to every picture."""
    cfg, fixed, (height, width) = student.config, fixed_size(student), size
    same = fixed is not None and rounded_up(fixed, student.net.multiple) == tuple(size)
    if free or (same and cfg.evaluate.scales == (1.0,)) or (same and cfg.evaluate.window):
        return ""
    return (
        f"the exported network takes only {height} x {width}: images of another size are predicted in windows of that "
        "size, whose scores are averaged, while the kit's predict takes them as they are"
    )


def check_example(student: Student, out: Path, pictures: Sequence[Path]) -> dict:
    """Share of pixels in which example.py in `out` and `Student.predict` agree, on whole pictures read from files.

    Args:
        student: on the CPU.
        out: folder of an export.
    Returns: {"pictures", "agreement" (over all pixels), "worst" (of a picture), "remark"}.
    """
    module = example_module(out)
    session, settings, *_ = module.open_student(out / "student.onnx")
    shares, pixels = [], []
    for path in pictures:
        theirs, ours = module.predict(session, settings, module.read_picture(path)), student.predict(path)
        shares.append(float((theirs == ours).mean()))
        pixels.append(ours.size)
    agreement = sum(share * n for share, n in zip(shares, pixels, strict=True)) / sum(pixels)
    return {"pictures": len(shares), "agreement": agreement, "worst": min(shares), "remark": settings["remark"]}


def example_module(folder: Path) -> ModuleType:
    """example.py of an export as a module, which stays out of `sys.modules`."""
    found = importlib.util.spec_from_file_location("example", folder / "example.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module
