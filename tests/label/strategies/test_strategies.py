"""Rankings of hand-made pools."""

import numpy as np
import pytest

from kit.label.pool import Pool
from kit.label.strategies import STRATEGIES
from kit.label.strategies.balanced import covering_share, rarity

COUNT = 3


def pool(labelled_in=0, labelled=1, seed=0):
    """Three heaps of 12, 8 and 4 images, of which heap `labelled_in` has labels; later images differ more."""
    rng = np.random.default_rng(seed)
    centres = np.eye(3, 6, dtype=np.float32)
    heap = np.repeat([0, 1, 2], (12, 8, 4))
    features = (centres[heap] + 0.02 * rng.standard_normal((24, 6))).astype(np.float32)
    disagreement = np.linspace(0.1, 0.2, 24, dtype=np.float32)
    shares = np.tile(np.float32([0.9, 0.1, 0.0]), (24, 1))
    shares[5] = 0.1, 0.1, 0.8  # a rare class
    return Pool(
        names=tuple(f"i{n:02d}" for n in range(24)), features=features, disagreement=disagreement,
        margin=disagreement[::-1].copy(), shares=shares, prints=np.zeros((24, 1), np.float32),
        labelled_features=np.repeat(centres[[labelled_in]], labelled, 0),
        labelled_prints=np.zeros((labelled, 1), np.float32),
    )  # fmt: skip


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_ranks_every_image_once_and_again_alike(name):
    order = [choice.index for choice in STRATEGIES[name](pool(), COUNT, 1)]
    assert sorted(order) == list(range(24))
    assert order == [choice.index for choice in STRATEGIES[name](pool(), COUNT, 1)]
    assert all(choice.reason for choice in STRATEGIES[name](pool(), COUNT, 1))


def test_cover_takes_typical_images_of_heaps_without_labels_first():
    heap = np.repeat([0, 1, 2], (12, 8, 4))
    order = STRATEGIES["cover"](pool(labelled=1), 2, 0)  # three groups, of which the first has the label
    assert [heap[choice.index] for choice in order[:3]] == [1, 2, 0]
    middle = pool().features[12:20].mean(0)
    away = np.linalg.norm(pool().features[12:20] - middle, axis=1)
    assert order[0].index - 12 in np.argsort(away)[:3]
    assert order[0].reason == "typical of a group of 8, none of them labelled"


def test_disagree_and_margin_take_the_largest():
    assert [choice.index for choice in STRATEGIES["disagree"](pool(), COUNT, 0)][:2] == [23, 22]
    assert [choice.index for choice in STRATEGIES["margin"](pool(), COUNT, 0)][:2] == [0, 1]
    assert STRATEGIES["disagree"](pool(), COUNT, 0)[0].reason.endswith("the most of the pool")


def test_balanced_covers_at_first_and_looks_at_disagreement_later():
    """Three classes: up to 1.5 labels everything covers, from 12 on nothing does."""
    assert [covering_share(n, 3) for n in (0, 1, 12, 40)] == [1, 1, 0, 0]
    assert covering_share(3, 3) == pytest.approx(1 - np.log(2) / np.log(8))  # straight in the logarithm
    few, many = pool(labelled=1), pool(labelled=12)
    covered = [c.index for c in STRATEGIES["cover"](few, COUNT, 0)][:COUNT]
    assert [c.index for c in STRATEGIES["balanced"](few, COUNT, 0)][:COUNT] == covered
    chosen = STRATEGIES["balanced"](many, COUNT, 0)[:COUNT]
    assert all("disagree" in choice.reason for choice in chosen)


def test_rare_classes_weigh_more():
    weights = rarity(pool().shares)
    assert weights[5] == weights.max() > 1.5 and weights.min() == 1
