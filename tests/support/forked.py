"""Runs in processes of their own that can be killed, forked from one that has imported everything already."""

import multiprocessing
import os
import socket
import sys
import time
from contextlib import closing
from pathlib import Path

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["kit", "kit.train.launch", "torch.utils.tensorboard", "timm"])


def start(cfg, output: Path, patch=None) -> list:
    """`fit(cfg)` in `train.processes` processes, which print into the file `output`.

    Args:
        patch: function, importable by name, that is called first.
    """
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    world = cfg.train.processes
    processes = [CONTEXT.Process(target=_fit, args=(cfg, rank, world, port, output, patch)) for rank in range(world)]
    for process in processes:
        process.start()
    return processes


def run(cfg, output: Path, patch=None) -> list[int]:
    """`start`, and wait for the end: exit codes."""
    return codes(start(cfg, output, patch))


def command(arguments: list[str], output: Path, without: tuple[str, ...] = ()) -> int:
    """Exit code of `python -m kit ARGUMENTS`, which prints into the file `output`.

    Args:
        without: packages that are not there.
    """
    process = CONTEXT.Process(target=_command, args=(arguments, output, without))
    process.start()
    return codes([process])[0]


def _command(arguments: list[str], output: Path, without: tuple[str, ...]) -> None:
    _print_into(output)
    from kit.__main__ import main

    assert not any(name in sys.modules for name in without), "imported before it could be taken away"
    sys.modules.update(dict.fromkeys(without))
    code = main(arguments)
    sys.stdout.flush()
    sys.exit(code)


def _print_into(output: Path) -> None:
    stream = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(stream, 1)
    os.dup2(stream, 2)


def codes(processes: list, patience: float = 120.0) -> list[int]:
    """Exit codes, once all are gone; those that take longer are killed."""
    until = time.monotonic() + patience
    for process in processes:
        process.join(max(0.0, until - time.monotonic()))
    kill(processes)
    return [process.exitcode for process in processes]


def kill(processes: list) -> None:
    """SIGKILL for all of them."""
    for process in processes:
        if process.is_alive():
            process.kill()
    for process in processes:
        process.join()


def _fit(cfg, rank: int, world: int, port: int, output: Path, patch) -> None:
    """In the new process: torchrun's environment, then the run; 2 for a KitError, whose line is printed."""
    if world > 1:
        os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(world), LOCAL_WORLD_SIZE=str(world),
                          MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))  # fmt: skip
    multiprocessing.set_start_method("fork", force=True)  # of loader processes, as in a run of one's own
    _print_into(output)
    import torch

    import kit

    torch.set_num_threads(1)
    code = 0
    try:
        if patch is not None:
            patch()
        kit.fit(cfg)
    except kit.KitError as error:
        sys.stdout.write(f"error: {error}\n")
        code = 2
    except KeyboardInterrupt:
        code = 130
    except SystemExit as error:
        code = error.code
    sys.stdout.flush()
    sys.stderr.flush()
    if code == 0 and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
    sys.exit(code)


def slow_disk() -> None:
    """Flushing takes so long that a kill at a random moment often falls into the writing of a checkpoint."""
    flush = os.fsync

    def slowly(handle: int) -> None:
        time.sleep(0.03)
        flush(handle)

    os.fsync = slowly


def still_norms() -> None:
    """Batch norm in eval mode throughout: with its statistics, the halves of a batch would not be the whole."""
    from torch.nn.modules.batchnorm import _BatchNorm

    _BatchNorm.train = lambda self, mode=True: super(_BatchNorm, self).train(False)


def slow_steps() -> None:
    """Steps that last long enough for a signal to come between two of them."""
    from kit.train import loop

    one_step = loop.Run.one_step

    def slowly(self, *arguments):
        time.sleep(0.05)
        one_step(self, *arguments)

    loop.Run.one_step = slowly


def slow_val() -> None:
    """Val images that take long enough for a signal to come between two of them."""
    from kit.data.loaders import ValImages

    item = ValImages.__getitem__

    def slowly(self, index):
        time.sleep(0.4)
        return item(self, index)

    ValImages.__getitem__ = slowly


def small_files() -> None:
    """A disk that is full for files of more than a megabyte."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))


def bad_loss(*steps: int) -> None:
    """A loss of nan at some steps, in the last process alone, whose batch norm statistics are spoilt as well."""
    import torch

    from kit.methods.supervised import Supervised

    forward = Supervised.forward

    def spoilt(self, batch, progress):
        last = not torch.distributed.is_initialized() or torch.distributed.get_rank() == 1
        if progress.step in steps and last:
            batch = batch._replace(images=batch.images * float("nan"))
        return forward(self, batch, progress)

    Supervised.forward = spoilt


def on_device(*steps: int) -> None:
    """`bad_loss`, decided as on an accelerator: nothing is looked at before the next line of the log."""
    from kit.train.monitor import nonfinite

    nonfinite.WATCHED = ()
    bad_loss(*steps)
