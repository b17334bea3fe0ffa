"""Throughput of loader processes during training, and latency of a student."""

import tempfile
import time
from pathlib import Path

import torch

from kit.bench.frames import crop_loader, frame_files
from kit.bench.gpu.steps import precision_of
from kit.bench.training import CLASSES
from kit.data.reading.files import SegFiles
from kit.data.reading.sizes import size_text
from kit.deploy.cost import time_of
from kit.evaluate.predict import fast_copy
from kit.models.build import build_model
from kit.settings.run import ModelConfig

FRAMES = 6
"""Number of PNG frames, drawn for the benchmark, that crops are cut from."""
ROUNDS = 4
"""Batches per loader process; the first two fill the queue and are not timed."""


def latency(name: str, size: tuple[int, int], device: torch.device, repeats: int) -> list[dict]:
    """Latency of a student with folded batch norm on one image, in float32 and in half precision.

    Args:
        name: of the student, a key of `kit.models.build.MODELS`.
        size: (height, width) of an image.
    Returns: for each precision {"network", "size", "precision", "milliseconds" (median), "images_per_second",
        "peak_memory" in bytes, None on a CPU}.
    """
    torch.manual_seed(0)
    net = fast_copy(build_model(ModelConfig(name=name), CLASSES, pretrained=False).eval().to(device))
    images, rows = torch.rand(1, 3, *size, device=device), []
    for dtype in (torch.float32, precision_of("ours" if device.type == "cuda" else "plain, half", device)):
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            timing = time_of(net, images, repeats)
        rows.append({
            "network": name,
            "size": size_text(size),
            "precision": str(dtype).removeprefix("torch."),
            "milliseconds": 1e3 * timing["median"],
            "images_per_second": timing["throughput"],
            "peak_memory": torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None,
        })  # fmt: skip
    return rows


def loader_rates(crop: int, images: int, size: tuple[int, int], workers: tuple[int, ...]) -> list[dict]:
    """Crops per second of the training loader, from PNG files and from the filled cache.

    Args:
        crop: side of a crop.
        images: labelled images of a batch, which has as many unlabelled ones.
        size: (height, width) of a frame.
        workers: numbers of loader processes to try.
    Returns: for each {"source" ("files" or "cache"), "workers", "images_per_second"}.
    """
    rows = []
    with tempfile.TemporaryDirectory(prefix="bench-gpu-") as scratch:
        sources = dict(zip(("files", "cache"), frame_files(Path(scratch), FRAMES, size), strict=True))
        for count in workers:
            for source, files in sources.items():
                rate = _rate(files, crop, images, count)
                rows.append({"source": source, "workers": count, "images_per_second": rate})
    return rows


def _rate(files: SegFiles, crop: int, images: int, workers: int) -> float:
    steps, untimed = ROUNDS * max(1, workers), 2 * max(1, workers)
    for done, _ in enumerate(crop_loader(files, crop, images, workers, steps, unlabelled=True), 1):
        if done == untimed:
            started = time.perf_counter()
    return 2 * images * (steps - untimed) / (time.perf_counter() - started)
