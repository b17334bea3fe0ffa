"""One run in `train.processes` processes on this machine.

Several processes are started with torchrun. A notebook's kernel is not forked. The output of the processes is passed on
line by line, and they always end with the process that started them.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from kit.errors import KitError
from kit.runs.folder import RunFolder
from kit.settings.fields import to_dict
from kit.settings.run import RunConfig
from kit.system.parent import end_with
from kit.system.paths import python_path
from kit.train.loop import fit
from kit.train.resume.signals import Stop, leave

LAUNCHED = "KIT_LAUNCHED"
"""Environment variable of the started processes: their standard input closes when this process ends."""

PATIENCE = 60.0
"""Seconds that processes have to save and exit after a signal."""


def launch(cfg: RunConfig) -> dict:
    """Run `fit(cfg)` in `train.processes` processes and return the content of its result.json.

    With one process, under torchrun, or for a finished run, `fit` is called in this process.

    Raises: KitError as `fit` does, with the line of the process that failed.
    """
    if cfg.train.processes == 1 or "WORLD_SIZE" in os.environ or RunFolder(cfg.run_dir).result() is not None:
        return fit(cfg)
    with tempfile.TemporaryDirectory(prefix="kit-") as scratch, Stop() as stop:
        config = Path(scratch) / "config.json"
        config.write_text(json.dumps(to_dict(cfg)))
        problems = _run(_command(cfg, config), stop)
    if stop.signal:
        raise leave(stop.signal)
    result = RunFolder(cfg.run_dir).result()
    if result is None:
        raise KitError("; ".join(dict.fromkeys(problems)) or "a process of the run died; its output is above")
    return result


def _command(cfg: RunConfig, config: Path) -> list[str]:
    torchrun = ["torch.distributed.run", "--standalone", "--nproc_per_node", str(cfg.train.processes)]
    return [sys.executable, "-m", *torchrun, "-m", "kit", "train", str(config)]


def _run(command: list[str], stop: Stop) -> list[str]:
    """Run a command, print its output, pass signals on; return the text of its "error: " lines."""
    threads = max(1, (os.cpu_count() or 1) // int(command[command.index("--nproc_per_node") + 1]))
    environment = {"OMP_NUM_THREADS": str(threads), **os.environ, LAUNCHED: "1", "PYTHONPATH": python_path()}
    problems: list[str] = []
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace", start_new_session=True,
    )  # fmt: skip
    reader = threading.Thread(target=_pass_on, args=(process.stdout, problems), daemon=True)
    reader.start()
    signalled = 0.0
    try:
        while process.poll() is None:
            if stop.signal and not signalled:
                process.send_signal(signal.SIGTERM)
                signalled = time.monotonic()
            if signalled and time.monotonic() - signalled > PATIENCE:
                break
            time.sleep(0.05)
    finally:
        process.stdin.close()
        with contextlib.suppress(ProcessLookupError, PermissionError):  # with all processes that it started
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        reader.join(timeout=5)
    return problems


def _pass_on(lines, problems: list[str]) -> None:
    for line in lines:
        sys.stdout.write(line)
        sys.stdout.flush()
        if line.startswith("error: "):
            problems.append(line.removeprefix("error: ").strip())


def end_with_parent() -> None:
    """End this process when the one that started it has ended; the run can resume from its checkpoint.

    Called under torchrun, which passes SIGTERM on, but leaves its processes running when it is killed itself.
    """

    def wait() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 4096):
                pass
        os._exit(1)

    end_with(os.getppid())
    if LAUNCHED in os.environ:
        threading.Thread(target=wait, daemon=True).start()
