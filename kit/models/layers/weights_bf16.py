"""A frozen network in half precision whose weights are cast once instead of at every pass.

Autocast caches its copies of weights only if the weights require a gradient. A teacher's weights do not, so every pass
would cast all of them again, although they never change.
"""

import copy

import torch
from timm.layers import Conv2dSame
from torch import nn

from kit.models.layers.upsampling import ConvOfMaps

LAYERS = (nn.Conv2d, Conv2dSame, ConvOfMaps, nn.Linear)
"""Layers that autocast computes in half precision. Subclasses are left out, as they may use their weights otherwise."""


class Halved:
    """Cached copy ("twin") of a frozen network in half precision.

    Args:
        net: its weights may be replaced or changed in place; the twin is then made again.
        whole: names of children of `net` that stay in float32, because they are also used in float32.
    """

    def __init__(self, net: nn.Module, whole: tuple[str, ...] = ()):
        self.net, self.whole = net, whole
        self._twin: tuple[object, nn.Module] | None = None

    def suited(self, device: torch.device) -> nn.Module:
        """The twin where autocast computes in half precision on a CPU, else the network itself.

        Both give the same bits. A compiled network fuses its casts, so it is returned itself.
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
        """A copy with the parameters of LAYERS cast to `dtype`; all other parameters and the buffers are shared."""
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
