"""SIGKILL at random moments: whatever a run was doing, the same command ends with the same bits.

KIT_KILLS=50 kills that many runs, the cases taking turns; by default a few.
"""

import os
import random
import time
from pathlib import Path

import forked
import pytest
import safetensors.torch
import torch

from kit.results import RunFolder

KILLS = int(os.environ.get("KIT_KILLS", 4))
CASES = [(0, 1), (2, 1), (0, 2), (2, 2)]
"""(loader workers, processes)."""


@pytest.fixture(scope="module")
def exact(tmp_path_factory):
    """Function (key, cfg) -> folder of an uninterrupted run, made once, and the seconds it took."""
    made = {}

    def run(key, make):
        if key not in made:
            folder = tmp_path_factory.mktemp("whole")
            cfg, started = make(folder / "run"), time.monotonic()
            assert set(forked.run(cfg, folder / "out")) == {0}, (folder / "out").read_text()
            made[key] = folder / "run", time.monotonic() - started
        return made[key]

    return run


def config(tiny, cache, workers, processes, method="mean_teacher"):
    """Evaluations and checkpoints all the time, and dropout."""
    overrides = {"train.eval_every": 3, "train.checkpoint_every": 2, "train.log_every": 4, "student.dropout": 0.2,
                 "train.processes": processes, "data.workers": workers, "data.cache_dir": str(cache)}  # fmt: skip
    return lambda folder: tiny(method, steps=11, run_dir=str(folder), overrides=overrides)


def assert_same(a: Path, b: Path, workers=False) -> None:
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
def test_a_run_killed_at_any_moment_ends_with_the_same_bits(tiny, exact, tmp_path, tmp_path_factory, number):
    workers, processes = CASES[number % len(CASES)]
    cache = tmp_path_factory.getbasetemp() / "cache"
    make = config(tiny, cache, workers, processes)
    whole, seconds = exact((workers, processes), make)
    if number < len(CASES):  # now that the cache is filled, how long a run takes
        started = time.monotonic()
        forked.run(make(tmp_path / "again"), tmp_path / "out")
        assert_same(whole, tmp_path / "again")
        seconds = time.monotonic() - started
    rng = random.Random(number)
    cfg, hits = make(tmp_path / "run"), 0
    patch = forked.slow_disk if rng.random() < 0.5 else None
    for _ in range(rng.randint(1, 3)):
        processes = forked.start(cfg, tmp_path / "out", patch)
        time.sleep(rng.uniform(0.05, seconds))
        hits += any(process.is_alive() for process in processes)
        forked.kill(processes)
    assert set(forked.run(cfg, tmp_path / "out")) == {0}, (tmp_path / "out").read_text()
    print(f"case {number}: {hits} kills, {(tmp_path / 'out').read_text().count('goes on')} continued")
    assert_same(whole, tmp_path / "run")
    assert not list((tmp_path / "run").glob("*checkpoint*")) and not list((tmp_path / "run").glob(".*.tmp"))
