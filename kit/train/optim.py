"""One optimiser over every network of a run, and its rate as a function of the step."""

import torch
from torch import nn

from kit.config import OptimConfig


def poly_lr(step: int, total: int, power: float = 0.9, warmup: int = 0) -> float:
    """Multiplier on the base rate: `(1 - step/total) ** power`, rising linearly over the first `warmup` steps.

    1 at step 0 (without warm-up), 0 at `total`; set before the step. The same curve for every network of a run.
    """
    rise = min(1.0, (step + 1) / (warmup + 1))
    return rise * (1.0 - min(step, total) / total) ** power


def make_optimizer(cfg: OptimConfig, method: nn.Module) -> torch.optim.Optimizer:
    """SGD or AdamW over all parameters that want a gradient.

    Four groups: encoders and the rest (whose rate is multiplied by `decoder_lr`), each with weight decay on matrices
    and filters only. A group's "scale" is its factor on the base rate.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in method.named_parameters():
        if parameter.requires_grad:
            scale = 1.0 if ".encoder." in name else cfg.decoder_lr
            decay = cfg.weight_decay if parameter.ndim > 1 else 0.0
            groups.setdefault((scale, decay), []).append(parameter)
    listed = [
        {"params": params, "lr": cfg.lr * scale, "scale": scale, "weight_decay": decay}
        for (scale, decay), params in groups.items()
    ]
    if cfg.name == "adamw":
        return torch.optim.AdamW(listed, lr=cfg.lr)
    return torch.optim.SGD(listed, lr=cfg.lr, momentum=0.9)


def set_lr(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Give every group `lr` times its scale."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group["scale"]
