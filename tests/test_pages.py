import platform
import resource

import pytest
import torch

from kit.evaluate.memory import resident
from kit.pages import kept_pages

SIZE = 2**24  # floats, 64 MB: glibc always maps as much by itself
PAGES = SIZE * 4 // resource.getpagesize()
CPU = torch.device("cpu")

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="an option of glibc's malloc")


def faults(times):
    """Pages that the system had to find while a large tensor was made and freed a few times."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        torch.ones(SIZE)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def test_freed_memory_is_used_again_and_given_back_in_the_end():
    with kept_pages(CPU):
        faults(3)
        assert faults(10) < 3 * PAGES
        held = resident(peak=False)
    assert resident(peak=False) < held - SIZE * 4 / 2
    assert faults(2) > PAGES  # as ever


def test_of_nested_uses_the_outermost_decides():
    with kept_pages(CPU):
        with kept_pages(CPU):
            faults(3)
        assert faults(10) < 3 * PAGES
    assert faults(2) > PAGES


def test_settings_come_back_after_an_error():
    with pytest.raises(ZeroDivisionError), kept_pages(CPU):
        1 / 0  # noqa: B018
    assert faults(2) > PAGES


def test_another_device_needs_nothing(monkeypatch):
    monkeypatch.setattr("ctypes.CDLL", None)
    with kept_pages(torch.device("cuda")):
        pass
