"""Real kernels: what fails is named, what is finished stays, what is left is done by a second call."""

import os
import re
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import psutil
import pytest
import yaml

from kit.batch import load_rows, read_grid, run_cells, run_grid
from kit.batch.marked_processes import MARK
from kit.errors import KitError
from kit.system.paths import PROJECT
from kit.system.storage import read_json, write_json

FAULTS = {
    "exception": ({"fault": "raise"}, "RuntimeError: out of luck"),
    "killed": ({"fault": "kill"}, "its kernel died"),
    "limit": ({"fault": "slow", "child": True}, "the time limit of .* s was exceeded"),
    "name": ({"stpes": 3}, "unknown parameter of idle.ipynb 'stpes'"),
    "value": ({"method": "foo"}, "unknown method 'foo'"),
    "setting": ({"overrides": {"optim.rl": 1.0}}, "unknown setting 'optim.rl'"),
}
STARTED = {"exception", "killed", "limit"}
"""The others are refused before a kernel is started."""

FULL = bool(os.environ.get("KIT_FULL"))
"""All of what is promised: 24 runs, six of which fail."""


@pytest.mark.slow
def test_failures_are_named_and_a_second_call_repeats_only_them(idle, tmp_path):
    faults = FAULTS if FULL else {name: FAULTS[name] for name in ("killed", "setting")}
    sound = {f"{m} {s}": {"method": m, "split": s} for m in ("supervised", "cps", "trikd") for s in ("1_2", "1_4")}
    sound = {f"{name} {n}": {**p, "overrides": {"optim.warmup": n}} for name, p in sound.items() for n in range(3)}
    sound = sound if FULL else {"supervised": {}}
    rows = sound | {name: parameters for name, (parameters, _) in faults.items()}
    grid = idle(rows=rows, time_limit=60)
    table = run_grid(grid, workers=2)
    assert (len(table.finished()), len(table.failed())) == (len(sound), len(faults)) in ((18, 6), (1, 2))
    assert {entry.row for entry in table.failed()} == faults.keys()
    for entry in table.failed():
        assert re.search(faults[entry.row][1], entry.error) and "\n" not in entry.error
    assert table.out == tmp_path / "grid"
    assert read_json(table.out / "grid.json") == [asdict(entry) for entry in table.entries]

    again = run_grid(grid, workers=2)
    assert {entry.row for entry in again.entries if entry.attempts} == STARTED & faults.keys()
    assert [(e.row, e.status) for e in again.entries] == [(e.row, e.status) for e in table.entries]


@pytest.mark.slow
def test_a_run_over_its_time_limit_is_ended_with_all_its_processes(idle, own_processes):
    (entry,) = run_grid(idle(rows={"limit": FAULTS["limit"][0]}, time_limit=4)).failed()
    assert re.search(FAULTS["limit"][1], entry.error) and entry.attempts == 1
    assert not own_processes()


@pytest.mark.slow
def test_what_was_lost_by_chance_is_tried_again_and_mistakes_are_not(idle):
    rows = {"once": {"fault": "once"}, "mistake": {"fault": "mistake"}, "silent": {"fault": "silent"}}
    lines = []
    table = run_grid(idle(rows=rows, retries=1), workers=2, say=lines.append)
    found = {entry.row: (entry.status, entry.attempts) for entry in table.entries}
    assert found == {"once": ("finished", 2), "mistake": ("failed", 1), "silent": ("failed", 1)}
    errors = {entry.row: entry.error for entry in table.entries}
    assert "unknown method 'foo'" in errors["mistake"] and "left no result.json" in errors["silent"]
    assert len(lines) == 3 and lines[-1].startswith("[3/3")
    page = next(entry.executed for entry in table.entries if entry.row == "mistake").replace(".ipynb", ".html")
    assert "unknown method" in Path(page).read_text()  # a failed notebook can be read as well


@pytest.mark.slow
def test_nothing_is_left_five_seconds_after_the_parent_was_killed(idle, tmp_path, own_processes):
    rows = {name: {"fault": "slow", "child": True, "overrides": {"optim.warmup": n}} for n, name in enumerate("ab")}
    (tmp_path / "grid.yaml").write_text(yaml.safe_dump(idle(rows=rows)))
    parent = subprocess.Popen([sys.executable, "-m", "kit", "batch", str(tmp_path / "grid.yaml")], cwd=PROJECT)
    end = time.monotonic() + 120
    while len(list(tmp_path.glob("grid/*/pid"))) < 2 and time.monotonic() < end:
        time.sleep(0.1)
    family = psutil.Process(parent.pid).children(recursive=True)
    family += own_processes()
    assert len(set(family)) >= 6  # two workers, two kernels, two children in sessions of their own
    parent.kill()
    parent.wait()
    _, alive = psutil.wait_procs(set(family), timeout=5)
    assert not alive


def test_results_of_other_runs_and_other_data_are_refused(idle, tmp_path, scenes):
    grid = idle()
    (run,) = run_grid(grid | {"rows": {"a": {"stpes": 1}}}).entries
    assert run.status == "failed"
    (entry,) = run_grid(grid, workers=1).entries
    assert entry.status == "finished" and entry.attempts == 1
    path = tmp_path / "grid" / entry.name / "result.json"
    result = read_json(path)
    masks = result["data"]["files"]["labelled masks"] | {"sha256": "other"}
    write_json(path, result | {"data": result["data"] | {"files": {"labelled masks": masks}}})
    table = run_grid(grid)
    assert "the data have changed (labelled masks (4, with other names or sizes))" in table.entries[0].error
    with pytest.raises(KitError, match="no run of .* is finished"):
        load_rows(read_grid(grid), [run.name for run in table.failed()])  # though there is a result.json
    write_json(path, result | {"config": result["config"] | {"seed": 5}})
    assert "holds another run (it differs in seed)" in run_grid(grid).entries[0].error
    write_json(path, result)
    assert run_grid(grid).entries[0].attempts == 0


def test_a_grid_is_run_by_one_process(idle, tmp_path):
    (tmp_path / "grid").mkdir()
    code = "import fcntl, os, sys; file = open(sys.argv[1], 'w'); fcntl.lockf(file, fcntl.LOCK_EX); "
    code += "file.write(str(os.getpid())); file.flush(); print('held', flush=True); sys.stdin.read()"
    arguments = [sys.executable, "-c", code, str(tmp_path / "grid/.lock")]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=PROJECT) as other:
        other.stdout.readline()
        with pytest.raises(KitError, match=f"grid is in use by process {other.pid}"):
            run_grid(idle())
        other.stdin.close()


@pytest.mark.parametrize("workers", [0, -1])
def test_no_workers_are_refused_instead_of_waited_for(idle, workers):
    with pytest.raises(KitError, match=f"workers must be 1 or more, got {workers}"):
        run_cells([run.cell for run in read_grid(idle()).runs()], workers)


def test_a_folder_that_cannot_be_made_is_named(idle, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(KitError, match="file/grid cannot be written: Not a directory; name another folder"):
        run_grid(idle() | {"out": str(tmp_path / "file/grid")})


@pytest.fixture
def own_processes(tmp_path, monkeypatch):
    """Function () -> processes that carry a worker's mark and come from this test; others may run beside it."""
    monkeypatch.setenv("KIT_TEST", str(tmp_path))

    def found() -> list[psutil.Process]:
        return [process for process in psutil.process_iter() if _carries(process, str(tmp_path))]

    return found


def _carries(process: psutil.Process, test: str) -> bool:
    """Whether it has a mark and belongs to the test, and is no zombie."""
    try:
        carried = process.environ()
        return process.status() != psutil.STATUS_ZOMBIE and MARK in carried and carried.get("KIT_TEST") == test
    except psutil.Error:
        return False
