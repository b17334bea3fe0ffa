"""The processes that share a run: what they tell each other beside gradients."""

import os
from collections.abc import Callable

import torch
import torch.distributed as dist
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import Tensor, nn

from kit.config import RunConfig
from kit.errors import KitError


def make_accelerator(cfg: RunConfig) -> Accelerator:
    """Accelerate's view of this process, in the precision of the run. Raises: KitError if the device lacks it."""
    wanted, cuda = cfg.train.precision, torch.cuda.is_available()
    if wanted == "auto":
        wanted = ("bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16") if cuda else "fp32"
    if wanted == "fp16" and not cuda:
        raise KitError('train.precision "fp16" needs a CUDA GPU, and there is none; set it to "bf16", "fp32" or "auto"')
    AcceleratorState._reset_state(reset_partial_state=False)  # else a second run in this process keeps the first's
    several = int(os.environ.get("WORLD_SIZE", 1)) > 1
    # Accelerate looks at the environment of processes without GPUs only if it is told that they have none
    return Accelerator(cpu=several and not cuda, mixed_precision={"fp32": "no"}.get(wanted, wanted))


class World:
    """This process and the others. Everything here is called by all of them, in the same order.

    Words between processes travel over gloo, so that none of them waits for an accelerator.

    Raises: KitError if there are more or fewer processes than the run asks for.
    """

    def __init__(self, accelerator: Accelerator, cfg: RunConfig):
        self.rank, self.size = accelerator.process_index, accelerator.num_processes
        self.first = accelerator.is_main_process
        if self.size != cfg.train.processes:
            wanted = cfg.train.processes
            how = (
                "`python -m kit train RUN.json`"
                if wanted == 1
                else f"`torchrun --standalone --nproc_per_node {wanted} -m kit train RUN.json` (on several nodes, that "
                "many in all), `python -m kit train RUN.json` or kit.launch(cfg)"
            )
            raise KitError(
                f"this run is one of {wanted} process{'es' * (wanted > 1)} (train.processes), and {self.size} "
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
        """The largest `number` of any process."""
        if self.group is None:
            return number
        tensor = torch.tensor(number)
        dist.all_reduce(tensor, dist.ReduceOp.MAX, group=self.group)
        return int(tensor)

    def sum(self, values: Tensor) -> Tensor:
        """The sum of a tensor of every process, on the CPU."""
        values = values.cpu()
        if self.group is not None:
            dist.all_reduce(values, group=self.group)
        return values

    def on_first(self, action: Callable[[], None]) -> None:
        """Let the first process do something while the others wait. Raises, in every process: KitError as it did."""
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
        """Give every process the first one's batch norm statistics, with which networks are judged and saved."""
        if self.size > 1:
            for net in nets:
                for buffer in net.buffers():
                    dist.broadcast(buffer, 0)
