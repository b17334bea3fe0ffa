"""FAMILIES: name -> function that converts the authors' checkpoint to `Imported`."""

from collections.abc import Callable, Mapping

from kit.errors import unknown
from kit.models.convert.imported import Imported
from kit.models.convert.mgd import mgd
from kit.models.convert.trikd import trikd

FAMILIES: dict[str, Callable[[Mapping], Imported]] = {"trikd": trikd, "mgd": mgd}


def convert(family: str, checkpoint: Mapping) -> Imported:
    """The networks in a checkpoint of the authors of `family`. Raises KitError naming the key that does not fit."""
    if family not in FAMILIES:
        raise unknown("family of weights", family, FAMILIES)
    return FAMILIES[family](checkpoint)
