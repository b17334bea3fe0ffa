"""The hash draw: it needs no list, is independent of file order, and smaller draws are subsets of larger ones."""

from collections.abc import Iterable

from kit.system.storage import text_sha256


def draw(ids: Iterable[str], count: int, seed: int) -> tuple[str, ...]:
    """The `count` ids with the smallest sha256 of "{seed}:{id}", in ascending order of it."""
    return tuple(sorted(ids, key=lambda name: text_sha256(f"{seed}:{name}"))[:count])


def digest(ids: Iterable[str]) -> str:
    """sha256 over the sorted unique ids, each followed by a newline; hex. Equal for equal lists in any order."""
    return text_sha256("".join(f"{name}\n" for name in sorted(set(ids))))
