"""Progress bars, the same everywhere."""

import sys

from tqdm import tqdm


def bar(total: int, what: str, unit: str, silent: bool = False, start: int = 0) -> tqdm:
    """A bar on a terminal; where output is kept (a log file), a line every now and then instead of ten a second."""
    return tqdm(total=total, initial=start, desc=what, unit=unit, disable=silent,
                mininterval=0.1 if sys.stderr.isatty() else 30)  # fmt: skip
