"""Checks of configuration objects and losses: each raises one `KitError` that names the value.

The types of a configuration object's fields state their allowed values, and `Checked` enforces them.
"""

import dataclasses
import functools
import math
import types
import typing
from typing import Annotated, ClassVar, Literal

from kit.errors import KitError


def require_positive(**values: float) -> None:
    """Refuse values that are not finite and above zero."""
    for name, value in values.items():
        if not (math.isfinite(value) and value > 0):
            raise KitError(f"{name} must be above 0, got {value}")


def require_non_negative(**values: float) -> None:
    """Refuse values that are not finite or below zero."""
    for name, value in values.items():
        if not (math.isfinite(value) and value >= 0):
            raise KitError(f"{name} must be 0 or more, got {value}")


def require_share(**values: float) -> None:
    """Refuse values outside 0..1."""
    for name, value in values.items():
        if not 0 <= value <= 1:
            raise KitError(f"{name} must lie between 0 and 1, got {value}")


def require_choice(choices, **values: object) -> None:
    """Refuse values that are not among `choices`."""
    for name, value in values.items():
        if value not in choices:
            raise KitError(f"{name} must be one of {', '.join(map(str, choices))}, got {value!r}")


Share = Annotated[float, require_share]
"""0..1."""
Positive = Annotated[float, require_positive]
NonNegative = Annotated[float, require_non_negative]
AtLeastOne = Annotated[int, require_positive]
Whole = Annotated[int, require_non_negative]
"""0, 1, 2 ..."""


class Checked:
    """Base of frozen dataclasses that checks fields against their types: the limits above, the choices of a `Literal`,
    and both inside tuples and unions with None. Subclasses add checks in their own `__post_init__`."""

    __slots__ = ()
    WHERE: ClassVar[str] = ""
    """Prefix of field names in messages."""

    def __post_init__(self):
        """Raise KitError naming the first field whose value does not fit."""
        for name, hint in _hints(type(self)):
            _check(f"{self.WHERE}{name}", hint, getattr(self, name))


@functools.cache
def _hints(cls: type) -> list[tuple[str, object]]:
    hints = typing.get_type_hints(cls, include_extras=True)
    return [(field.name, hints[field.name]) for field in dataclasses.fields(cls)]


def _check(name: str, hint: object, value: object) -> None:
    kind, inside = typing.get_origin(hint), typing.get_args(hint)
    if kind is Annotated:
        inside[1](**{name: value})
    elif kind is Literal:
        require_choice(inside, **{name: value})
    elif kind is tuple:
        for each, item in zip(inside if inside[-1] is not Ellipsis else inside[:1] * len(value), value, strict=False):
            _check(name, each, item)
    elif kind in (types.UnionType, typing.Union) and value is not None:  # `Annotated | None` is typing's own union
        _check(name, inside[0], value)
