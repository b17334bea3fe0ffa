"""The state of a run in a checkpoint: weights, state that differs between processes, and random generators.

Order of images, augmentation, mixing and dropout depend only on (seed, step, place in the step), so a run resumes
identically without the generators; they are saved for any other code that draws random numbers.
"""

import random
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from kit.errors import KitError
from kit.system.storage import write_bytes
from kit.train.monitor.counters import Tally
from kit.train.processes import precision_of


def capture(run, done: int, evaluated: bool) -> dict:
    """The state from which a `kit.train.loop.Run` resumes at step `done`, before or after the evaluation at that step.

    Called in every process. The number of the step is also the position of the samplers.
    """
    scaler = run.accelerator.scaler
    own = {"random": random_states(), "buffers": _copied(_statistics(run)), "tally": run.tally.own()}
    return {
        "step": done,
        "precision": precision_of(run.accelerator),
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
    """Restore weights, averages and counts from the result of `capture`, before networks are wrapped.

    Raises: KitError if the run's teachers have changed.
    """
    if saved["teachers"] != run.parts.teachers:
        raise KitError(f"the teachers of {run.folder.path} have changed since its checkpoint; delete the folder")
    run.origins = saved.get("origins", run.origins)
    run.parts.method.load_state_dict(saved["method"])
    run.average.load_state_dict(saved["average"])
    run.start, run.evaluated, run.best_weights = saved["step"], saved["evaluated"], saved["best_weights"]
    own = saved["processes"][run.world.rank]["tally"]
    run.tally = Tally.restored(saved["tally"], own, run.accelerator.device)


def restore_rest(run, saved: dict) -> None:
    """Restore optimiser, scaler, statistics of this process and random states. Call it after networks are moved and
    wrapped, because wrapping gives every process the first one's statistics."""
    load_optimizer(run.optimizer, saved["optimizer"])
    if run.accelerator.scaler is not None and saved["scaler"]:  # else it started on a device without loss scaling
        run.accelerator.scaler.load_state_dict(saved["scaler"])
    own = saved["processes"][run.world.rank]
    if isinstance(own["buffers"], dict):
        mine = _statistics(run)
    else:  # of an older version, which kept all buffers
        nets = run.accelerator.unwrap_model(run.method), run.average
        mine = dict(enumerate(buffer for net in nets for buffer in net.buffers()))
        own["buffers"] = dict(enumerate(own["buffers"]))
    for name, value in own["buffers"].items():
        mine[name].copy_(value)
    set_random_states(own["random"])


OF_DEVICE = ("fused", "foreach", "capturable")
"""Settings of an optimiser's groups that depend on the device and do not change the update."""


def load_optimizer(optimizer: torch.optim.Optimizer, saved: dict) -> None:
    """Load an optimiser's `state_dict`, from this device or another one.

    OF_DEVICE and the device of the states stay those of `optimizer`. State of `optimizer` that `saved` lacks is kept:
    momentum that a fused step needs from the start (`kit.train.optim`), settings of later versions. On another device a
    run resumes up to rounding, not bit by bit.
    """
    start = {parameter: dict(state) for parameter, state in optimizer.state.items()}
    groups = [
        {**mine, **theirs, **{name: mine[name] for name in OF_DEVICE if name in mine}, "params": theirs["params"]}
        for mine, theirs in zip(optimizer.param_groups, saved["param_groups"], strict=True)
    ]
    optimizer.load_state_dict({**saved, "param_groups": groups})
    for parameter, state in start.items():
        for name, value in state.items():
            optimizer.state[parameter].setdefault(name, value)


def random_states() -> dict:
    """States of Python's, numpy's, torch's and CUDA's generators, as numbers and tensors."""
    name, keys, *rest = np.random.get_state()  # noqa: NPY002  (libraries use the old generator)
    return {
        "python": random.getstate(),
        "numpy": (name, torch.from_numpy(keys.astype(np.int64)), *rest),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def set_random_states(states: dict) -> None:
    """Restore `random_states`; those of CUDA only if the number of devices is the same."""
    random.setstate(states["python"])
    name, keys, *rest = states["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))  # noqa: NPY002
    torch.set_rng_state(states["torch"])
    if len(states["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(states["cuda"])


def statistics(net: nn.Module) -> dict[str, Tensor]:
    """Running means and variances of batch norm by name: the only buffers that can differ between processes.

    Counts and tables of indices (50 MB in a TinyViT-21M) are equal in all processes, as are the statistics of frozen
    teachers, which are not saved.
    """
    state = net.state_dict()
    norms = [name for name, module in net.named_modules() if isinstance(module, _BatchNorm)]
    names = [f"{norm}.{kind}" for norm in norms for kind in ("running_mean", "running_var")]
    return {name: state[name] for name in names if name in state}


def broadcast_statistics_alone(net: nn.Module) -> None:
    """Make distributed training broadcast only the first process's `statistics` before a step, and no other buffer."""
    kept = statistics(net)
    others = [name for name, _ in net.named_buffers() if name not in kept]
    DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(net, others)


def _statistics(run) -> dict[str, Tensor]:
    nets = {"method": run.accelerator.unwrap_model(run.method), "average": run.average}
    return {f"{which}.{name}": value for which, net in nets.items() for name, value in statistics(net).items()}


def _copied(values: dict[str, Tensor]) -> dict[str, Tensor]:
    """Contiguous copies on the CPU."""
    return {name: value.detach().cpu().clone().contiguous() for name, value in values.items()}


def weights(net: nn.Module) -> dict[str, Tensor]:
    """Weights and statistics, copied to the CPU."""
    return _copied(net.state_dict())


def write_weights(path: Path, values: dict[str, Tensor]) -> None:
    """Write a file for `kit.load`."""
    write_bytes(path, safetensors.torch.save(values))
