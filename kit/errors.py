"""The one exception for mistakes that users can fix."""


class KitError(ValueError):
    """One line that names the wrong file or value and how to fix it. The command line and notebooks show it without a
    traceback."""

    def _render_traceback_(self) -> list[str]:
        """The lines that IPython shows instead of a traceback."""
        return [f"{type(self).__name__}: {self}"]


def one_line(error: Exception) -> str:
    """The message of an error on one line: each run of white space becomes one space."""
    return " ".join(str(error).split())


def unknown(kind: str, name: object, choices) -> KitError:
    """A `KitError` for an unknown name, which lists all known names."""
    return KitError(f"unknown {kind} {name!r}; choose one of: {', '.join(sorted(map(str, choices)))}")
