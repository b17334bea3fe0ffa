"""METHODS: name -> class. To add a method: its file, a line here, its settings in `kit.config.METHOD_CONFIGS`."""

from functools import partial

from kit.config import RunConfig
from kit.methods.base import Method
from kit.methods.cps import CPS
from kit.methods.supervised import Supervised
from kit.methods.trikd import TriKD
from kit.models.build import build_model

METHODS = {"supervised": Supervised, "cps": CPS, "trikd": TriKD}


def build_method(cfg: RunConfig, num_classes: int) -> Method:
    """The method of a run with all its networks. Raises KitError for networks that cannot be had."""
    build = partial(build_model, num_classes=num_classes, pretrained=cfg.pretrained)
    return METHODS[cfg.method.name](cfg.method, cfg.student, build)
