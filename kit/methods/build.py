"""METHODS: name -> class. To add a method: its file, a line here, its settings in `kit.settings.run.METHOD_CONFIGS`."""

from functools import partial

from torch import Tensor

from kit.errors import KitError
from kit.methods.base import Build, Method, trained
from kit.methods.cps import CPS
from kit.methods.distill import Distill
from kit.methods.fixmatch import FixMatch
from kit.methods.mean_teacher import MeanTeacher
from kit.methods.mgd import MGD
from kit.methods.supervised import Supervised
from kit.methods.trikd import TriKD
from kit.methods.unimatch import UniMatch
from kit.models.build import build_model
from kit.models.encoders.attention_bf16 import fast_attention
from kit.models.layers.depthwise_cpu import fast_depthwise
from kit.models.segmenter import Segmenter
from kit.settings.network import ModelConfig
from kit.settings.run import RunConfig

METHODS = {
    "supervised": Supervised,
    "mean_teacher": MeanTeacher,
    "cps": CPS,
    "fixmatch": FixMatch,
    "unimatch": UniMatch,
    "distill": Distill,
    "trikd": TriKD,
    "mgd": MGD,
}


def build_method(cfg: RunConfig, num_classes: int, teachers: dict[str, Segmenter] | None = None,
                 first: dict[str, Tensor] | None = None) -> Method:  # fmt: skip
    """The method of a run with all its networks.

    Args:
        teachers: the networks that `Method.teachers` names; used as they are, not copied.
        first: initial weights of the student, from a network with the same settings; None keeps its own.
    Raises: KitError for networks that cannot be built, or if `teachers` are not those that the method needs.
    """
    method, given = METHODS[cfg.method.name], teachers or {}
    if given.keys() != set(method.teachers):
        wanted = ", ".join(method.teachers) or "none"
        raise KitError(f"{cfg.method.name} needs these teachers: {wanted}; got {', '.join(given) or 'none'}")
    build = partial(build_model, num_classes=num_classes, pretrained=cfg.pretrained)
    made = method(cfg.method, cfg.student, build if first is None else _starting_from(build, first), **given)
    fast_depthwise(made)
    fast_attention(made)
    if cfg.optim.encoder_lr == 0:
        for net in trained(made):
            net.encoder.freeze()
    return made


def _starting_from(build: Build, weights: dict[str, Tensor]) -> Build:
    """`build`, with `weights` loaded into the first network it makes: every method builds its student first."""
    left = [weights]

    def start(settings: ModelConfig) -> Segmenter:
        net = build(settings)
        if left:
            net.load_state_dict(left.pop())
        return net

    return start
