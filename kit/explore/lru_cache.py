"""Results kept for the next time, up to a number of bytes."""

from collections import OrderedDict
from collections.abc import Callable, Hashable

import numpy as np


class Bounded:
    """A table of arrays; what was not asked for the longest goes when there is too much.

    Args:
        limit: bytes to keep. A single larger value is made and handed out, but not kept.
    """

    def __init__(self, limit: int):
        self.limit, self.used = limit, 0
        self._kept: OrderedDict[Hashable, tuple[int, object]] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], object]):
        """The value of a key: kept from before, or made now. Values are arrays, or tuples and lists that hold some."""
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key][1]
        value = make()
        size = nbytes(value)
        if size <= self.limit:
            self._kept[key] = size, value
            self.used += size
            while self.used > self.limit:
                self.used -= self._kept.popitem(last=False)[1][0]
        return value

    def __len__(self) -> int:
        return len(self._kept)


def nbytes(value: object) -> int:
    """Bytes of the arrays in a value."""
    if isinstance(value, np.ndarray):
        return value.nbytes
    return sum(map(nbytes, value)) if isinstance(value, (tuple, list)) else 0
