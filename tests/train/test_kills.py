"""SIGKILL at random moments: whatever a run was doing, the same command ends with the same bits.

KIT_KILLS=50 kills that many runs, the cases taking turns; by default a few.
"""

import os
import random
import shutil
import sys
import time
from pathlib import Path

import forked
import pytest
import safetensors.torch
import torch

from kit.runs.folder import RunFolder

KILLS = int(os.environ.get("KIT_KILLS", 2))
CASES = [(0, 1), (2, 2), (2, 1), (0, 2)]
"""(loader workers, processes)."""


@pytest.fixture(scope="module")
def exact(tmp_path_factory):
    """Function (key, cfg) -> folder of an uninterrupted run, made once, and the seconds it took."""
    made = {}

    def run(key, make):
        for name in ("whole", "again") if key not in made else ():  # the second time the cache is filled
            folder = tmp_path_factory.mktemp(name)
            cfg, started = make(folder / "run"), time.monotonic()
            assert set(forked.run(cfg, folder / "out")) == {0}, (folder / "out").read_text()
            if name == "again":
                assert_same(made[key][0], folder / "run")
            made[key] = folder / "run", time.monotonic() - started
        return made[key]

    return run


def config(tiny, cache, workers, processes, method="mean_teacher"):
    """Evaluations and checkpoints all the time, and dropout."""
    overrides = {"train.eval_every": 3, "train.checkpoint_every": 2, "train.log_every": 4, "student.dropout": 0.2,
                 "train.processes": processes, "data.workers": workers, "data.cache_dir": str(cache)}  # fmt: skip
    return lambda folder: tiny(method, steps=11, run_dir=str(folder), overrides=overrides)


def assert_same(a: Path, b: Path) -> None:
    """Weights, scores and the lines of the log, but for the clock."""
    one, other = RunFolder(a), RunFolder(b)
    for which in ("last", "average", "best"):
        mine, theirs = (safetensors.torch.load_file(folder.weights(which)) for folder in (one, other))
        assert mine.keys() == theirs.keys() and all(torch.equal(mine[k], theirs[k]) for k in mine), which
    results = [folder.result() for folder in (one, other)]
    for field in ("last", "average", "best"):
        assert results[0][field] == results[1][field]
    logs = [[{k: v for k, v in r.items() if k != "seconds"} for r in folder.log()] for folder in (one, other)]
    assert logs[0] == logs[1]


@pytest.mark.slow
@pytest.mark.parametrize("number", range(KILLS))
def test_a_run_killed_at_any_moment_ends_with_the_same_bits(tiny, exact, tmp_path, tmp_path_factory, capsys, number):
    workers, processes = CASES[number % len(CASES)]
    cache = tmp_path_factory.getbasetemp() / "cache"
    make = config(tiny, cache, workers, processes)
    whole, seconds = exact((workers, processes), make)
    rng = random.Random(number)
    cfg, patch = make(tmp_path / "run"), forked.slow_disk if rng.random() < 0.5 else None
    kills, moments = rng.randint(1, 2), []
    while len(moments) < kills:
        started = forked.start(cfg, tmp_path / "out", patch)
        while not (tmp_path / "run/.lock").exists() and started[0].is_alive():
            time.sleep(0.002)
        time.sleep(rng.uniform(0.0, seconds))
        if all(process.is_alive() for process in started) and not (tmp_path / "run/result.json").exists():
            log = RunFolder(tmp_path / "run").log()
            moments.append(log[-1]["step"] if log else 0)
        forked.kill(started)
        if (tmp_path / "run/result.json").exists():
            shutil.rmtree(tmp_path / "run")  # it was too late: once more, from the beginning
            moments.clear()
            seconds *= 0.8
    assert set(forked.run(cfg, tmp_path / "out")) == {0}, (tmp_path / "out").read_text()
    with capsys.disabled():
        sys.stdout.write(f" [{workers} workers, {processes} processes, killed after steps {moments}]")
    assert_same(whole, tmp_path / "run")
    assert not list((tmp_path / "run").glob("*checkpoint*")) and not list((tmp_path / "run").glob(".*.tmp"))
