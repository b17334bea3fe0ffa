import pytest
import torch
import torch.distributed as dist

from kit.losses.confidence import Belief
from kit.methods.unlabelled.thresholds import ClassThresholds


def belief():
    """Class 0 is sure everywhere (1, .99, .98, .97), class 1 nowhere (.6, .5, .4, .3)."""
    labels = torch.tensor([[[0, 0, 0, 0], [1, 1, 1, 1]]])
    return Belief(labels, torch.tensor([[[1.0, 0.99, 0.98, 0.97], [0.6, 0.5, 0.4, 0.3]]]))


def test_without_a_share_the_ceiling_alone_decides():
    thresholds, seen = ClassThresholds(3, 0.0, 0.95), belief()
    thresholds.update(seen, torch.ones_like(seen.labels, dtype=torch.bool))
    assert thresholds.sure(seen).tolist() == [[[True] * 4, [False] * 4]]


def test_the_surest_share_of_every_class_is_let_through():
    thresholds, seen = ClassThresholds(3, 0.5, 0.95, momentum=0.0), belief()
    valid = torch.ones_like(seen.labels, dtype=torch.bool)
    thresholds.update(seen, valid)
    assert thresholds.sure(seen).tolist() == [[[True] * 4, [True, True, False, False]]]
    assert thresholds.level[1].item() == pytest.approx(0.5, abs=0.006) and thresholds.level[2].item() == pytest.approx(
        0.95
    )
    valid[0, 1, :2] = False  # the surest two are padding
    thresholds.update(seen, valid)
    assert thresholds.sure(seen)[0, 1].tolist() == [True, True, True, False]


def test_levels_move_slowly_and_are_part_of_the_state():
    thresholds, seen = ClassThresholds(2, 0.5, 0.9, momentum=0.75), belief()
    thresholds.update(seen, torch.ones_like(seen.labels, dtype=torch.bool))
    assert thresholds.level[1].item() == pytest.approx(0.75 * 0.9 + 0.25 * 0.5, abs=0.003)
    assert list(thresholds.state_dict()) == ["level"]


def one_of_two(rank, folder):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    thresholds, seen = ClassThresholds(3, 0.5, 0.95), belief()
    mine = Belief(*(part[:, rank : rank + 1] for part in seen))  # pixels of one class
    thresholds.update(mine, torch.ones_like(mine.labels, dtype=torch.bool))
    torch.save(thresholds.level, f"{folder}/{rank}.pt")
    dist.destroy_process_group()


def test_levels_come_from_the_pixels_of_all_processes(tmp_path):
    torch.multiprocessing.start_processes(one_of_two, (str(tmp_path),), nprocs=2, start_method="fork")
    alone, seen = ClassThresholds(3, 0.5, 0.95), belief()
    alone.update(seen, torch.ones_like(seen.labels, dtype=torch.bool))
    assert all(torch.equal(torch.load(tmp_path / f"{rank}.pt"), alone.level) for rank in (0, 1))


def test_a_confidence_of_nan_is_not_learnt_and_stops_nothing():
    thresholds, seen = ClassThresholds(2, 0.5, 0.9), belief()
    seen.confidence[0, 0, 0] = torch.nan
    thresholds.update(seen, torch.ones_like(seen.labels, dtype=torch.bool))
    assert thresholds.level.isfinite().all() and not thresholds.sure(seen)[0, 0, 0]
