import pytest

from kit.data.reading.sizes import size_when_read


@pytest.mark.parametrize(
    ("size", "keeps"),
    [((480, 640), (120, 160)), ((640, 480), (160, 120)), ((100, 100), (120, 120)), ((1000, 3000), (120, 360)),
     ((30, 41), (120, 164)), ((1, 40), (120, 4800))],
)  # fmt: skip
def test_the_shorter_side_is_that_of_the_base_size(size, keeps):
    assert size_when_read(size, (120, 160), True) == size_when_read(size, (160, 120), True) == keeps
    assert size_when_read(size, (120, 160), False) == (120, 160)
    assert size_when_read(size, None, True) == size_when_read(size, None, False) == size
