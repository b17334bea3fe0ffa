"""Batch norm folded into the convolution before it, for networks that are only used in eval mode."""

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


@torch.no_grad()
def fold_batch_norm(net: nn.Module, images: Tensor) -> nn.Module:
    """Fold every batch norm that directly follows a convolution into that convolution's weights, in place.

    Pairs are not guessed from names or order: `net` runs once on `images`, and a pair is a convolution and the batch
    norm that gets its output tensor. In eval mode the result is the same up to rounding. The network cannot be trained
    any more, and its weights fit no other network.

    Args:
        net: put into eval mode, where it must stay.
        images: any input that `net` takes; a small one is enough.
    Returns: `net`.
    """
    made: list[tuple[nn.Conv2d, Tensor]] = []  # holding the tensors keeps their identities unique
    pairs: list[tuple[nn.Conv2d, nn.BatchNorm2d]] = []

    def watch(module, inputs, output):
        if isinstance(module, nn.Conv2d):
            made.append((module, output))
        else:
            pairs.extend((conv, module) for conv, tensor in made if tensor is inputs[0])

    watched = [module for module in net.modules() if isinstance(module, (nn.Conv2d, nn.BatchNorm2d))]
    hooks = [module.register_forward_hook(watch) for module in watched]
    net.eval()(images)
    for hook in hooks:
        hook.remove()

    calls = [module for pair in pairs for module in pair] + [conv for conv, _ in made]
    replaced = {}
    for conv, norm in pairs:
        if calls.count(conv) == 2 and calls.count(norm) == 1:  # neither is shared
            replaced[conv] = fuse_conv_bn_eval(conv, norm)
            replaced[norm] = _after(norm)
    for parent in list(net.modules()):
        for name, child in parent.named_children():
            if child in replaced:
                setattr(parent, name, replaced[child])
    return net


def _after(norm: nn.BatchNorm2d) -> nn.Module:
    """The layers inside a batch norm that remain: timm's may hold dropout and an activation."""
    return nn.Sequential(norm.drop, norm.act) if hasattr(norm, "act") else nn.Identity()
