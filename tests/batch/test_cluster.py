"""The same grid on a real Slurm, where one is installed."""

import subprocess
import tempfile
import threading
from pathlib import Path

import psutil
import pytest
import slurm

import kit
from kit.batch import run_grid
from kit.batch.grid import read_grid
from kit.errors import KitError
from kit.settings.recipes import configure
from kit.system.paths import PROJECT

SMALL = {"data.crop": [64, 64], "data.base_size": None, "data.labelled": 2, "data.unlabelled": 2,
         "train.log_every": 1, "train.checkpoint_every": 1}  # fmt: skip
LIMITS = {"cpus_per_task": 1, "time": 30, "signal_delay_s": 20}


@pytest.fixture(scope="module")
def queue():
    pytest.importorskip("submitit", reason="runs on a cluster need submitit: pip install submitit")
    if why := slurm.missing():
        pytest.skip(why)
    with tempfile.TemporaryDirectory(prefix="kit-slurm-") as folder, slurm.cluster(Path(folder) / "s"):
        yield


def _processes(task: int) -> list[psutil.Process]:
    """Those in which the job of that place in its array runs its cell; jobs that requeue say the same of themselves."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if "submitit.core._submit" in (process.info["cmdline"] or ()):
            found += [process] if process.environ().get("SLURM_ARRAY_TASK_ID") == str(task) else []
    return found


@pytest.mark.slow
def test_jobs_that_are_killed_or_preempted_end_like_one_that_was_not(queue, scenes, tmp_path):
    parameters = {"method": "supervised", "recipe": "tiny", "data_root": str(scenes), "split": "1_2", "steps": 80}
    rows = {"killed": parameters | {"overrides": SMALL},
            "preempted": parameters | {"overrides": SMALL | {"train.checkpoint_every": 2}},  # the same weights
            "mistaken": parameters | {"split": "1_x"}}  # fmt: skip
    grid = read_grid({"out": str(tmp_path / "grid"), "retries": 1, "cluster": LIMITS, "rows": rows})
    killed, preempted, _ = (run.cell.run_dir for run in grid.runs())
    done, over = {}, threading.Event()

    def disturb():
        while not over.wait(0.02):
            if (killed / "checkpoint.pt").is_file() and not done.get("killed"):
                done["killed"] = _processes(0)
                for process in done["killed"]:
                    process.kill()
            if (preempted / "checkpoint.pt").is_file() and not done.get("preempted"):
                done["preempted"] = [process.environ() for process in _processes(1)]
                for job in {f"{e['SLURM_ARRAY_JOB_ID']}_1" for e in done["preempted"]}:
                    subprocess.run(["scancel", "--signal=USR2", job], check=True)

    # Beside the driver, which polls the queue every two seconds: a run of this size ends sooner.
    disturber = threading.Thread(target=disturb)
    disturber.start()
    try:
        table = run_grid(grid, cluster=True)
    finally:
        over.set()
        disturber.join()
    found = {entry.row: entry for entry in table.entries}
    status = {row: entry.status for row, entry in found.items()}
    assert status == {"killed": "finished", "preempted": "finished", "mistaken": "failed"}
    # How often the preempted one is counted depends on whether the driver has looked while Slurm put it back.
    assert found["killed"].attempts == 2 and found["mistaken"].attempts == 0
    assert done["killed"] and done["preempted"]
    whole = configure(run_dir=str(tmp_path / "whole"), overrides=SMALL, **parameters)
    kit.fit(whole)
    expected = (tmp_path / "whole/student.safetensors").read_bytes()
    assert (killed / "student.safetensors").read_bytes() == expected
    assert (preempted / "student.safetensors").read_bytes() == expected


def test_parameters_that_submitit_does_not_take_are_named(queue, idle):
    with pytest.raises(KitError, match="cluster: submitit rejects these parameters: .*gpu_count"):
        run_grid(idle(cluster={"gpu_count": 1}), cluster=True)


def test_without_slurm_the_way_out_is_named(idle, monkeypatch):
    pytest.importorskip("submitit")
    monkeypatch.setenv("PATH", str(PROJECT))
    with pytest.raises(KitError, match="no Slurm here"):
        run_grid(idle(), cluster=True)
