"""One optimiser over every network of a run, and its rate as a function of the step."""

import torch
from torch import nn

from kit.config import OptimConfig
from kit.errors import unknown


def poly_lr(step: int, total: int, power: float = 0.9, warmup: int = 0) -> float:
    """Multiplier on the base rate: `(1 - step/total) ** power`, rising linearly over the first `warmup` steps.

    1 at step 0 (without warm-up), 0 at `total`; set before the step. The same curve for every network of a run.
    """
    rise = min(1.0, (step + 1) / (warmup + 1))
    return rise * (1.0 - min(step, total) / total) ** power


def make_optimizer(cfg: OptimConfig, method: nn.Module) -> torch.optim.Optimizer:
    """SGD or AdamW over all parameters that want a gradient.

    Groups: encoders and the rest (whose rate is multiplied by `decoder_lr`), with and without weight decay, and those
    of the networks in `cfg.constant` apart. A group's "scale" is its factor on the base rate, and "constant" says
    that it stays there.

    Raises: KitError if `cfg.constant` names what the method does not have.
    """
    for net in cfg.constant:
        if not isinstance(getattr(method, net, None), nn.Module):
            raise unknown("network in optim.constant", net, [name for name, _ in method.named_children()])
    groups: dict[tuple[float, float, bool], list[nn.Parameter]] = {}
    for name, parameter in method.named_parameters():
        if parameter.requires_grad:
            scale = 1.0 if ".encoder." in name else cfg.decoder_lr
            decay = cfg.weight_decay if parameter.ndim > 1 or cfg.decay_all else 0.0
            groups.setdefault((scale, decay, name.split(".")[0] in cfg.constant), []).append(parameter)
    listed = [
        {"params": params, "lr": cfg.lr * scale, "scale": scale, "constant": constant, "weight_decay": decay}
        for (scale, decay, constant), params in groups.items()
    ]
    if cfg.name == "adamw":
        return torch.optim.AdamW(listed, lr=cfg.lr)
    return torch.optim.SGD(listed, lr=cfg.lr, momentum=0.9)


def set_lr(optimizer: torch.optim.Optimizer, cfg: OptimConfig, step: int, total: int) -> None:
    """Give every group its rate for `step`: base rate, times `poly_lr` unless it is constant, times its scale."""
    curve = poly_lr(max(step - cfg.lag, 0), total, cfg.power, cfg.warmup)
    for group in optimizer.param_groups:
        group["lr"] = cfg.lr * group["scale"] * (1.0 if group["constant"] else curve)
