"""Default colours: the same each time, and easy to tell apart."""

from itertools import combinations

import numpy as np

from kit.data.palette import _lab, default_colours


def test_values_of_cielab_by_hand():
    assert np.allclose(_lab(np.array([(255, 255, 255), (0, 0, 0)])), [(100, 0, 0), (0, 0, 0)], atol=1e-2)
    assert np.allclose(_lab(np.array([(255, 0, 0)])), [(53.24, 80.09, 67.20)], atol=0.05)


def test_colours_are_far_apart_and_a_longer_list_keeps_the_first():
    many = default_colours(254)
    assert len(set(many)) == 254 and (0, 0, 0) not in many and many[:5] == default_colours(5)
    for count, least in ((3, 100), (11, 45), (20, 35)):
        places = _lab(np.array([(0, 0, 0), *default_colours(count)]))
        assert min(np.linalg.norm(a - b) for a, b in combinations(places, 2)) > least
