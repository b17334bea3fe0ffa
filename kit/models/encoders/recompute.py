"""Gradient checkpointing: activations of an encoder's blocks are recomputed in the backward pass instead of kept.

Most of a training step's memory is activations inside residual blocks. A recomputed block keeps only its input, at the
cost of one more forward pass of the block. Losses, gradients and batch norm statistics do not change.
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
"""Modules that are recomputed as a whole: the blocks of ResNets, TinyViTs and ViTs."""


def recompute_blocks(net: nn.Module) -> int:
    """Make every block of `net` recompute its activations in training steps; return the number of blocks."""
    blocks = [module for module in net.modules() if isinstance(module, BLOCKS)]
    for block in blocks:
        block.forward = partial(_recomputed, block, block.forward)
    return len(blocks)


def _recomputed(block: nn.Module, forward, x: Tensor) -> Tensor:
    if not (torch.is_grad_enabled() and block.training):
        return forward(x)
    return checkpoint(forward, x, use_reentrant=False, context_fn=lambda: (nullcontext(), _still_statistics(block)))


def _still_statistics(block: nn.Module) -> AbstractContextManager[None]:
    """Context in which running statistics do not change: they have seen the batch once already.

    A temporary copy replaces the count of batches, because synchronised batch norm requires one.
    """

    def still(norm: _BatchNorm) -> dict[str, object]:
        count = norm.num_batches_tracked
        return {"momentum": 0.0, "num_batches_tracked": None if count is None else count.clone()}

    return norms_with(block, still)
