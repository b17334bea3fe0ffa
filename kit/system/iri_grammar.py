"""Keeps a grammar that nothing here uses out of the import of nbformat.

nbformat imports jsonschema, and jsonschema, to check texts that must be IRIs, imports rfc3987_syntax if it is
installed (jupyter_events requires it). That package compiles a grammar on import, which takes two seconds, in every
process that reads or runs a notebook. No schema of a notebook has IRIs. Without the package, jsonschema skips it.
"""

import importlib.abc
import sys

GRAMMAR, USER = "rfc3987_syntax", "jsonschema._format"
"""Names of the package and of the module that does without it."""


class _NotForJsonschema(importlib.abc.MetaPathFinder):
    """Reports the grammar as missing while jsonschema is being imported; finds no module itself."""

    def find_spec(self, name: str, path=None, target=None) -> None:
        user = sys.modules.get(USER)
        if name == GRAMMAR and user is not None and getattr(user.__spec__, "_initializing", False):
            raise ModuleNotFoundError(f"{GRAMMAR} is not needed by {USER}", name=name)


def skip_grammar() -> None:
    """Let jsonschema, if it is imported later, do without the grammar; other modules can import it as usual."""
    sys.meta_path.insert(0, _NotForJsonschema())
