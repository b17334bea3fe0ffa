import numpy as np
import pytest
import torch

from kit.__main__ import main
from kit.bench.data import Crops
from kit.bench.frames import make_frames
from kit.data.catalog import DATASETS
from kit.data.reading.files import SegFiles
from kit.types import IGNORE


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    root = make_frames(tmp_path_factory.mktemp("bench"), 3, (96, 192))
    return SegFiles(DATASETS["cityscapes"], root, "train")


def test_frames_are_noisy_and_the_same_every_time(files, tmp_path):
    again = SegFiles(DATASETS["cityscapes"], make_frames(tmp_path, 4, (96, 192)), "train")
    assert len(again.ids) == 4 and again.size(again.ids[0]) == (96, 192)
    assert all(torch.equal(files.image(name), again.image(name)) for name in files.ids)
    same_scene = [again.paths[name] for name in again.ids]
    assert len({path.read_bytes() for path in same_scene}) == 4


@pytest.mark.parametrize("table", [False, True])
def test_the_reference_makes_the_same_crops(files, table):
    """Up to what resizing before or after cutting does to pixels on edges."""
    crops = Crops(files, 64, 9, table)
    reference, ours = crops.reference(), crops.ours(files)
    for k in range(crops.count):
        (a, mask_a), (b, mask_b) = reference.sample(k), ours.sample(k)
        assert a.shape == b.shape == (3, 64, 64) and a.dtype == b.dtype == torch.float32
        assert mask_a.dtype == mask_b.dtype == torch.int64
        inside = (mask_a != IGNORE) & (mask_b != IGNORE)
        assert (mask_a == mask_b)[inside].float().mean() > 0.9
        assert (a - b).abs().mean(0)[inside].mean() < 0.25


def test_every_stage_of_a_run_is_timed(files):
    pipeline = Crops(files, 64, 2).ours(files)
    pipeline.run(2)
    pipeline.run(2)
    assert {stage: len(seconds) for stage, seconds in pipeline.seconds.items()} == {
        "decode": 2, "geometry": 2, "to tensor": 2
    }  # fmt: skip
    assert np.min(list(pipeline.seconds.values())) > 0


def test_the_command_ends_with_the_ratio(capsys):
    threads = torch.get_num_threads()
    small = "--frames 2 --size 64 128 --crop 48 --samples 2 --repeats 1"
    assert main(["bench", "data", *small.split()]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert float(lines[-1].removeprefix("ratio=")) > 0 and torch.get_num_threads() == threads
    assert any(line.startswith("labelled crop") for line in lines) and any("2 workers" in line for line in lines)


def test_mistakes_are_one_line(capsys):
    assert main(["bench", "dta"]) == 2 and "choose one of: data" in capsys.readouterr().err
    assert main(["bench", "data", "--frames", "0"]) == 2 and "--frames must be above 0" in capsys.readouterr().err
