"""Networks without gradient: running averages of trained networks, and frozen teachers."""

import copy

import torch
from torch import Tensor, nn

from kit.errors import KitError
from kit.models.layers.fold_norm import fold_batch_norm
from kit.models.layers.weights_bf16 import Halved
from kit.models.segmenter import Segmenter
from kit.types import SegOutput


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
        """Stay in eval mode whatever `mode` is."""
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
        self.net.train().eval()  # leaving eval mode clears position biases that timm's TinyViT caches there

    def forward(self, *args, **kwargs):
        """Forward of the averaged network."""
        return self.net(*args, **kwargs)


class Frozen(nn.Module):
    """A teacher that does not change: no gradients, always in eval mode, bit-identical after training.

    Checkpoints neither hold nor restore its weights: a resumed run builds the same teacher again from its source.

    Args:
        net: used as it is, not copied.
        fused: fold batch norm into the convolutions and use channels-last filters and maps: faster, and equal up to
            rounding.
        official: as in MGD's code, without gradients but in train mode: the teacher normalises by the statistics of
            each batch, and its running statistics drift. Checkpoints then hold the teacher.
    """

    def __init__(self, net: Segmenter, *, fused: bool = False, official: bool = False):
        super().__init__()
        if fused and official:
            raise KitError("a teacher is either fused or official (train mode); set fused to False")
        self.official, self.fused = official, fused
        self.net = net.requires_grad_(False)
        self.train(official)
        if fused:
            fold_batch_norm(net, net.example())
            net.requires_grad_(False).to(memory_format=torch.channels_last)
        self._halved = Halved(net, whole=("classify",))  # `Segmenter.predict_mean` classifies in float32
        self.register_load_state_dict_pre_hook(_keep_weights)

    def train(self, mode: bool = True):
        """Stay in eval mode whatever `mode` is, unless official; then all but dropout follows `mode`."""
        super().train(mode and self.official)
        self.net.dropout.eval()
        return self

    def state_dict(self, *args, destination=None, prefix="", keep_vars=False):
        """`destination` unchanged, unless official."""
        if self.official:
            return super().state_dict(*args, destination=destination, prefix=prefix, keep_vars=keep_vars)
        return {} if destination is None else destination

    @torch.no_grad()
    def forward(self, images: Tensor) -> SegOutput:
        """(B, 3, H, W) -> output of the network."""
        return self._halved.suited(images.device)(self._laid_out(images))

    @torch.no_grad()
    def labels(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) -> most likely classes, int64 (B, H, W)."""
        return self(images).logits.max(1).indices

    @torch.no_grad()
    def features(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) -> the decoder's map (B, F, h, w) alone, without classifier and resizing."""
        net = self._halved.suited(images.device)
        return net.decoder(net.encode(self._laid_out(images)).maps)

    @torch.no_grad()
    def mean_logits(self, images: Tensor, valid: Tensor | None = None) -> Tensor:
        """(B, 3, H, W) -> logits averaged over each image or its `valid` pixels (B, H, W): (B, C). Logits at the
        image's size are not computed."""
        return self.net.predict_mean(self.features(images), images.shape[-2:], valid)

    def _laid_out(self, images: Tensor) -> Tensor:
        return images.contiguous(memory_format=torch.channels_last) if self.fused else images


def _keep_weights(frozen: Frozen, state: dict[str, Tensor], prefix: str, *_) -> None:
    """Fill a teacher's own weights into a state that is loaded into its method, because checkpoints lack them."""
    if not frozen.official:
        state.update({f"{prefix}net.{name}": value for name, value in frozen.net.state_dict().items()})
