"""`train.deterministic`: torch's settings under which a GPU computes the same bits every time.

On CPUs runs are always bit-identical with the same torch, kind of machine and number of threads. On GPUs the order of
sums varies, and cuDNN may choose its algorithms by timing, so that two runs differ in the last bits, and more after
many steps. With `train.deterministic`, runs on the same model of GPU with the same versions are bit-identical,
interrupted or not, except for operations without a deterministic form in torch, each of which torch names in one
warning.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"
"""Environment variable that makes cuBLAS use the same buffers for every product."""

FIXED = (":4096:8", ":16:8")
"""Its two values that NVIDIA documents as deterministic."""


@contextmanager
def deterministic(on: bool) -> Iterator[None]:
    """A context in which torch is deterministic where possible (slower on GPUs); False changes nothing."""
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
