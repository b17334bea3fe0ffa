"""Runs that change their device, communication of processes, and steps without waiting: on a CPU, which
stands in for an accelerator where its rules can be had without one (`test_on_gpu.py` has the real thing)."""

import contextlib
import copy
import os

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils._python_dispatch import TorchDispatchMode

import kit
from kit.methods.build import METHODS, build_method
from kit.models.build import build_model
from kit.runs.folder import RunFolder
from kit.settings.recipes import configure
from kit.settings.run import OptimConfig
from kit.train import loop
from kit.train.monitor import nonfinite
from kit.train.optim import make_optimizer
from kit.train.resume.checkpoint import load_checkpoint, save_checkpoint
from kit.train.resume.deterministic import WORKSPACE, deterministic
from kit.train.resume.state import broadcast_statistics_alone, load_optimizer, statistics
from kit.types import Batch, Progress, StepOutput


@contextlib.contextmanager
def accelerator(monkeypatch):
    """Steps are decided as on a GPU: on the device, by the optimiser."""
    with monkeypatch.context() as patch:
        patch.setattr(nonfinite, "WATCHED", ())
        yield


def break_off(cfg, monkeypatch, at):
    """Train until step `at`, as a killed process would."""
    one_step = loop.Run.one_step

    def breaks(self, step, batches):
        if step == at:
            raise RuntimeError("pulled the plug")
        one_step(self, step, batches)

    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="plug"):
        patch.setattr(loop.Run, "one_step", breaks)
        kit.fit(cfg)


@pytest.mark.parametrize(("name", "begun_on"), [("sgd", "cpu"), ("adamw", "accelerator")])
def test_a_run_goes_on_on_another_kind_of_device(tiny, tmp_path, monkeypatch, name, begun_on):
    cfg = tiny(overrides={"optim.name": name})
    here, there = contextlib.nullcontext(), accelerator(monkeypatch)
    first, second = (here, there) if begun_on == "cpu" else (there, here)
    with first:
        break_off(cfg, monkeypatch, 3)
    saved = load_checkpoint(tmp_path / "run/checkpoint.pt")
    assert all(group["fused"] for group in saved["optimizer"]["param_groups"])
    with second:
        assert kit.fit(cfg)["steps"] == 4
    assert [r["step"] for r in RunFolder(tmp_path / "run").log() if "loss" in r] == [2, 4]


@pytest.mark.parametrize("name", ["sgd", "adamw"])
@pytest.mark.parametrize("fused", [False, True])
def test_an_optimiser_goes_on_by_the_rules_of_this_device(name, fused):
    """With the numbers of the other one; a parameter that has had no gradient yet is no obstacle."""
    cfg, nets = OptimConfig(name=name, lr=0.1), [nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3)) for _ in range(2)]
    there, here = (make_optimizer(cfg, net, fused=f) for net, f in zip(nets, (not fused, fused), strict=True))
    nets[1].load_state_dict(nets[0].state_dict())
    for parameter in nets[0][0].parameters():
        parameter.grad = torch.ones_like(parameter)
    there.step()
    nets[1].load_state_dict(nets[0].state_dict())
    load_optimizer(here, copy.deepcopy(there.state_dict()))
    assert [g["fused"] for g in here.param_groups] == [fused] * len(here.param_groups)
    assert [g["lr"] for g in here.param_groups] == [g["lr"] for g in there.param_groups]
    for parameter in (*nets[0].parameters(), *nets[1].parameters()):
        parameter.grad = torch.ones_like(parameter)
    (here if fused else there).found_inf = torch.tensor(0.0)  # the one that understands it
    there.step(), here.step()
    for a, b in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_a_checkpoint_holds_running_statistics_and_no_tables(tiny, tmp_path, monkeypatch):
    """And one from when every buffer was kept is read as well."""
    cfg, path = tiny(), tmp_path / "run/checkpoint.pt"
    break_off(cfg, monkeypatch, 3)
    saved = load_checkpoint(path)
    (own,) = saved["processes"]
    assert {name.rsplit(".", 1)[1] for name in own["buffers"]} == {"running_mean", "running_var"}
    assert {name.split(".")[0] for name in own["buffers"]} == {"method", "average"}

    method = build_method(cfg, 19)
    every = [*method.named_buffers(), *((f"net.{name}", value) for name, value in method.student.named_buffers())]
    assert any(name.endswith("attention_bias_idxs") for name, _ in every)
    values = {**saved["method"], **saved["average"]}
    own["buffers"] = [values.get(name, constant) for name, constant in every]
    save_checkpoint(path, saved)
    whole = tiny(run_dir=str(tmp_path / "whole"))
    kit.fit(whole), kit.fit(cfg)
    a, b = (RunFolder(tmp_path / name).weights().read_bytes() for name in ("run", "whole"))
    assert a == b


def test_processes_receive_running_statistics_and_nothing_else():
    method = build_method(configure("mean_teacher", "tiny"), 3)
    broadcast_statistics_alone(method)
    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    try:
        sent = DistributedDataParallel(method).modules_buffers
    finally:
        torch.distributed.destroy_process_group()
    expected = statistics(method)
    assert {id(value) for value in sent} == {id(buffer) for name, buffer in method.named_buffers() if name in expected}
    assert all(value.is_floating_point() for value in sent)
    tables = [buffer for name, buffer in method.named_buffers() if name.endswith("attention_bias_idxs")]
    assert sent and tables and all(value.shape != table.shape for value in sent for table in tables)


class Transfers(TorchDispatchMode):
    """Within, notes copies from one device to another for which the host would wait."""

    def __init__(self):
        super().__init__()
        self.waiting = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out, kwargs = func(*args, **(kwargs or {})), kwargs or {}
        if func is torch.ops.aten._to_copy.default and args[0].device != out.device and not kwargs.get("non_blocking"):
            self.waiting.append(tuple(args[0].shape))
        if func is torch.ops.aten.copy_.default and args[0].device != args[1].device:
            self.waiting.append(tuple(args[1].shape))
        return out


@pytest.mark.parametrize("name", ["mean_teacher", "unimatch", "trikd", "mgd"])  # every loss and both ways of mixing
def test_no_step_looks_at_a_value_or_waits_for_a_copy(name, monkeypatch):
    """On a device without values, where reading one raises."""
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: contextlib.nullcontext())  # which knows no such device
    cfg = configure(name, "tiny")
    teachers = {which: build_model(getattr(cfg.method, f"{which}_net"), 3, False) for which in METHODS[name].teachers}
    method = build_method(cfg, 3, teachers).train().to("meta")
    unlabelled = 2 if method.views.unlabelled else 0
    side = (32, 32)
    images, weak = (torch.zeros(n, 3, *side, device="meta") for n in (2, unlabelled))
    masks, hidden = (torch.zeros(n, *side, device="meta", dtype=torch.long) for n in (2, unlabelled))
    strong = torch.zeros(unlabelled, method.views.strong, 3, *side, device="meta")
    batch = Batch(images, masks, weak, strong, hidden > 0, hidden)
    progress = Progress(3, 10, np.random.default_rng(0))
    method(batch, progress)  # fills what is kept for each size of image
    with Transfers() as transfers:
        method(batch, progress).loss.backward()
        method.after_step(progress)
    assert not transfers.waiting
    assert all(p.grad is not None for p in method.parameters() if p.requires_grad)


def test_a_deterministic_run_leaves_torch_as_it_was(tiny, monkeypatch):
    seen = []

    def forward(self, batch, progress):
        cudnn, warns = torch.backends.cudnn, torch.is_deterministic_algorithms_warn_only_enabled()
        on = torch.are_deterministic_algorithms_enabled()
        seen.append((on, warns, cudnn.deterministic, cudnn.benchmark, os.environ[WORKSPACE]))
        loss = self.student(batch.images).logits.mean()
        return StepOutput(loss, {"sup": loss.detach()})

    monkeypatch.delenv(WORKSPACE, raising=False)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    monkeypatch.setattr("kit.methods.supervised.Supervised.forward", forward)
    kit.fit(tiny(steps=2, overrides={"train.deterministic": True}))
    assert seen == [(True, True, True, False, ":4096:8")] * 2
    assert WORKSPACE not in os.environ and not torch.are_deterministic_algorithms_enabled()
    assert torch.backends.cudnn.benchmark and not torch.backends.cudnn.deterministic
    monkeypatch.setenv(WORKSPACE, ":16:8")
    with pytest.raises(ZeroDivisionError), deterministic(True):
        assert os.environ[WORKSPACE] == ":16:8"
        raise ZeroDivisionError
    with deterministic(False):
        assert not torch.are_deterministic_algorithms_enabled()
