"""What only a GPU can show of training: nothing waits for it, runs change to it and back, and bits are the same."""

import os

import forked
import pytest
import safetensors.torch
import torch

import kit
from kit.methods.build import METHODS
from kit.runs.folder import RunFolder
from kit.train import loop
from kit.train.teachers import with_teachers

pytestmark = pytest.mark.gpu

CASES = [(name, "bf16") for name in METHODS] + [
    (name, other) for name in ("trikd", "mgd") for other in ("fp32", "fp16")
]
"""Method and precision."""


@pytest.mark.parametrize(("method", "precision"), CASES)
def test_no_step_waits_for_the_device(tiny, monkeypatch, method, precision):
    """From the second on: the first one sets things up. Lines of the log, checkpoints and evaluations may wait."""
    one_step, steps = loop.Run.one_step, []

    def watched(self, step, batches):
        torch.cuda.set_sync_debug_mode("error" if step else "default")
        try:
            one_step(self, step, batches)
        finally:
            torch.cuda.set_sync_debug_mode("default")
        steps.append(step)

    monkeypatch.setattr(loop.Run, "one_step", watched)
    overrides = {"train.precision": precision, "train.skip_nonfinite": 1, "optim.clip": 1.0, "data.observe": True}
    kit.fit(with_teachers(tiny(method, overrides=overrides)))
    assert steps[-4:] == [0, 1, 2, 3]


def without_gpu():
    """For a process that is to know of no GPU."""
    os.environ["CUDA_VISIBLE_DEVICES"] = ""


def stopped_at(step):
    """For a process that ends, as if killed, before a step."""
    one_step = loop.Run.one_step

    def stops(self, at, batches):
        if at == step:
            os._exit(9)
        one_step(self, at, batches)

    loop.Run.one_step = stops


def stopped_without_gpu():
    without_gpu()
    stopped_at(3)


def stopped_with_gpu():
    stopped_at(3)


@pytest.mark.parametrize("name", ["sgd", "adamw"])
@pytest.mark.parametrize(("first", "second"), [(stopped_without_gpu, None), (stopped_with_gpu, without_gpu)])
def test_a_run_changes_from_cpu_to_gpu_or_back(tiny, tmp_path, name, first, second):
    cfg = tiny("cps", overrides={"optim.name": name})
    assert forked.run(cfg, tmp_path / "out", first) == [9], (tmp_path / "out").read_text()
    assert (tmp_path / "run/checkpoint.pt").is_file()
    assert forked.run(cfg, tmp_path / "out", second) == [0], (tmp_path / "out").read_text()
    folder = RunFolder(tmp_path / "run")
    assert folder.result()["device"].startswith("cpu" if second else "cuda")
    assert all(value.isfinite().all() for value in safetensors.torch.load_file(folder.weights()).values())


def test_a_deterministic_run_that_breaks_off_ends_with_the_same_bits(tiny, tmp_path):
    whole, broken = (tiny("cps", run_dir=str(tmp_path / n), overrides={"train.deterministic": True}) for n in "ab")
    assert forked.run(whole, tmp_path / "out") == [0], (tmp_path / "out").read_text()
    assert forked.run(broken, tmp_path / "out", stopped_with_gpu) == [9]
    assert forked.run(broken, tmp_path / "out") == [0]
    a, b = (safetensors.torch.load_file(RunFolder(tmp_path / n).weights()) for n in "ab")
    assert all(torch.equal(a[name], b[name]) for name in a)
