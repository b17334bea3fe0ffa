"""What of a run is kept: weights, what differs from process to process, and everything that draws random numbers.

Order of images, augmentation, mixing and dropout follow from (seed, step, place in the step), so a run would go on the
same without these states; they are kept for whatever else may draw.
"""

import random
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from torch import Tensor, nn

from kit.errors import KitError
from kit.storage import write_bytes
from kit.train.tally import Tally


def capture(run, done: int, evaluated: bool) -> dict:
    """Everything from which a `kit.train.loop.Run` can go on at step `done`, before or after the evaluation there.

    Called in every process. The number of the step is also where the samplers stand.
    """
    scaler = run.accelerator.scaler
    own = {"random": random_states(), "buffers": buffers(run.method, run.average), "tally": run.tally.own()}
    return {
        "step": done,
        "evaluated": evaluated,
        "tally": run.tally.shared(),
        "teachers": run.parts.teachers,
        "origins": run.origins,
        "method": run.accelerator.unwrap_model(run.method).state_dict(),
        "average": run.average.state_dict(),
        "best_weights": run.best_weights,
        "optimizer": run.optimizer.state_dict(),
        "scaler": scaler.state_dict() if scaler is not None else None,
        "processes": run.world.gather(own),
    }


def restore_networks(run, saved: dict) -> None:
    """Weights, averages and counts, from what `capture` returned; before networks are wrapped.

    Raises: KitError if the run has other teachers now.
    """
    if saved["teachers"] != run.parts.teachers:
        raise KitError(f"the teachers of {run.folder.path} have changed since it broke off; delete the folder")
    run.origins = saved.get("origins", run.origins)
    run.parts.method.load_state_dict(saved["method"])
    run.average.load_state_dict(saved["average"])
    run.start, run.evaluated, run.best_weights = saved["step"], saved["evaluated"], saved["best_weights"]
    own = saved["processes"][run.world.rank]["tally"]
    run.tally = Tally.restored(saved["tally"], own, run.accelerator.device)


def restore_rest(run, saved: dict) -> None:
    """Optimiser and scaler, statistics of this process and random states; after networks were moved and wrapped, which
    gives every process the first one's statistics."""
    run.optimizer.load_state_dict(saved["optimizer"])
    if run.accelerator.scaler is not None:
        run.accelerator.scaler.load_state_dict(saved["scaler"])
    own = saved["processes"][run.world.rank]
    set_buffers(own["buffers"], run.method, run.average)
    set_random_states(own["random"])


def random_states() -> dict:
    """States of Python's, numpy's, torch's and CUDA's generators, as numbers and tensors."""
    name, keys, *rest = np.random.get_state()  # noqa: NPY002  (the state of the old generator, which libraries use)
    return {
        "python": random.getstate(),
        "numpy": (name, torch.from_numpy(keys.astype(np.int64)), *rest),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def set_random_states(states: dict) -> None:
    """Go on from `random_states`; those of CUDA only where there are as many devices."""
    random.setstate(states["python"])
    name, keys, *rest = states["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))  # noqa: NPY002
    torch.set_rng_state(states["torch"])
    if len(states["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(states["cuda"])


def buffers(*nets: nn.Module) -> list[Tensor]:
    """Running statistics and the like, copied to the CPU: processes may each have their own."""
    return [buffer.detach().cpu().clone() for net in nets for buffer in net.buffers()]


def set_buffers(values: list[Tensor], *nets: nn.Module) -> None:
    """Put back what `buffers` returned for the same networks."""
    mine = [buffer for net in nets for buffer in net.buffers()]
    for buffer, value in zip(mine, values, strict=True):
        buffer.copy_(value)


def weights(net: nn.Module) -> dict[str, Tensor]:
    """Weights and statistics, copied to the CPU."""
    return {name: value.detach().cpu().clone().contiguous() for name, value in net.state_dict().items()}


def write_weights(path: Path, values: dict[str, Tensor]) -> None:
    """A file for `kit.load`."""
    write_bytes(path, safetensors.torch.save(values))
