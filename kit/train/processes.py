"""The processes of a run, and their communication beside gradients."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import Tensor, nn

from kit.errors import KitError
from kit.settings.run import RunConfig
from kit.system.allocator import kept_pages
from kit.system.precision import gpu_settings, resolve


def make_accelerator(cfg: RunConfig) -> Accelerator:
    """Accelerate's accelerator in the precision of the run. Raises: KitError if the device lacks it."""
    return _accelerator(resolve(cfg.train.precision))


def continued(accelerator: Accelerator, cfg: RunConfig, saved: dict | None) -> Accelerator:
    """`accelerator`, or for a resumed run one in the precision in which the run began.

    "auto" may mean another precision on another machine or in another version of the kit.

    Args:
        saved: result of `kit.train.resume.state.capture`; None for a new run.
    Raises: KitError if the device lacks that precision.
    """
    began = began_in(cfg, saved) if saved else precision_of(accelerator)
    if began == precision_of(accelerator):
        return accelerator
    if began == "fp16":
        raise KitError(
            f"{cfg.run_dir} was begun in fp16, which needs a CUDA GPU that this machine lacks; continue it where it "
            "began, or choose another run_dir"
        )
    return _accelerator(began)


def began_in(cfg: RunConfig, saved: dict) -> str:
    """The precision in which a run began. Checkpoints that do not record it are older than bf16 on CPUs."""
    if "precision" in saved:
        return saved["precision"]
    if cfg.train.precision != "auto":
        return cfg.train.precision
    on_gpu = bool(saved["processes"][0]["random"]["cuda"])
    return "fp16" if saved["scaler"] is not None else "bf16" if on_gpu else "fp32"


def precision_of(accelerator: Accelerator) -> str:
    """ "fp32", "bf16" or "fp16"."""
    return {"no": "fp32"}.get(accelerator.mixed_precision, accelerator.mixed_precision)


def _accelerator(precision: str) -> Accelerator:
    cuda = torch.cuda.is_available()
    AcceleratorState._reset_state(reset_partial_state=False)  # else a second run in this process has the first's
    several = int(os.environ.get("WORLD_SIZE", 1)) > 1
    # Accelerate reads the environment of processes without GPUs only with cpu=True
    return Accelerator(cpu=several and not cuda, mixed_precision={"fp32": "no"}.get(precision, precision))


@contextmanager
def training_on(device: torch.device) -> Iterator[None]:
    """Settings of a device during training. All steps have the same sizes, so keeping freed memory and benchmarking
    convolutions pay off."""
    with kept_pages(device), gpu_settings(device, one_size=True):
        yield


class World:
    """All processes of the run. Each calls the methods in the same order.

    They communicate over gloo, so that none waits for an accelerator.

    Raises: KitError if the number of processes differs from `train.processes`.
    """

    def __init__(self, accelerator: Accelerator, cfg: RunConfig):
        self.rank, self.size = accelerator.process_index, accelerator.num_processes
        self.first = accelerator.is_main_process
        if self.size != cfg.train.processes:
            count, how = cfg.train.processes, "`python -m kit train RUN.json`"
            if count > 1:
                torchrun = f"`torchrun --standalone --nproc_per_node {count} -m kit train RUN.json`"
                how = f"{torchrun} (on several nodes, that many in all), {how} or kit.launch(cfg)"
            raise KitError(
                f"this run has {count} process{'es' * (count > 1)} (train.processes), but {self.size} "
                f"{'were' if self.size > 1 else 'was'} started; start it with {how}, or change train.processes"
            )
        self.group = dist.new_group(backend="gloo") if self.size > 1 else None

    def gather(self, value: object) -> list:
        """`value` of every process, in their order."""
        if self.group is None:
            return [value]
        gathered = [None] * self.size
        dist.all_gather_object(gathered, value, group=self.group)
        return gathered

    def most(self, number: int) -> int:
        """The maximum of `number` over processes."""
        if self.group is None:
            return number
        tensor = torch.tensor(number)
        dist.all_reduce(tensor, dist.ReduceOp.MAX, group=self.group)
        return int(tensor)

    def sum(self, values: Tensor) -> Tensor:
        """The sum of a tensor over processes, on the CPU."""
        values = values.cpu()
        if self.group is not None:
            dist.all_reduce(values, group=self.group)
        return values

    def on_first(self, action: Callable[[], None]) -> None:
        """Run `action` in the first process while the others wait. Its KitError is raised in every process."""
        problem = None
        if self.first:
            try:
                action()
            except KitError as error:
                problem = str(error)
        problem = self.gather(problem)[0]
        if problem is not None:
            raise KitError(problem)

    def same_buffers(self, *nets: nn.Module) -> None:
        """Give every process the first one's batch norm statistics, which are used to evaluate and save networks."""
        if self.size > 1:
            for net in nets:
                for buffer in net.buffers():
                    dist.broadcast(buffer, 0)
