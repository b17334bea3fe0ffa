import json
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from kit.system.allocator import kept_pages

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="an option of glibc's malloc")

SCRIPT = """
import json, resource
import torch
from kit.deploy.memory import resident
from kit.system.allocator import kept_pages

SIZE = 2**24  # floats, 64 MB: glibc maps as much by itself
LARGER = 4 * SIZE  # than any hole that the first ones leave in the heap, which glibc would fill before it maps
CPU = torch.device("cpu")

def faults(size=SIZE):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        torch.ones(size)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / size

seen = {"before": faults()}
with kept_pages(CPU):
    faults()
    seen["within"] = faults()
    with kept_pages(CPU):
        seen["nested"] = faults()
    seen["after nested"] = faults()
    held = resident(peak=False)
seen["bytes given back"] = held - resident(peak=False)
seen["after"] = faults(LARGER)
try:
    with kept_pages(CPU):
        faults()
        1 / 0
except ZeroDivisionError:
    seen["after an error"] = faults(LARGER)
print(json.dumps(seen))
"""


@pytest.fixture(scope="module")
def seen():
    """How many pages, for each of its elements, the system had to provide while a large tensor was made and freed a
    few times. In a process of its own: what other tests have left in the heap of this one is not the question."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=ROOT, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def test_freed_memory_is_reused_and_returned_at_the_end(seen):
    assert seen["within"] < seen["before"] / 20
    assert seen["bytes given back"] > 2**25
    assert seen["after"] > seen["before"] / 2


def test_the_outermost_of_nested_uses_decides(seen):
    assert seen["nested"] < seen["before"] / 20
    assert seen["after nested"] < seen["before"] / 20


def test_settings_are_restored_after_an_error(seen):
    assert seen["after an error"] > seen["before"] / 2


def test_other_devices_are_unaffected(monkeypatch):
    monkeypatch.setattr("ctypes.CDLL", None)
    with kept_pages(torch.device("cuda")):
        pass
