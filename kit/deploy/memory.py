"""Peak memory of one prediction: torch's allocations on a GPU, the resident size of a separate process on a CPU."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import torch
from torch import nn

from kit.errors import KitError
from kit.models.build import build_model
from kit.settings.fields import from_dict, to_dict
from kit.settings.run import ModelConfig, RunConfig
from kit.system.paths import python_path


def peak_memory(net: nn.Module, cfg: ModelConfig, shapes: list[tuple[int, ...]]) -> list[int]:
    """Peak bytes while `net` predicts images of each shape, its weights included.

    On a CPU, a new process builds the network from the same settings. The result is its peak resident size while
    predicting minus its size before the network was built, which includes freed memory that the allocator keeps.

    Args:
        net: in eval mode.
        cfg: the settings it was built from.
        shapes: (B, 3, H, W), small batches first.
    Raises: KitError if that process fails, most often because memory runs out.
    """
    device = next(net.parameters()).device
    if device.type == "cuda":
        return [_peak_on_gpu(net, torch.zeros(shape, device=device)) for shape in shapes]
    order = {"config": to_dict(RunConfig(student=cfg, pretrained=False)), "classes": net.num_classes,
             "shapes": shapes, "threads": torch.get_num_threads()}  # fmt: skip
    done = subprocess.run([sys.executable, "-m", "kit.deploy.memory"], input=json.dumps(order), text=True,
                          capture_output=True, env={**os.environ, "PYTHONPATH": python_path()})  # fmt: skip
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise KitError(f"the process that measures memory ended early ({last}); try a smaller --size")
    return json.loads(done.stdout.splitlines()[-1])


@torch.no_grad()
def _peak_on_gpu(net: nn.Module, images: torch.Tensor) -> int:
    """Peak bytes of the network and its images; other tensors on the device are not counted."""
    own = sum(x.numel() * x.element_size() for x in (*net.parameters(), *net.buffers(), images))
    others = torch.cuda.memory_allocated(images.device) - own
    torch.cuda.reset_peak_memory_stats(images.device)
    net(images)
    torch.cuda.synchronize(images.device)
    return torch.cuda.max_memory_allocated(images.device) - others


def resident(peak: bool) -> int:
    """Resident size of this process in bytes, its peak or its current value; without Linux's /proc, always the peak."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:" if peak else "VmRSS:"))
    except (OSError, StopIteration):
        import resource  # not on Windows

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


@torch.no_grad()
def _measure(order: dict) -> list[int]:
    torch.set_num_threads(order["threads"])
    before = resident(peak=False)
    net = build_model(from_dict(order["config"]).student, order["classes"], pretrained=False).eval()
    peaks = []
    for shape in order["shapes"]:
        with contextlib.suppress(OSError):  # reset the peak left by imports; only on Linux
            Path("/proc/self/clear_refs").write_text("5")
        net(torch.zeros(shape))
        peaks.append(resident(peak=True) - before)
    return peaks


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_measure(json.load(sys.stdin))) + "\n")
