"""`train.deterministic`: torch's settings under which a GPU computes the same bits every time.

On CPUs a run has the same bits every time in any case, as long as torch, the kind of machine and the number of threads
stay the same. On GPUs sums are taken in whatever order threads finish, and cuDNN may choose its algorithms by timing
them, so that two runs differ in the last bits, and after many steps in more. With `train.deterministic`, runs on the
same model of GPU with the same versions have the same bits, interrupted or not, except for operations of which torch
has no deterministic form. For each of these torch warns once with its name, and goes on.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"
"""Environment variable by which cuBLAS is told to use the same buffers for every product."""

FIXED = (":4096:8", ":16:8")
"""The two values of it that NVIDIA documents as deterministic."""


@contextmanager
def deterministic(on: bool) -> Iterator[None]:
    """Within, torch computes deterministically wherever it can (slower, on GPUs); afterwards as it did before.

    Args:
        on: False changes nothing.
    """
    if not on:
        yield
        return
    cudnn, workspace = torch.backends.cudnn, os.environ.get(WORKSPACE)
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    cudnn_before = cudnn.deterministic, cudnn.benchmark
    try:
        torch.use_deterministic_algorithms(True, warn_only=True)
        cudnn.deterministic, cudnn.benchmark = True, False
        if workspace not in FIXED:
            os.environ[WORKSPACE] = FIXED[0]
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        cudnn.deterministic, cudnn.benchmark = cudnn_before
        if workspace is None:
            os.environ.pop(WORKSPACE, None)
        else:
            os.environ[WORKSPACE] = workspace
