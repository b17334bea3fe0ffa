"""Number formats of a run: float32, or a half precision where that is accurate enough.

| name | networks | losses, filters, batch norm's averages, optimiser |
| --- | --- | --- |
| fp32 | float32 | float32 |
| bf16 | bfloat16, by autocast | float32 |
| fp16 | float16, by autocast, with a scaled loss | float32 |

On GPUs, TensorFloat-32 is off: it rounds the factors of products to 10 bits. That would add noise to the high-frequency
part of a Gaussian split, which is a difference of nearly equal numbers. For speed use bf16.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import torch
from torch import Tensor

from kit.errors import KitError


def resolve(wanted: str) -> str:
    """The precision that a value of `train.precision` selects on this machine: "fp32", "bf16" or "fp16".

    "auto" is bf16 on GPUs that support it and fp16 on other CUDA GPUs. On CPUs it is bf16 if `cpu_has_bfloat16`: a step
    is as fast as in float32 with networks of the demo's size and up to twice as fast with published ones. It is fp32
    everywhere else.

    Raises: KitError for "fp16" without a CUDA GPU.
    """
    cuda = torch.cuda.is_available()
    if wanted == "auto" and cuda:
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    if wanted == "auto":
        return "bf16" if cpu_has_bfloat16() and not torch.backends.mps.is_available() else "fp32"
    if wanted == "fp16" and not cuda:
        raise KitError('train.precision "fp16" needs a CUDA GPU, and there is none; set it to "bf16", "fp32" or "auto"')
    return wanted


def cpu_has_bfloat16() -> bool:
    """Whether this CPU has bfloat16 products (AVX512_BF16 or AMX) and torch uses them.

    `torch.ops.mkldnn._is_mkldnn_bf16_supported` alone does not suffice: it is also True where bfloat16 is emulated.
    """
    if not torch.backends.mkldnn.is_available():
        return False
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # a torch without one of them lacks those products
    return any(probe() for probe in (getattr(torch.cpu, name, None) for name in probes) if probe)


def at_least_float32(x: Tensor) -> Tensor:
    """Half precision converted to float32; float32 and float64 unchanged."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def autocast(precision: str, device: torch.device) -> AbstractContextManager:
    """Context in which networks compute in `precision`, "fp32" or "bf16"."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


@contextmanager
def no_gradient() -> Iterator[None]:
    """`torch.no_grad` for a network that is trained in the same step.

    Under autocast, torch before 2.10 caches the half precision copies of weights made here and reuses them in a forward
    pass with gradients, which then never reach the weights. So no copy is cached in this context.
    """
    kept = torch.is_autocast_cache_enabled()
    torch.set_autocast_cache_enabled(False)
    try:
        with torch.no_grad():
            yield
    finally:
        torch.set_autocast_cache_enabled(kept)


@contextmanager
def gpu_settings(device: torch.device, one_size: bool) -> Iterator[None]:
    """Context in which a CUDA GPU computes float32 without TensorFloat-32; restores the old settings at the end. No
    effect on other devices.

    Args:
        one_size: all images have the same size, like training crops. cuDNN then times its convolution algorithms and
            uses the fastest, unless torch must be deterministic.
    """
    if device.type != "cuda":
        yield
        return
    cudnn, products = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.benchmark, cudnn.allow_tf32, products.allow_tf32
    try:
        cudnn.benchmark = one_size and not (cudnn.deterministic or torch.are_deterministic_algorithms_enabled())
        cudnn.allow_tf32 = products.allow_tf32 = False
        yield
    finally:
        cudnn.benchmark, cudnn.allow_tf32, products.allow_tf32 = before
