"""Networks that follow others without a gradient."""

import copy

import torch
from torch import nn


class Averaged(nn.Module):
    """Exponential running average of a network's weights; always in eval mode, never trained.

    `average = d * average + (1 - d) * net` with `d = min(decay, (1 + n) / (10 + n))` after n updates, so that the
    random start is forgotten quickly. Buffers of floats (batch norm statistics) are averaged, integers copied.
    """

    def __init__(self, net: nn.Module, decay: float):
        super().__init__()
        self.decay = decay
        self.net = copy.deepcopy(net).requires_grad_(False)
        self.train(False)

    def train(self, mode: bool = True):
        """Stays in eval mode whatever is asked."""
        return super().train(False)

    @torch.no_grad()
    def update(self, net: nn.Module, updates: int) -> None:
        """Take in the weights of `net` after its update number `updates` (from 0)."""
        d = min(self.decay, (1 + updates) / (10 + updates))
        for mine, theirs in zip(self.net.state_dict().values(), net.state_dict().values(), strict=True):
            if mine.is_floating_point():
                mine.lerp_(theirs.to(mine.dtype), 1 - d)
            else:
                mine.copy_(theirs)

    def forward(self, *args, **kwargs):
        """As the network's own."""
        return self.net(*args, **kwargs)
