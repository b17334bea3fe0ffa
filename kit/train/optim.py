"""One optimiser over every network of a run, and its rate as a function of the step."""

import torch
from torch import nn

from kit.errors import unknown
from kit.methods.base import trained
from kit.methods.build import METHODS
from kit.settings.run import OptimConfig, RunConfig


def poly_lr(step: int, total: int, power: float = 0.9, warmup: int = 0) -> float:
    """Multiplier on the base rate: `(1 - step/total) ** power`, rising linearly over the first `warmup` steps.

    It is 1 at step 0 (without warm-up) and 0 at `total`, is set before the step, and is the same for all networks.
    """
    rise = min(1.0, (step + 1) / (warmup + 1))
    return rise * (1.0 - min(step, total) / total) ** power


def make_optimizer(cfg: OptimConfig, method: nn.Module, fused: bool = False) -> torch.optim.Optimizer:
    """SGD or AdamW over all parameters that require a gradient.

    Args:
        fused: one kernel for all parameters: on a CPU 3 times (SGD, same bits) to 7 times (AdamW) as fast; on a GPU it
            can skip an update on the device (`kit.train.monitor.nonfinite`). Networks must be on their device already.

    Groups: parameters with the same rate (`rates`), separated by weight decay and by membership in the networks of
    `cfg.constant`. A group's "scale" is its factor on the base rate; "constant" groups have no schedule.

    Raises: KitError if `cfg.constant` names a network that the method does not have.
    """
    for net in cfg.constant:
        if not isinstance(getattr(method, net, None), nn.Module):
            raise unknown("network in optim.constant", net, [name for name, _ in method.named_children()])
    groups: dict[tuple[float, float, bool], list[nn.Parameter]] = {}
    scales = rates(cfg, method)
    for name, parameter in method.named_parameters():
        if parameter.requires_grad:
            scale = scales.get(parameter, cfg.decoder_lr)
            decay = cfg.weight_decay if parameter.ndim > 1 or cfg.decay_all else 0.0
            groups.setdefault((scale, decay, name.split(".")[0] in cfg.constant), []).append(parameter)
    listed = [
        {"params": params, "lr": cfg.lr * scale, "scale": scale, "constant": constant, "weight_decay": decay}
        for (scale, decay, constant), params in groups.items()
    ]
    if cfg.name == "adamw":
        return torch.optim.AdamW(listed, lr=cfg.lr, fused=fused)
    optimizer = torch.optim.SGD(listed, lr=cfg.lr, momentum=0.9, fused=fused)
    if fused:  # else a skipped first step would leave the momentum undefined
        for group in listed:
            for parameter in group["params"]:
                optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
    return optimizer


def rates(cfg: OptimConfig, method: nn.Module) -> dict[nn.Parameter, float]:
    """Pretrained parameters -> factor on the base rate: `encoder_lr`, times `layer_decay` for every layer above."""
    factors = {}
    for net in trained(method):
        for above, layer in enumerate(reversed(net.encoder.layers())):
            factors |= dict.fromkeys(layer, cfg.encoder_lr * cfg.layer_decay**above)
    return factors


def base_lr(cfg: OptimConfig, step: int, total: int) -> float:
    """The rate at `step` of parameters with factor 1 and a schedule."""
    return cfg.lr * poly_lr(max(step - cfg.lag, 0), total, cfg.power, cfg.warmup)


def set_lr(optimizer: torch.optim.Optimizer, cfg: OptimConfig, step: int, total: int) -> None:
    """Set the rate of every group for `step`: `base_lr`, or `cfg.lr` if it is constant, times its scale."""
    rate = base_lr(cfg, step, total)
    for group in optimizer.param_groups:
        group["lr"] = group["scale"] * (cfg.lr if group["constant"] else rate)


def share_of_a_step(cfg: RunConfig) -> str | None:
    """One line about the parts of a step and the learning rate; None if a step has one part."""
    parts = cfg.train.processes * cfg.train.accumulate
    if parts == 1:
        return None
    labelled, train = cfg.data.labelled, cfg.train
    unlabelled = cfg.data.unlabelled if METHODS[cfg.method.name].views.unlabelled else 0
    share = f"{labelled // parts} + {unlabelled // parts}"
    return (
        f"a step is {labelled} labelled and {unlabelled} unlabelled images = {train.processes} processes x "
        f"{train.accumulate} micro-steps x ({share}); optim.lr {cfg.optim.lr:g} belongs to the whole step, unscaled"
    )
