"""Near-duplicates: the same picture a little changed, and another one."""

import numpy as np

from kit.label.duplicates import fingerprint, without_duplicates


def picture(seed):
    return np.kron(np.random.default_rng(seed).integers(0, 255, (6, 8, 3)), np.ones((10, 10, 1))).astype(np.uint8)


def test_a_brighter_picture_is_alike_and_another_is_not():
    first, brighter, other = picture(0), (picture(0) // 2 + 100).astype(np.uint8), picture(1)
    assert fingerprint(first) @ fingerprint(brighter) > 0.99
    assert abs(fingerprint(first) @ fingerprint(other)) < 0.6
    assert not fingerprint(np.full((20, 20, 3), 7, np.uint8)).any()  # one grey value is alike to nothing


def test_the_next_in_the_ranking_take_the_places_of_duplicates():
    prints = np.stack([fingerprint(picture(seed)) for seed in (0, 0, 1, 2, 1)])
    assert without_duplicates([0, 1, 2, 3, 4], prints, prints[:0], 3) == [0, 2, 3]
    assert without_duplicates([0, 1, 2, 3, 4], prints, prints[[2]], 3) == [0, 3]  # what is labelled counts too
    assert without_duplicates([1, 0, 4], prints, prints[:0], 3, alike=1.1) == [1, 0, 4]
