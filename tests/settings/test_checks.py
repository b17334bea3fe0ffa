import math
from dataclasses import dataclass
from typing import Literal

import pytest

from kit.errors import KitError
from kit.settings.checks import AtLeastOne, Checked, NonNegative, Positive, Share, Whole


@dataclass(frozen=True, kw_only=True, slots=True)
class Kettle(Checked):
    """Fields of every kind."""

    WHERE = "kettle."
    litres: Positive = 1.5
    tilt: NonNegative = 0.0
    fill: Share = 0.5
    cups: AtLeastOne = 1
    spare: Whole = 0
    lid: Literal["open", "shut"] = "shut"
    foot: tuple[Positive, Positive] | None = None
    height: Positive | None = None
    handles: Literal[1, 2] | None = None
    marks: tuple[Share, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Teapot(Kettle):
    """One field more."""

    leaves: Whole = 3


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"litres": 0}, "kettle.litres must be above 0, got 0"),
        ({"litres": math.nan}, "kettle.litres must be above 0, got nan"),
        ({"tilt": -1.0}, "kettle.tilt must be 0 or more"),
        ({"fill": 1.1}, "kettle.fill must lie between 0 and 1"),
        ({"cups": 0}, "kettle.cups must be above 0"),
        ({"spare": -1}, "kettle.spare must be 0 or more"),
        ({"lid": "ajar"}, "kettle.lid must be one of open, shut, got 'ajar'"),
        ({"foot": (1.0, 0.0)}, "kettle.foot must be above 0, got 0.0"),
        ({"height": -1.0}, "kettle.height must be above 0, got -1.0"),
        ({"handles": 3}, "kettle.handles must be one of 1, 2, got 3"),
        ({"marks": (0.2, 0.4, 2.0)}, "kettle.marks must lie between 0 and 1, got 2.0"),
    ],
)
@pytest.mark.parametrize("cls", [Kettle, Teapot])
def test_a_field_has_to_fit_its_type(cls, values, message):
    with pytest.raises(KitError, match=message):
        cls(**values)


def test_what_fits_is_taken_and_limits_are_inherited():
    assert Teapot(lid="open", foot=(1.0, 2.0), marks=(0.0, 1.0), cups=4).foot == (1.0, 2.0)
    with pytest.raises(KitError, match="kettle.leaves must be 0 or more"):
        Teapot(leaves=-1)
