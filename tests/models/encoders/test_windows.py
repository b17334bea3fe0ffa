import pytest
import torch

from kit.models.encoders.windows import cut, joined

MAPS = {
    (6, 8): [(8, 3, 4)],
    (8, 10): [(8, 3, 4), (4, 3, 2), (4, 2, 4), (2, 2, 2)],
    (2, 10): [(4, 2, 4), (2, 2, 2)],
    (6, 3): [(4, 3, 3)],
    (3, 4): [(2, 3, 4)],
    (2, 3): [(2, 2, 3)],
}
"""Sides of maps -> what two of them are cut into by windows of 3 x 4: how many, and their sides."""


@pytest.mark.parametrize(("size", "sizes"), MAPS.items())
def test_windows_of_a_size_come_together_and_go_back_where_they_were(size, sizes):
    x = torch.arange(2 * size[0] * size[1] * 5).view(2, *size, 5)
    windows = cut(x, (3, 4))
    assert [part.shape[:3] for part in windows] == sizes
    assert joined(windows, size, (3, 4)).equal(x)


def test_a_window_is_a_piece_of_the_map():
    x = torch.arange(2 * 8 * 10).view(2, 8, 10, 1)
    whole, right, below, corner = cut(x, (3, 4))
    assert whole[3].equal(x[0, 3:6, 4:8])  # images, rows of windows, columns
    assert right[3].equal(x[1, 3:6, 8:]) and below[1].equal(x[0, 6:, 4:8]) and corner[1].equal(x[1, 6:, 8:])


def test_channels_may_have_changed_in_between():
    x = torch.randn(2, 8, 10, 5)
    assert joined([part[..., :2] for part in cut(x, (3, 4))], (8, 10), (3, 4)).equal(x[..., :2])
