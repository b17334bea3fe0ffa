"""Modules that are imported when they are first used: those of the kit, and packages that may be missing."""

import importlib
from collections.abc import Callable, Mapping
from types import ModuleType

from kit.errors import KitError


def on_first_use(package: str, namespace: dict, home: Mapping[str, str]) -> Callable[[str], object]:
    """The `__getattr__` of a package: a name's module is imported on first use, and the name is kept in `namespace`.

    Args:
        package: its `__name__`.
        namespace: its `globals()`.
        home: name -> module of the kit, without "kit.".
    """

    def found(name: str) -> object:
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        namespace[name] = getattr(importlib.import_module(f"kit.{home[name]}"), name)
        return namespace[name]

    return found


def optional(module: str, problem: str) -> ModuleType:
    """A module of a package that not every installation has. Raises KitError saying `problem` where it is missing."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise KitError(problem) from error
