"""GPU memory of a step: an estimate, settings that need less, and the error for exhausted memory.

The estimate is no measurement: the step is traced without computing, and the tensors that autograd would keep for the
backward pass are added up. Workspaces of convolutions and the allocator's gaps are covered only by an allowance.
"""

import copy
import weakref
from collections import Counter
from dataclasses import dataclass
from math import gcd
from operator import attrgetter

import numpy as np
import torch
from torch._subclasses.fake_tensor import FakeCopyMode, FakeTensorMode

from kit.errors import KitError
from kit.methods.build import METHODS, build_method
from kit.models.build import build_model
from kit.models.encoders.recompute import recompute_blocks
from kit.settings.fields import replace_fields, to_dict
from kit.settings.run import ModelConfig, RunConfig
from kit.types import Batch, Progress

SIZES = (8, 16, 24, 80)
"""Gigabytes of common GPUs."""

ALLOWANCE = 1.25
"""Factor on the tensors that autograd keeps, for gradients, workspaces and gaps."""

CONTEXT = 0.8e9
"""Bytes that CUDA and its libraries take at the start."""


@dataclass(frozen=True)
class Need:
    """Memory in bytes."""

    fixed: int
    """Weights of all networks, gradients, optimiser and running average."""
    kept: int
    """Tensors that autograd keeps for one micro-step."""

    @property
    def total(self) -> float:
        """Bytes including allowance and context."""
        return self.fixed + ALLOWANCE * self.kept + CONTEXT


class Kept:
    """Hooks for saved tensors that measure the size of all tensors autograd keeps between forward and backward.

    Args:
        own: tensors that do not count, as they exist anyway.
    """

    def __init__(self, own: list[torch.Tensor]):
        self.own = {tensor.untyped_storage()._cdata for tensor in own}
        self.uses: Counter[int] = Counter()
        self.now = 0
        self.most = 0
        """Largest number of bytes at any time."""

    def pack(self, tensor: torch.Tensor) -> "_Saved":
        """Wrap a tensor in the object that autograd holds instead, as long as it needs the tensor."""
        saved, storage = _Saved(tensor), tensor.untyped_storage()
        if storage._cdata not in self.own:
            self._count(storage._cdata, storage.nbytes(), 1)
            weakref.finalize(saved, self._count, storage._cdata, storage.nbytes(), -1)
        return saved

    def unpack(self, saved: "_Saved") -> torch.Tensor:
        return saved.tensor

    def _count(self, storage: int, size: int, change: int) -> None:
        """Count a storage once for all its saved tensors. Its number is unique while one of them is saved."""
        before = self.uses[storage] > 0
        self.uses[storage] += change
        self.now += size * ((self.uses[storage] > 0) - before)
        self.most = max(self.most, self.now)


@dataclass(frozen=True, eq=False)
class _Saved:
    tensor: torch.Tensor


def estimate(cfg: RunConfig, classes: int) -> Need:
    """Memory of one process of a run, in bfloat16 or float16 unless the run is in float32.

    Args:
        classes: of the data set.
    """
    data, parts = cfg.data, cfg.train.processes * cfg.train.accumulate
    cfg = replace_fields(cfg, {"pretrained": False, **{f"{name}.weights": None for name in _networks(cfg)}})
    height, width = data.crop
    b, u = data.labelled // parts, data.unlabelled // parts

    teachers = {
        name: build_model(getattr(cfg.method, f"{name}_net"), classes, pretrained=False)
        for name in METHODS[cfg.method.name].teachers
    }
    real = build_method(cfg, classes, teachers).train()
    views = real.views
    u = u if views.unlabelled else 0
    traced = FakeTensorMode(allow_non_fake_inputs=True)
    with FakeCopyMode(traced):
        method = copy.deepcopy(real)
    with traced:
        batch = Batch(
            images=torch.zeros(b, 3, height, width),
            masks=torch.zeros(b, height, width, dtype=torch.long),
            weak=torch.zeros(u, 3, height, width),
            strong=torch.zeros(u, views.strong if u else 0, 3, height, width),
            valid=torch.ones(u, height, width, dtype=torch.bool),
        )
        kept = Kept([*method.parameters(), *method.buffers()])
        half = cfg.train.precision != "fp32"
        with (
            torch.autograd.graph.saved_tensors_hooks(kept.pack, kept.unpack),
            torch.autocast("cpu", torch.bfloat16, enabled=half),
        ):
            out = method(batch, Progress(cfg.train.steps // 2, cfg.train.steps, np.random.default_rng(0)))
        weights = sum(p.numel() for p in method.parameters())
        learnt = sum(p.numel() for p in method.parameters() if p.requires_grad)
        average = sum(p.numel() for p in method.predictor().parameters())
        del out
    moments = 2 if cfg.optim.name == "adamw" else 1
    copies = 2 * weights if half else 0  # autocast caches half-precision copies of the weights during a step
    return Need(4 * (weights + learnt * (1 + moments) + average) + copies, kept.most)


def preset(cfg: RunConfig, gigabytes: float, classes: int) -> tuple[RunConfig, Need]:
    """`cfg` with the fewest changes that make it fit into a GPU's memory, and its need. The number of images per step
    and the learning rate do not change.

    The first change recomputes activations of the encoders that can, which only costs time; the next divides steps into
    micro-steps, each with its own batch norm statistics.

    Raises: KitError if one image of each kind does not fit.
    """
    unlabelled = cfg.data.unlabelled if METHODS[cfg.method.name].views.unlabelled else 0
    if getattr(cfg.method, "partner", "roll") == "halves":  # every micro-step needs pairs
        unlabelled = max(1, unlabelled // 2)
    share = gcd(cfg.data.labelled, unlabelled)
    if share % cfg.train.processes:
        raise KitError(
            f"a step of {cfg.data.labelled} labelled and {cfg.data.unlabelled} unlabelled images cannot be shared "
            f"evenly by train.processes = {cfg.train.processes}"
        )
    share //= cfg.train.processes
    units = []  # changes and need of the smallest micro-step, without and with recomputing; larger ones scale with it
    recomputed = {f"{name}.recompute": True for name in _networks(cfg) if _has_blocks(attrgetter(name)(cfg))}
    for changes in ({}, recomputed) if recomputed else ({},):
        units.append((changes, estimate(replace_fields(cfg, {"train.accumulate": share, **changes}), classes)))
    for accumulate in (n for n in range(1, share + 1) if share % n == 0):
        for changes, unit in units:
            need = Need(unit.fixed, unit.kept * share // accumulate)
            if need.total <= gigabytes * 1e9:
                return replace_fields(cfg, {"train.accumulate": accumulate, **changes}), need
    raise KitError(
        f"{cfg.method.name} with crops of {' x '.join(map(str, cfg.data.crop))} needs at least about "
        f"{need.total / 1e9:.1f} GB, more than {gigabytes:g}; share it among more GPUs (train.processes) or lower "
        "data.crop"
    )


def _networks(cfg: RunConfig) -> list[str]:
    """Dotted names of all networks that are trained."""
    names = to_dict(cfg)["method"]
    of_method = [f"method.{name}" for name in names if isinstance(getattr(cfg.method, name, None), ModelConfig)]
    frozen = [f"method.{name}_net" for name in METHODS[cfg.method.name].teachers]
    return ["student", *(name for name in of_method if name not in frozen)]


def _has_blocks(network: ModelConfig) -> bool:
    """Whether its encoder has blocks that can be recomputed."""
    with torch.device("meta"):  # its weights do not matter
        return recompute_blocks(build_model(network, 2, pretrained=False).encoder) > 0


def out_of_memory(cfg: RunConfig, error: RuntimeError, device: torch.device) -> KitError | None:
    """The error for exhausted memory, with the settings to change; None for any other `error`."""
    if not (isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)):
        return None
    size = ""
    if device.type == "cuda":
        peak, whole = torch.cuda.max_memory_allocated(device), torch.cuda.get_device_properties(device).total_memory
        size = f" ({peak / 1e9:.1f} of {whole / 1e9:.1f} GB were used by tensors)"
    parts = cfg.train.processes * cfg.train.accumulate
    ways = []
    if not cfg.student.recompute and _has_blocks(cfg.student):
        ways.append("set student.recompute (and that of the method's other networks)")
    if cfg.data.labelled > parts:
        ways.append(f"raise train.accumulate (now {cfg.train.accumulate})")
    if device.type == "cuda" and cfg.train.precision == "fp32":
        ways.append('set train.precision to "auto"')
    ways.append(f"lower data.crop (now {' x '.join(map(str, cfg.data.crop))})")
    return KitError(
        f"{device} is out of memory{size}: {', '.join(ways)}. "
        "`python -m kit train RUN.json --memory GB` chooses for you (with --run-dir, as it is another run then)"
    )
