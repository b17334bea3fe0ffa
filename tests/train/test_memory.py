from types import SimpleNamespace

import numpy as np
import pytest
import torch

from kit.errors import KitError
from kit.settings.fields import replace_fields
from kit.settings.recipes import configure
from kit.train.memory import estimate, out_of_memory, preset
from kit.train.prepare import prepare
from kit.types import Progress


def demo(method="cps", **overrides):
    small = {"data.crop": (64, 64), "data.labelled": 4, "data.unlabelled": 4, "train.precision": "fp32"}
    return configure(method=method, recipe="tiny", overrides={**small, **overrides})


def test_what_autograd_keeps_is_what_a_real_step_keeps(tiny):
    """The traced step against the same one that is computed."""
    cfg = tiny("cps", overrides={"train.precision": "fp32"})
    parts, held = prepare(cfg), {}
    method = parts.method.train()
    own = {p.untyped_storage().data_ptr() for p in (*method.parameters(), *method.buffers())}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            held[storage.data_ptr()] = storage
        return tensor

    progress = SimpleNamespace(step=2, total=4, rng=None, ramp=lambda share: 1.0)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        method(parts.batches[0], progress)
    need = estimate(cfg, parts.spec.num_classes)
    assert need.kept == pytest.approx(sum(s.nbytes() for s in held.values()), rel=0.05)
    weights = sum(p.numel() for p in method.parameters())
    student = sum(p.numel() for p in method.student.parameters())
    assert need.fixed == 4 * (4 * weights + student)  # weights, gradients, two moments; the average


@pytest.mark.slow
def test_less_memory_means_recomputing_first_and_micro_steps_then():
    whole, recomputed = estimate(demo(), 19), estimate(demo(**{"student.recompute": True}), 19)
    half = estimate(demo(**{"train.accumulate": 2}), 19)
    assert recomputed.kept < 0.9 * whole.kept and half.kept == pytest.approx(whole.kept / 2, rel=0.05)

    def chosen(gigabytes):
        cfg, need = preset(demo(), gigabytes, 19)
        assert need.total <= gigabytes * 1e9
        assert (cfg.data.labelled, cfg.data.unlabelled, cfg.optim) == (4, 4, demo().optim)
        return cfg.train.accumulate, cfg.student.recompute

    assert chosen(80) == (1, False)
    assert chosen(recomputed.total / 1e9 + 0.001) == (1, True)
    small = estimate(demo(**{"train.accumulate": 4, "student.recompute": True}), 19)
    assert chosen(small.total / 1e9 + 0.001) == (4, True)
    with pytest.raises(KitError, match="needs at least about .* GB, more than 0.1; share it among more GPUs"):
        preset(demo(), 0.1, 19)


def test_networks_without_blocks_to_recompute_fit_too():
    cfg = demo("supervised", **{"student.name": "lite_fast"})
    assert preset(cfg, 80, 19)[0] == cfg


def test_halves_are_not_divided_into_single_images():
    cfg = demo(**{"method.cutmix": True, "method.partner": "halves"})
    assert preset(cfg, 80, 19)[0] == cfg


@pytest.mark.parametrize("method", ["unimatch", "trikd", "mgd"])
def test_every_kind_of_method_can_be_traced(method):
    assert estimate(demo(method), 19).kept > 1e6


def test_a_run_after_its_estimate_computes(tiny):
    cfg = tiny("trikd", {"data.crop": (64, 160)})  # a size of which no other test has made constants
    estimate(cfg, 19)
    parts = prepare(cfg)
    out = parts.method.train()(parts.batches[0], Progress(0, 2, np.random.default_rng(0)))
    assert type(out.loss) is torch.Tensor and out.loss.isfinite()


def test_out_of_memory_says_what_to_change():
    cfg = demo()
    line = str(out_of_memory(cfg, torch.OutOfMemoryError("CUDA out of memory"), torch.device("cpu")))
    assert "set student.recompute" in line and "raise train.accumulate (now 1)" in line and "64 x 64" in line
    assert out_of_memory(cfg, RuntimeError("shapes"), torch.device("cpu")) is None
    plain = replace_fields(cfg, {"student.name": "efficientnet_lite0"})  # it has no blocks, so it refuses `recompute`
    line = str(out_of_memory(plain, torch.OutOfMemoryError("CUDA out of memory"), torch.device("cpu")))
    assert "recompute" not in line and "out of memory: raise train.accumulate" in line
