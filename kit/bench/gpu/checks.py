"""Checks on a device: the tests marked `gpu`, and whether a run killed and resumed ends with the same weights."""

import contextlib
import json
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import safetensors.torch
import torch

from kit.data.scenes.dataset import draw_dataset
from kit.errors import KitError
from kit.runs.folder import RunFolder
from kit.settings.fields import to_dict
from kit.settings.recipes import configure
from kit.settings.run import RunConfig
from kit.system.paths import PROJECT

MARK = "mark.gpu"
"""Only test files with this text are collected: others may import packages that a machine with a GPU lacks."""

PRELOAD = ["kit.train.launch", "torch.utils.tensorboard", "timm"]
"""Imported once for all processes of `kill_and_resume`."""


def device_tests(timeout: float, folder: Path = PROJECT / "tests") -> dict:
    """Run the tests marked `gpu` in a process of their own.

    Args:
        timeout: seconds that the tests may take.
        folder: of the tests.
    Returns: {"tests", "passed", "failed" (names)}; "tests" is 0 without a GPU.
    Raises: KitError if pytest is not installed, or does not end in time.
    """
    files = [str(path) for path in sorted(folder.rglob("test_*.py")) if MARK in path.read_text()]
    with tempfile.TemporaryDirectory(prefix="bench-gpu-") as scratch:
        report = Path(scratch) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider", f"--junitxml={report}"]
        process = subprocess.Popen([*command, *files], cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True, start_new_session=True)  # fmt: skip
        try:
            output, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            raise KitError(f"the device tests did not finish within {timeout:.0f} s") from None
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        if not report.is_file():
            raise KitError(f"the device tests did not start: {_last_line(output)}")
        cases = list(ET.parse(report).getroot().iter("testcase"))
    failed = [case.get("name") for case in cases if case.find("failure") is not None or case.find("error") is not None]
    return {"tests": len(cases), "passed": len(cases) - len(failed), "failed": failed}


def kill_and_resume(device: torch.device, method: str = "trikd", steps: int = 24, patience: float = 120.0) -> dict:
    """Compare a small deterministic run with the same run, killed by SIGKILL after a checkpoint and resumed.

    Returns: {"killed_after" (last logged step, at least the checkpoint's), "same_bits", "largest_difference" of any
        weight}.
    Raises: KitError if a run ends otherwise than expected.
    """
    with tempfile.TemporaryDirectory(prefix="bench-gpu-") as scratch:
        scratch = Path(scratch)
        root = draw_dataset(scratch / "scenes", train=8, val=2, size=(64, 128))
        whole, killed = (_config(method, root, scratch / name, steps) for name in ("whole", "killed"))
        _finish(_started(whole, device), whole, patience)
        process = _started(killed, device)
        checkpoint, until = RunFolder(killed.run_dir).checkpoint_file, time.monotonic() + patience
        while process.is_alive() and not checkpoint.exists() and time.monotonic() < until:
            time.sleep(0.005)
        if not process.is_alive() or not checkpoint.exists():
            process.kill()
            raise KitError(f"a run ended, or took {patience:.0f} s, before it could be killed: {_last(killed)}")
        process.kill()
        process.join()
        log = RunFolder(killed.run_dir).log()
        _finish(_started(killed, device), killed, patience)
        a, b = (safetensors.torch.load_file(RunFolder(cfg.run_dir).weights()) for cfg in (whole, killed))
    return {
        "killed_after": log[-1]["step"] if log else 0,
        "same_bits": all(torch.equal(a[name], b[name]) for name in a),
        "largest_difference": max((a[name].double() - b[name].double()).abs().max().item() for name in a),
    }


def _config(method: str, root: Path, run_dir: Path, steps: int) -> RunConfig:
    overrides = {"data.base_size": None, "data.crop": (64, 64), "data.labelled": 2, "data.unlabelled": 2,
                 "data.cache": False, "train.log_every": 1, "train.checkpoint_every": max(1, steps // 6),
                 "train.eval_every": 0, "train.keep_views": False, "train.deterministic": True}  # fmt: skip
    cfg = configure(method, "tiny", overrides, data_root=str(root), split="1_2", steps=steps, pretrained=False,
                    run_dir=str(run_dir))  # fmt: skip
    run_dir.with_suffix(".json").write_text(json.dumps(to_dict(cfg)))
    return cfg


def _started(cfg: RunConfig, device: torch.device) -> multiprocessing.Process:
    there = "forkserver" in multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if there else "spawn")
    context.set_forkserver_preload(PRELOAD)  # no effect on spawn
    file = str(Path(cfg.run_dir).with_suffix(".json"))
    process = context.Process(target=_train, args=(file, str(_output(cfg)), device.type))
    process.start()
    return process


def _train(file: str, output: str, kind: str) -> None:
    """Run `python -m kit train FILE` in this process, which is a child, and append its output to a file."""
    stream = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(stream, 1)
    os.dup2(stream, 2)
    if kind == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    sys.argv = ["kit", "train", file]
    runpy.run_module("kit", run_name="__main__", alter_sys=True)


def _finish(process: multiprocessing.Process, cfg: RunConfig, patience: float) -> None:
    process.join(patience)
    if process.is_alive():
        process.kill()
        raise KitError(f"a run did not finish within {patience:.0f} s: {_last(cfg)}")
    if process.exitcode or RunFolder(cfg.run_dir).result() is None:
        raise KitError(f"a run ended with exit code {process.exitcode}: {_last(cfg)}")


def _output(cfg: RunConfig) -> Path:
    """The file that collects the output of all runs."""
    return Path(cfg.run_dir).with_name("output")


def _last(cfg: RunConfig) -> str:
    return _last_line(_output(cfg).read_text(errors="replace") if _output(cfg).is_file() else "")


def _last_line(output: str) -> str:
    return (output.strip().splitlines() or ["no output"])[-1]
