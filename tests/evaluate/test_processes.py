"""Several processes share the images, and each is counted once."""

import socket

import numpy as np
import torch
import torch.distributed as dist

from kit.data.catalog import DATASETS
from kit.evaluate.run import count
from kit.settings.run import EvalConfig

SPEC = DATASETS["camvid"]


class Channels(torch.nn.Module):
    """Logits are the images' channels."""

    multiple = 1

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, images):
        from kit.types import SegOutput

        return SegOutput(images, [], None, images)


def items(number=5):
    random = torch.Generator().manual_seed(0)
    return [(f"image {i}", torch.randn(11, 8, 8, generator=random),
             torch.randint(0, 11, (8, 8), generator=random).to(torch.uint8)) for i in range(number)]  # fmt: skip


def one_of_two(rank, port, out):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    counts = count(Channels(), items()[rank::2], SPEC, EvalConfig(batch=2), rank, 2, full=True)
    counts.save(f"{out}/{rank}.npz")
    dist.destroy_process_group()


def test_two_processes_count_what_one_does(tmp_path):
    from kit.evaluate.scores.counts import load_counts

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.start_processes(one_of_two, (port, str(tmp_path)), nprocs=2, start_method="fork")
    alone = count(Channels(), items(), SPEC, full=True)
    for rank in (0, 1):
        shared = load_counts(tmp_path / f"{rank}.npz")
        assert shared.names == alone.names and np.array_equal(shared.matrices, alone.matrices)
        assert np.array_equal(shared.boundary, alone.boundary)
        assert np.allclose(shared.calibration, alone.calibration, rtol=1e-12)
    assert alone.scores(SPEC.classes).miou == count(Channels(), items(), SPEC).scores(SPEC.classes).miou
