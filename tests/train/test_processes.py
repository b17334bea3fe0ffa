"""Two processes are one with the whole batch, and micro-steps nearly so; signals, locks and full disks."""

import os
import signal
import time
from functools import partial

import forked
import pytest
import safetensors.torch
import torch

import kit
from kit.data.loaders import TrainBatches
from kit.errors import KitError
from kit.methods.build import METHODS
from kit.runs.folder import RunFolder
from kit.train.optim import share_of_a_step
from kit.train.resume.checkpoint import load_checkpoint
from kit.train.teachers import with_teachers

RECOMPUTED = {f"{network}.recompute": True for network in ("student", "method.cnn", "method.vit")}
FOUR = {"data.labelled": 4, "data.unlabelled": 4, "train.log_every": 1}


def losses(run_dir):
    return [record["loss"] for record in RunFolder(run_dir).log() if "loss" in record]


def wait_for(condition, patience=60.0):
    until = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "passes"),
    [("supervised", {}), ("cps", {}), ("trikd", {}), ("trikd", {"method.passes": "separate"}), ("distill", {})],
)
def test_two_processes_have_the_losses_of_one(tiny, tmp_path, method, passes):
    """With OHEM, pixels without a label and padding in unequal parts; batch norm still. In separate passes the two
    recompute their blocks as well."""
    taught = with_teachers(tiny(method, run_dir=str(tmp_path / "taught"))).method
    teachers = {f"method.{name}": getattr(taught, name) for name in METHODS[method].teachers}
    runs = {}
    for processes in (1, 2):
        cfg = tiny(method, run_dir=str(tmp_path / f"{processes}"),
                   overrides={**FOUR, **teachers, **passes, "train.processes": processes, "method.ohem_min_kept": 3000,
                              "data.scale": (0.3, 0.9), "optim.lr": 1e-3,
                              **(RECOMPUTED if passes and processes == 2 else {})})  # fmt: skip
        assert set(forked.run(cfg, tmp_path / "out", forked.still_norms)) == {0}, (tmp_path / "out").read_text()
        runs[processes] = cfg.run_dir
    one, two = (RunFolder(tmp_path / f"{n}") for n in (1, 2))
    assert losses(one.path) == pytest.approx(losses(two.path), rel=2e-5)
    mine, theirs = (safetensors.torch.load_file(folder.weights()) for folder in (one, two))
    assert all(torch.allclose(mine[name].float(), theirs[name].float(), atol=2e-3) for name in mine)
    assert one.log()[0]["parts"] == pytest.approx(two.log()[0]["parts"], rel=1e-6)
    assert two.result()["processes"] == 2 and two.result()["last"]["images"] == 3
    if method != "supervised":  # counts of both processes
        assert one.log()[0]["pseudo"] == two.log()[0]["pseudo"]


@pytest.mark.slow
def test_a_signal_to_one_process_ends_both_after_the_same_step(tiny, tmp_path):
    make = partial(tiny, "mean_teacher", steps=12)
    overrides = {"train.processes": 2, "train.checkpoint_every": 100, "train.log_every": 5, "student.dropout": 0.2}
    whole, stopped = (make(run_dir=str(tmp_path / n), overrides=overrides) for n in "ab")
    assert forked.run(whole, tmp_path / "out") == [0, 0], (tmp_path / "out").read_text()
    processes = forked.start(stopped, tmp_path / "out", forked.slow_steps)
    wait_for((tmp_path / "b/log.jsonl").exists)
    wait_for(lambda: RunFolder(tmp_path / "b").log())
    os.kill(processes[1].pid, signal.SIGTERM)
    assert forked.codes(processes) == [143, 143], (tmp_path / "out").read_text()
    saved = load_checkpoint(tmp_path / "b/checkpoint.pt")
    assert 5 <= saved["step"] < 12 and len(saved["processes"]) == 2
    assert f"stopped by signal 15 after step {saved['step']}" in (tmp_path / "out").read_text()
    assert forked.run(stopped, tmp_path / "out") == [0, 0]
    assert losses(tmp_path / "a") == losses(tmp_path / "b")
    a, b = (safetensors.torch.load_file(RunFolder(tmp_path / n).weights()) for n in "ab")
    assert all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code", "patch"),
    [("SIGINT", 130, "slow_steps"), ("SIGUSR1", 138, "slow_val"), ("SIGTERM", 143, "slow_val")],
)
def test_a_signal_between_steps_or_in_an_evaluation_saves(tiny, tmp_path, number, code, patch):
    overrides = {"train.eval_every": 3, "train.checkpoint_every": 50, "train.log_every": 3, "data.workers": 1}
    whole, stopped = (tiny(steps=7, run_dir=str(tmp_path / n), overrides=overrides) for n in "ab")
    assert forked.run(whole, tmp_path / "out") == [0]
    processes = forked.start(stopped, tmp_path / "out", getattr(forked, patch))
    wait_for(lambda: RunFolder(tmp_path / "b").log())
    time.sleep(0.2)
    os.kill(processes[0].pid, getattr(signal, number))
    assert forked.codes(processes) == [code], (tmp_path / "out").read_text()
    saved = load_checkpoint(tmp_path / "b/checkpoint.pt")
    if patch == "slow_val":
        assert saved["step"] == 3 and not saved["evaluated"]
    assert forked.run(stopped, tmp_path / "out") == [0]
    logs = [[{**r, "seconds": 0} for r in RunFolder(tmp_path / n).log()] for n in "ab"]
    assert logs[0] == logs[1]
    a, b = (safetensors.torch.load_file(RunFolder(tmp_path / n).weights("best")) for n in "ab")
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_a_full_disk_ends_a_run_that_goes_on_when_there_is_room(tiny, tmp_path):
    cfg = tiny(steps=8, run_dir=str(tmp_path / "b"), overrides={"train.log_every": 1})
    processes = forked.start(cfg, tmp_path / "out", forked.slow_steps)
    wait_for((tmp_path / "b/checkpoint.pt").exists)
    forked.kill(processes)
    before = load_checkpoint(tmp_path / "b/checkpoint.pt")["step"]
    assert forked.run(cfg, tmp_path / "out", forked.small_files) == [2]
    assert "checkpoint.pt cannot be written: File too large" in (tmp_path / "out").read_text()
    assert load_checkpoint(tmp_path / "b/checkpoint.pt")["step"] == before
    assert not list((tmp_path / "b").glob(".*.tmp"))
    assert forked.run(cfg, tmp_path / "out") == [0]
    kit.fit(tiny(steps=8, run_dir=str(tmp_path / "a"), overrides={"train.log_every": 1}))
    assert losses(tmp_path / "a") == losses(tmp_path / "b")


def test_a_folder_in_use_is_not_touched(tiny, tmp_path, monkeypatch):
    cfg = tiny(steps=200)
    processes = forked.start(cfg, tmp_path / "out", forked.slow_steps)
    wait_for((tmp_path / "run/config.json").exists)
    with pytest.raises(KitError, match=rf"run folder .*run is in use by process {processes[0].pid}; wait for it"):
        kit.fit(cfg)
    assert processes[0].is_alive()
    forked.kill(processes)


def test_the_number_of_processes_must_be_the_one_asked_for(tiny, tmp_path):
    line = "has 2 processes .* but 1 was started; start it with `torchrun --standalone --nproc_per_node 2 -m kit train"
    with pytest.raises(KitError, match=line):
        kit.fit(tiny(overrides={"train.processes": 2}))
    with pytest.raises(KitError, match=r"must be multiples of train.processes \(1\) times train.accumulate \(3\)"):
        kit.fit(tiny(overrides={"train.accumulate": 3}))
    pairs = {"method.cutmix": True, "method.partner": "halves"}
    with pytest.raises(KitError, match=r"data.unlabelled \(3\) must be a multiple of twice train.processes"):
        kit.fit(tiny("cps", overrides={**pairs, "data.unlabelled": 3}))
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_launch_starts_torchrun_streams_what_it_says_and_names_what_goes_wrong(tiny, tmp_path, capfd):
    cfg = tiny("cps", overrides={"train.processes": 2})
    result = kit.launch(cfg)
    assert result["processes"] == 2 and result["last"]["images"] == 3
    assert "step 4/4" in capfd.readouterr().out
    assert kit.launch(cfg) == result  # finished: nothing is started
    with pytest.raises(KitError, match="no folder /absent"):
        kit.launch(tiny(data_root="/absent", run_dir=str(tmp_path / "x"), overrides={"train.processes": 2}))


def test_micro_steps_add_up_to_the_step(tiny, tmp_path, monkeypatch):
    """Where every pixel has a label, and without OHEM, the mean of means is the mean of the whole; batch norm still."""
    real_part = TrainBatches.part

    def labelled_everywhere(self, *at):
        batch = real_part(self, *at)
        return batch._replace(masks=batch.masks % 19)

    monkeypatch.setattr("torch.nn.modules.batchnorm._BatchNorm.train", lambda self, mode=True: still(self))
    monkeypatch.setattr(TrainBatches, "part", labelled_everywhere)
    logs = []
    for accumulate in (1, 2, 4):
        overrides = {**FOUR, "train.accumulate": accumulate, "method.ohem_min_kept": 0, "optim.lr": 1e-3}
        cfg = tiny(run_dir=str(tmp_path / f"{accumulate}"), overrides=overrides)
        kit.fit(cfg)
        logs.append(losses(tmp_path / f"{accumulate}"))
    assert logs[0] == pytest.approx(logs[1], rel=1e-5) and logs[0] == pytest.approx(logs[2], rel=1e-5)


def still(norm):
    """A batch norm in eval mode."""
    norm.training = False
    return norm


def test_a_rate_that_is_not_scaled_is_said(tiny):
    line, alone = (share_of_a_step(tiny(m, {**FOUR, "train.accumulate": 2})) for m in ("cps", "supervised"))
    assert "4 labelled and 0 unlabelled images = 1 processes x 2 micro-steps x (2 + 0)" in alone
    assert "4 labelled and 4 unlabelled images = 1 processes x 2 micro-steps x (2 + 2)" in line
    assert "belongs to the whole step" in line and share_of_a_step(tiny()) is None
