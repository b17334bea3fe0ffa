"""Losses that are not finite: each is read (CPU), or the device decides, as on an accelerator."""

from functools import partial

import forked
import pytest
import safetensors.torch
import torch

from kit.runs.folder import RunFolder
from kit.train.monitor.nonfinite import WATCHED
from kit.train.optim import make_optimizer
from kit.train.resume.checkpoint import load_checkpoint

EITHER = pytest.mark.parametrize("way", ["bad_loss", "on_device"])
"""The two ways of deciding."""


@pytest.fixture
def run(tiny, tmp_path):
    """Function (way, bad steps, **overrides) -> exit codes of a run of eight steps, a line of the log for each four."""

    def go(way, *bad, **overrides):
        settings = {
            "train.log_every": 4,
            "train.checkpoint_every": 4,
            **{k.replace("__", "."): overrides[k] for k in overrides},
        }
        return forked.run(tiny(steps=8, overrides=settings), tmp_path / "out", partial(getattr(forked, way), *bad))

    return go


def finite(tensors):
    return all(value.isfinite().all() for value in tensors.values() if value.is_floating_point())


@EITHER
@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
def test_a_bad_loss_stops_a_run_before_its_weights_are_touched(run, tmp_path, way, optimiser):
    assert run(way, 5, optim__name=optimiser) == [2]
    output = (tmp_path / "out").read_text()
    assert "error: loss is nan at step 5 (sup nan); lower optim.lr or set optim.clip" in output
    assert "nonfinite.pt" in output
    scene = torch.load(tmp_path / "run/nonfinite.pt", weights_only=True)
    assert scene["step"] == 5 and scene["batches"][0]["images"].shape == (2, 3, 64, 64)
    names = {name for name in scene["weights"] if name.endswith(".weight")}
    assert len(names) > 20 and finite({name: scene["weights"][name] for name in names})
    before = load_checkpoint(tmp_path / "run/checkpoint.pt")
    assert before["step"] == 4 and finite(before["method"]) and finite(before["average"])
    assert any(not torch.equal(scene["weights"][name], before["method"][name]) for name in names)  # of step 5, not 4
    assert [record["step"] for record in RunFolder(tmp_path / "run").log()] == [4]


def test_both_ways_keep_the_weights_of_the_same_step(tiny, tmp_path):
    scenes = []
    for way in ("bad_loss", "on_device"):
        cfg = tiny(steps=8, run_dir=str(tmp_path / way), overrides={"train.log_every": 8})
        assert forked.run(cfg, tmp_path / "out", partial(getattr(forked, way), 3)) == [2]
        scenes.append(torch.load(tmp_path / way / "nonfinite.pt", weights_only=True)["weights"])
    for name, value in scenes[0].items():
        if name.endswith(".weight"):
            assert torch.allclose(value, scenes[1][name], atol=1e-5), name


@EITHER
@pytest.mark.parametrize("bad", [(0,), (1, 6)])
def test_a_few_may_be_passed_over(run, tmp_path, way, bad):
    assert run(way, *bad, train__skip_nonfinite=2) == [0], (tmp_path / "out").read_text()
    folder = RunFolder(tmp_path / "run")
    assert folder.result()["skipped_steps"] == len(bad)
    assert sum(record.get("skipped", 0) for record in folder.log()) == len(bad)
    assert all(record["loss"] > 0 for record in folder.log() if "loss" in record)
    for which in ("last", "average"):
        assert finite(safetensors.torch.load_file(folder.weights(which)))
    assert "skipped, as the loss is not finite: step" in (tmp_path / "out").read_text()


@EITHER
def test_more_than_a_few_stop_the_run_also_when_it_goes_on(run, tmp_path, way):
    for _ in range(2):  # the second time from step 4: what was passed over before it is not forgotten
        assert run(way, 1, 6, train__skip_nonfinite=1) == [2]
        assert "loss is nan at step 6" in (tmp_path / "out").read_text()
    assert load_checkpoint(tmp_path / "run/checkpoint.pt")["tally"]["skipped"] == 1
    assert run(way, 1, 6, train__skip_nonfinite=2) == [0]  # which may be raised to resume
    assert RunFolder(tmp_path / "run").result()["skipped_steps"] == 2


@pytest.mark.slow
@EITHER
def test_processes_agree(run, tmp_path, way):
    """The loss is bad in one of two."""
    two = {"train__processes": 2}
    assert run(way, 5, **two) == [2, 2]
    assert (tmp_path / "out").read_text().count("error: loss is nan at step 5") == 2
    scene = torch.load(tmp_path / "run/nonfinite.pt", weights_only=True)
    assert len(scene["batches"]) == 2
    assert run(way, 5, **two, train__skip_nonfinite=1) == [0, 0], (tmp_path / "out").read_text()
    assert RunFolder(tmp_path / "run").result()["skipped_steps"] == 1
    assert finite(safetensors.torch.load_file(RunFolder(tmp_path / "run").weights()))


def test_a_fused_optimiser_skips_a_step_that_is_not_finite(tiny):
    """What the decision on the device rests on, for both optimisers, from the very first step on."""
    assert "cuda" not in WATCHED
    for name in ("sgd", "adamw"):
        net = torch.nn.Sequential(torch.nn.Linear(3, 3))
        optimizer = make_optimizer(tiny(overrides={"optim.name": name}).optim, net, fused=True)
        before = [p.clone() for p in net.parameters()]
        for found, moves in ((1.0, False), (0.0, True), (1.0, False)):
            for p in net.parameters():
                p.grad = torch.full_like(p, float("nan") if found else 1.0)
            optimizer.found_inf = torch.tensor(found)
            optimizer.step()
            assert all(torch.equal(p, b) != moves for p, b in zip(net.parameters(), before, strict=True))
            before = [p.clone() for p in net.parameters()]
        assert all(b.isfinite().all() for b in before)
