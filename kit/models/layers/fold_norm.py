"""Batch norm folded into the convolution before it, for networks that are only used in eval mode."""

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


@torch.no_grad()
def fold_batch_norm(net: nn.Module, images: Tensor) -> nn.Module:
    """Fold every batch norm that takes the output of one convolution into that convolution's weights, in place.

    Which they are is not guessed from names or order: `net` sees `images` once, and a pair is a convolution and a
    batch norm that is handed the very tensor it made. What such a network computes in eval mode is the same up to
    rounding; it cannot be trained on, and its weights fit no other network.

    Args:
        net: put into eval mode, where it has to stay.
        images: any input that `net` takes, as small as you like.
    Returns: `net`.
    """
    made: list[tuple[nn.Conv2d, Tensor]] = []  # keeping the tensors keeps their identities apart
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
    """What a batch norm does besides: timm's may hold dropout and an activation."""
    return nn.Sequential(norm.drop, norm.act) if hasattr(norm, "act") else nn.Identity()
