"""Blocks of an encoder whose activations are computed again in the backward pass instead of being kept.

Of a training step's memory most is what lies between the layers of residual blocks. A block that is recomputed keeps
its input only; it costs one more forward of the block. Losses, gradients and batch-norm statistics stay what they are.
"""

from contextlib import AbstractContextManager, nullcontext
from functools import partial

import torch
from timm.models.resnet import BasicBlock, Bottleneck
from timm.models.tiny_vit import MBConv, TinyVitBlock
from timm.models.vision_transformer import Block
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from kit.models.layers.norm import norms_with

BLOCKS = (BasicBlock, Bottleneck, MBConv, TinyVitBlock, Block)
"""What is recomputed as a whole: the blocks of ResNets, TinyViTs and ViTs."""


def recompute_blocks(net: nn.Module) -> int:
    """Let every block of `net` be recomputed from now on, wherever a gradient is wanted; return how many there are."""
    blocks = [module for module in net.modules() if isinstance(module, BLOCKS)]
    for block in blocks:
        block.forward = partial(_recomputed, block, block.forward)
    return len(blocks)


def _recomputed(block: nn.Module, forward, x: Tensor) -> Tensor:
    if not (torch.is_grad_enabled() and block.training):
        return forward(x)
    return checkpoint(forward, x, use_reentrant=False, context_fn=lambda: (nullcontext(), _still_statistics(block)))


def _still_statistics(block: nn.Module) -> AbstractContextManager[None]:
    """Running statistics have seen the batch once already.

    A count of batches that is thrown away takes the place of the real one: synchronised batch norm refuses to go
    without.
    """

    def still(norm: _BatchNorm) -> dict[str, object]:
        count = norm.num_batches_tracked
        return {"momentum": 0.0, "num_batches_tracked": None if count is None else count.clone()}

    return norms_with(block, still)
