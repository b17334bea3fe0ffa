"""Training steps of TriKD and MGD on one device: plain, ours, and compiled.

All forms of a step have the same random weights and images and the authors' switches, so they compute the same loss;
batch norm, dropout and the optimiser work as in a run. The forms:

    plain, float32    `kit.bench.plain.trikd` and `kit.bench.plain.mgd`
    plain, half       the same under autocast, with a scaled loss in float16
    ours              the kit's step, channels-last, with a fused optimiser, in the precision of a run
    compiled          the same, every network compiled as `train.compile` does
"""

import argparse
import copy
import gc
import time
from collections.abc import Callable
from functools import cached_property

import torch
from torch import nn

from kit.bench import mgd, trikd
from kit.bench.plain.mgd import Nets
from kit.bench.training import Side, make_batch
from kit.models.segmenter import Segmenter

FORMS = ("plain, float32", "plain, half", "ours", "compiled")

WARM_UP = 3
"""Steps before the timed ones on a GPU; the first, in which networks are compiled, is timed separately."""


class TriKDWork:
    """TriKD's networks.

    Args:
        size: of the student, as in `python -m kit bench trikd`.
        crop: side of an image.
    """

    def __init__(self, size: str, crop: int):
        self.name, self.crop = f"TriKD {size}", crop
        self.options = argparse.Namespace(size=size, crop=crop, recipe="official")

    @cached_property
    def method(self) -> nn.Module:
        return trikd.make_method(self.options).train()

    def side(self, plainly: bool, images: int, device: torch.device) -> Side:
        """A step with `images` labelled and as many unlabelled ones."""
        method = copy.deepcopy(self.method).to(device)
        losses = trikd.losses_of(method, make_batch(self.crop, images, images, device=device), plainly)
        return Side(method, lambda: losses()[0])


class MGDWork:
    """MGD's networks; `size` is as in `python -m kit bench mgd`."""

    def __init__(self, size: str, crop: int):
        self.name, self.size, self.crop = f"MGD {size}", size, crop

    @cached_property
    def nets(self) -> Nets:
        return mgd.make_nets(mgd.make_config(self.size, self.crop, 2, "gradient"))

    def side(self, plainly: bool, images: int, device: torch.device) -> Side:
        """A step with `images` labelled and as many mixed ones."""
        cfg = mgd.make_config(self.size, self.crop, images, "gradient")
        batch = make_batch(self.crop, images, 2 * images, device=device)
        return (mgd.plain_side if plainly else mgd.our_side)(self.nets, batch, cfg)


def measure_step(work: TriKDWork | MGDWork, form: str, images: int, device: torch.device, repeats: int) -> dict:
    """Time and memory of one form of a step.

    Args:
        form: one of FORMS.
        images: labelled images of a step; there are as many unlabelled or mixed ones.
        repeats: timed steps, at least 1.
    Returns: {"network", "form", "precision", "images", "seconds" of a step, "images_per_second", "first_seconds" of the
        first step, "peak_memory" in bytes, None on a CPU}.
    Raises: torch.OutOfMemoryError.
    """
    side, dtype = work.side(form.startswith("plain"), images, device), precision_of(form, device)
    if form == "compiled":
        torch.compiler.reset()  # forget networks that were compiled before
        for net in side.trained.modules():
            if isinstance(net, Segmenter):
                net.compile()
    first, seconds, peak = _timed(_step(side, dtype, device, form), device, repeats)
    return {
        "network": work.name,
        "form": form,
        "precision": str(dtype).removeprefix("torch."),
        "images": f"{images} + {images}",
        "seconds": seconds,
        "images_per_second": 2 * images / seconds,
        "first_seconds": first,
        "peak_memory": peak,
    }


def precision_of(form: str, device: torch.device) -> torch.dtype:
    """float32 for "plain, float32", and on a CPU for all but "plain, half". Otherwise bfloat16, but on a GPU float16
    for "plain, half", or if it has no bfloat16."""
    if form == "plain, float32" or (device.type != "cuda" and form != "plain, half"):
        return torch.float32
    if device.type == "cuda" and (form == "plain, half" or not torch.cuda.is_bf16_supported(including_emulation=False)):
        return torch.float16
    return torch.bfloat16


def _step(side: Side, dtype: torch.dtype, device: torch.device, form: str) -> Callable[[], None]:
    learns = [p for p in side.trained.parameters() if p.requires_grad]
    fused = not form.startswith("plain")
    optimizer = torch.optim.SGD(learns, lr=1e-9, momentum=0.9, weight_decay=1e-4, fused=fused)
    scaler = torch.amp.GradScaler(device.type, enabled=dtype == torch.float16)

    def step() -> None:
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            loss = side.loss()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad(set_to_none=True)

    return step


def _timed(step: Callable[[], None], device: torch.device, repeats: int) -> tuple[float, float, int | None]:
    """Seconds of the first step, mean seconds of the timed steps, and peak bytes of tensors (None on a CPU)."""
    on_gpu = device.type == "cuda"
    wait = torch.cuda.synchronize if on_gpu else lambda: None
    if on_gpu:
        torch.cuda.reset_peak_memory_stats(device)
    marks = [time.perf_counter()]
    for count in (1, WARM_UP - 1 if on_gpu else 0, repeats):
        for _ in range(count):
            step()
        wait()
        marks.append(time.perf_counter())
    peak = torch.cuda.max_memory_allocated(device) if on_gpu else None
    return marks[1] - marks[0], (marks[3] - marks[2]) / repeats, peak


def release(device: torch.device) -> None:
    """Free memory that nothing refers to."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
