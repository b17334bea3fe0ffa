import torch

from kit.losses.pseudo_label_counts import pseudo_counts
from kit.types import IGNORE


def test_counts_by_hand():
    labels = torch.tensor([[[0, 1, 2, 2, IGNORE]]])
    sure = torch.tensor([[[True, False, True, False, True]]])
    second = torch.tensor([[[0, 1, 1, 0, IGNORE]]])
    hidden = torch.tensor([[[0, 1, 2, IGNORE, 2]]])
    masks = torch.tensor([[[3, 3, IGNORE]]])
    counts = pseudo_counts(labels, masks, 4, sure=sure, second=second, hidden=hidden)
    assert {name: count.tolist() for name, count in counts.items()} == {
        "predicted": [1, 1, 2, 0],
        "taught": [1, 0, 1, 0],
        "labelled": [0, 0, 0, 2],
        "coverage": [2, 4],
        "agreement": [2, 4],
        "accuracy": [3, 3],
        "sure_accuracy": [2, 2],
    }


def test_what_is_unknown_is_left_out():
    labels, masks = torch.zeros(1, 2, 2, dtype=torch.int64), torch.zeros(1, 2, 2, dtype=torch.int64)
    assert pseudo_counts(labels, masks, 2).keys() == {"predicted", "labelled"}
    unread = pseudo_counts(labels, masks, 2, hidden=torch.zeros(0, 2, 2, dtype=torch.int64))
    assert "accuracy" not in unread
