"""Registry of faults: decorated functions that break a data set, each with the finding expected of the doctor."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


class Case(NamedTuple):
    """One way in which a data set is broken."""

    breaks: Callable[[Path], str]  # takes the folder of a good data set, returns what the message must name
    dataset: str
    kind: str
    severity: str
    split: str  # of the examination; "lists" stands for a folder of that name beside the data set


CASES: list[Case] = []


def broken(dataset: str, kind: str, severity: str = "error", split: str = ""):
    def add(breaks):
        CASES.append(Case(breaks, dataset, kind, severity, split))
        return breaks

    return add
