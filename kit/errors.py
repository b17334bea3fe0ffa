"""The one exception for mistakes that users can fix."""


class KitError(ValueError):
    """One clear line: which file or value is wrong, and the way out. The command line and notebooks show it without a
    traceback."""

    def _render_traceback_(self) -> list[str]:
        """What IPython shows instead of a traceback."""
        return [f"{type(self).__name__}: {self}"]


def one_line(error: Exception) -> str:
    """The message of an error with every run of white space, line ends included, as one space."""
    return " ".join(str(error).split())


def unknown(kind: str, name: object, choices) -> KitError:
    """A `KitError` for a name that is not in a table, with every name that is."""
    return KitError(f"unknown {kind} {name!r}; choose one of: {', '.join(sorted(map(str, choices)))}")
