"""The hash draw: needs no list, depends on no file order, and smaller draws lie inside larger ones."""

import hashlib
from collections.abc import Iterable


def draw(ids: Iterable[str], count: int, seed: int) -> tuple[str, ...]:
    """The `count` ids whose sha256 of "{seed}:{id}" comes first, in that order."""
    return tuple(sorted(ids, key=lambda name: _sha256(f"{seed}:{name}"))[:count])


def digest(ids: Iterable[str]) -> str:
    """sha256 over the sorted unique ids, each followed by a newline; hex. Tells one list from another."""
    return _sha256("".join(f"{name}\n" for name in sorted(set(ids))))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()  # names of files need not be UTF-8
