"""Small methods and small batches."""

import numpy as np
import pytest
import torch

from kit.methods.build import METHODS, build_method
from kit.models.build import build_model
from kit.settings.fields import replace_fields
from kit.settings.recipes import configure
from kit.settings.run import ModelConfig
from kit.types import IGNORE, Batch, Progress

CLASSES, SIDE = 3, 32


@pytest.fixture
def batch():
    """Function (method, side, pad, unlabelled) -> Batch; `pad` rows at the bottom are padding of unlabelled images."""

    def make(method, side=SIDE, pad=0, unlabelled=2):
        u = unlabelled if method.views.unlabelled else 0
        masks = torch.randint(0, CLASSES, (2, side, side))
        masks[:, :4] = IGNORE
        valid = torch.ones(u, side, side, dtype=torch.bool)
        valid[:, side - pad :] = False
        strong = torch.rand(u, method.views.strong, 3, side, side)
        return Batch(torch.rand(2, 3, side, side), masks, torch.rand(u, 3, side, side), strong, valid)

    return make


@pytest.fixture
def make():
    """Function (name, **changed fields) -> Method of the demo's size, without ramp, with untrained teachers."""

    def build(name, **changes):
        cfg = configure(method=name, recipe="tiny", overrides={"method.ramp": 0.0} if name != "supervised" else None)
        cfg = replace_fields(cfg, changes)
        teachers = {
            which: build_model(ModelConfig(name=f"deeplab_{which}_demo", dropout=0.0), CLASSES, pretrained=False)
            for which in METHODS[name].teachers
        }
        return build_method(cfg, CLASSES, teachers)

    return build


@pytest.fixture
def at():
    """Function (step, total) -> Progress, with the same random numbers every time."""
    return lambda step, total=10: Progress(step, total, np.random.default_rng(0))


@pytest.fixture
def reached():
    """Function (loss, method) -> names of the method's parts that the loss gives a gradient to."""

    def names(loss, method):
        method.zero_grad()
        loss.backward()
        return {
            name
            for name, part in method.named_children()
            if any(p.grad is not None and p.grad.abs().max() > 0 for p in part.parameters())
        }

    return names
