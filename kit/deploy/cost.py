"""What a prediction costs: parameters, operations, time, memory."""

import platform
from statistics import quantiles

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from kit.deploy.memory import peak_memory
from kit.evaluate.predict import fast_copy
from kit.models.segmenter import Segmenter
from kit.settings.run import ModelConfig
from kit.system.turns import interleaved

BATCHES = (1, 8)
"""Batch sizes that a card reports."""

WARM_UP = 3
"""Untimed runs before the timed ones."""


def cost(net: Segmenter, cfg: ModelConfig, size: tuple[int, int], repeats: int = 10) -> dict:
    """Cost of a network, measured in float32 on the device it is on.

    Args:
        net: put into eval mode, where it stays.
        cfg: the settings it was built from.
        size: (height, width) of an image; multiples of `net.multiple`.
        repeats: timed runs, at least 2.
    Returns: {"parameters", "encoder_parameters", "flops", "timing": {batch: {...}}}; a batch has the
        fields of `time_of` and "peak_memory" in bytes.
    """
    net.eval()
    fast = fast_copy(net)
    device = next(net.parameters()).device
    timing = {str(b): time_of(fast, torch.randn(b, 3, *size, device=device), repeats) for b in BATCHES}
    peaks = peak_memory(net, cfg, [(b, 3, *size) for b in BATCHES])
    for record, peak in zip(timing.values(), peaks, strict=True):
        record["peak_memory"] = peak
    return {
        "parameters": count_parameters(net),
        "encoder_parameters": count_parameters(net.encoder),
        "flops": flops(net, size),
        "timing": timing,
    }


def count_parameters(net: nn.Module) -> int:
    """Number of parameters of a network."""
    return sum(p.numel() for p in net.parameters())


@torch.no_grad()
def flops(net: Segmenter, size: tuple[int, int]) -> int:
    """Floating-point operations of one image, by `torch.utils.flop_counter`: two for each multiply-add in
    convolutions, matrix products and attention; the rest is not counted."""
    images = torch.zeros(1, 3, *size, device=next(net.parameters()).device)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:  # fused attention on CPUs counts as 0
        net(images)
    return counter.get_total_flops()


@torch.no_grad()
def time_of(net: nn.Module, images: Tensor, repeats: int) -> dict:
    """{"median", "low", "high"} seconds of a batch (quartiles), and "throughput", images per second at the median."""

    def run() -> None:
        net(images)
        if images.device.type == "cuda":
            torch.cuda.synchronize(images.device)

    seconds = interleaved({"net": run}, repeats, WARM_UP)["net"]
    low, median, high = quantiles(seconds, n=4, method="inclusive")
    return {"median": median, "low": low, "high": high, "throughput": len(images) / median, "repeats": repeats}


def device_record(device: str) -> dict:
    """Type and name of a device, and torch's number of threads on a CPU."""
    if torch.device(device).type == "cuda":
        return {"type": "cuda", "name": torch.cuda.get_device_name(device)}
    return {"type": "cpu", "name": platform.processor() or platform.machine(), "threads": torch.get_num_threads()}
