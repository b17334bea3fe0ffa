"""Recipes whose every network starts from weights that an installed package carries."""

import dataclasses

import numpy as np
import pytest
import torch

from kit.batch.grid import read_grid
from kit.methods.build import build_method
from kit.models.build import build_model
from kit.models.encoders.weight_packages import PACKAGES
from kit.settings.recipes.light import TUNED, camvid, camvid_tuned, demo, folder, tuned
from kit.settings.run import METHOD_CONFIGS, ModelConfig
from kit.system.paths import PROJECT
from kit.types import Batch, Progress


def networks(cfg) -> list[ModelConfig]:
    """Every network that a run trains or has trained for it."""
    of_method = [getattr(cfg.method, field.name) for field in dataclasses.fields(cfg.method)]
    return [cfg.student, *(value for value in of_method if isinstance(value, ModelConfig))]


def test_every_network_starts_from_a_package():
    names = set()
    for recipe in (demo, camvid, camvid_tuned, folder):
        for method in METHOD_CONFIGS:
            cfg = recipe(method)
            assert cfg.pretrained and cfg.student == demo("supervised").student
            names |= {net.name for net in networks(cfg)}
    assert len(names) > 3
    for name in names:
        with torch.device("meta"):
            origin = build_model(ModelConfig(name=name), 3, pretrained=False).encoder.origin
        assert origin.network in PACKAGES, name


def test_tuned_settings_are_those_of_the_study():
    rows = read_grid(PROJECT / "notebooks/grids/study_equal.yaml").rows
    compared = {row["method"]: row["overrides"] for name, row in rows.items() if "no other images" not in name}
    assert set(compared) - set(TUNED) == {"supervised"}
    for method, overrides in compared.items():
        switches = {name: value for name, value in tuned(method).items() if name != "method.teacher_method"}
        assert switches.items() <= overrides.items(), method
        assert overrides["optim.decoder_lr"] == camvid_tuned(method).optim.decoder_lr
    crops = rows["supervised"]["overrides"]["data.crop"], camvid_tuned("supervised").data.crop
    kept = compared["supervised"]["method.ohem_min_kept"], camvid_tuned("supervised").method.ohem_min_kept
    shares = [pixels / np.prod(crop) for pixels, crop in zip(kept, crops, strict=True)]
    assert abs(shares[0] - shares[1]) < 0.01


def test_own_images_are_trained_with_the_tuned_settings():
    for method in METHOD_CONFIGS:
        mine, theirs = folder(method), camvid_tuned(method)
        assert mine.method == theirs.method and mine.optim == theirs.optim and mine.train == theirs.train
        assert mine.data.dataset == "folder" and mine.data.keep_aspect and theirs.method != camvid(method).method


@pytest.mark.slow
def test_all_terms_of_trikd_reach_the_pretrained_views():
    """From the packages' weights: every term is positive, and every weight has a gradient."""
    cfg = demo("trikd")
    method = build_method(cfg, 3).train()
    assert {net.encoder.origin.source for net in (method.student, method.cnn, method.vit)} <= {"package", "cache"}
    batch = Batch(torch.rand(2, 3, 64, 64), torch.randint(0, 3, (2, 64, 64)), torch.rand(2, 3, 64, 64),
                  torch.zeros(2, 0, 3, 64, 64), torch.ones(2, 64, 64, dtype=torch.bool))  # fmt: skip
    out = method(batch, Progress(cfg.train.steps, cfg.train.steps, np.random.default_rng(0)))
    assert list(out.parts) == ["sup", "sup_cnn", "sup_vit", "cps", "low", "high"]
    assert all(value > 0 for value in out.parts.values())
    out.loss.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in method.parameters())
