import os
import subprocess
import sys

import psutil
import pytest

from kit.batch import marked_processes


@pytest.fixture
def marked(monkeypatch):
    """A mark, and a process that carries it whose own child is in another session and has lost its parent."""
    monkeypatch.setenv(marked_processes.MARK, "outer")
    mark = marked_processes.new_mark()
    marked_processes.put_on(mark)
    sleep = "import time; time.sleep(60)"
    code = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {sleep!r}], start_new_session=True)"
    subprocess.run([sys.executable, "-c", code], check=True)
    yield mark
    marked_processes.end_all(mark)


def test_processes_are_found_and_ended_by_their_mark(marked):
    (orphan,) = marked_processes.marked(marked)
    assert orphan.ppid() != os.getpid() and marked_processes.marked("outer")[0] == orphan  # marks add up
    assert not marked_processes.marked("other")
    marked_processes.end_all("other")
    assert orphan.is_running()
    marked_processes.end_all(marked)
    assert not psutil.pid_exists(orphan.pid) or orphan.status() == psutil.STATUS_ZOMBIE
    assert not marked_processes.marked(marked)


def test_deaths_are_put_into_words():
    assert marked_processes.death(-9) == "was killed by SIGKILL; most likely for lack of memory"
    assert marked_processes.death(-11) == "was killed by SIGSEGV"
    assert marked_processes.death(3) == "ended with exit code 3"
