"""Checks used by configuration objects and losses: each raises one `KitError` that names the value."""

import math

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
