"""A frozen network in half precision whose weights are cast once, not at every pass.

Autocast remembers the copies that it makes of weights only where these want a gradient. A teacher's weights want none,
so every pass would read and write all of them, for nothing: they never change.
"""

import copy

import torch
from timm.layers import Conv2dSame
from torch import nn

from kit.models.layers.upsampling import ConvOfMaps

LAYERS = (nn.Conv2d, Conv2dSame, ConvOfMaps, nn.Linear)
"""What autocast computes in half precision. Layers derived from these may do something else with their weights."""


class Halved:
    """Remembers, for a network that does not learn, a twin in half precision.

    Args:
        net: its weights may be replaced or changed in place; the twin is then made again.
        whole: children of `net` that are used in float32 as well, and stay in it.
    """

    def __init__(self, net: nn.Module, whole: tuple[str, ...] = ()):
        self.net, self.whole = net, whole
        self._twin: tuple[object, nn.Module] | None = None

    def suited(self, device: torch.device) -> nn.Module:
        """The twin where autocast computes in half precision on a CPU, else the network itself.

        Both give the same bits. A compiled network fuses its casts, and keeps its weights.
        """
        half = device.type == "cpu" and torch.is_autocast_enabled("cpu") and self.net._compiled_call_impl is None
        if not half or torch.compiler.is_compiling():
            return self.net
        dtype, parameters = torch.get_autocast_dtype("cpu"), list(self.net.parameters())
        state = dtype, [p._version for p in parameters], [id(t) for t in (*parameters, *self.net.buffers())]
        if self._twin is None or self._twin[0] != state:
            self._twin = state, self._made(dtype)
        twin = self._twin[1]
        for mine, theirs in zip(twin.modules(), self.net.modules(), strict=True):
            mine.training = theirs.training
        return twin

    def _made(self, dtype: torch.dtype) -> nn.Module:
        """A copy that shares running statistics and all parameters but those of LAYERS, which are of `dtype`."""
        shared = {id(tensor): tensor for tensor in (*self.net.parameters(), *self.net.buffers())}
        twin = copy.deepcopy(self.net, shared)
        for name, child in twin.named_children():
            if name not in self.whole:
                _cast(child, dtype)
        return twin


def _cast(net: nn.Module, dtype: torch.dtype) -> None:
    for layer in net.modules():
        if type(layer) in LAYERS:
            for name, parameter in list(layer.named_parameters(recurse=False)):
                if parameter.dtype == torch.float32:
                    setattr(layer, name, nn.Parameter(parameter.detach().to(dtype), requires_grad=False))
