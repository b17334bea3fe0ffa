"""What a person sees of a notebook that fails, is interrupted, or ends."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from kit.batch import Cell, run_notebook
from kit.batch.cell import NotebookError
from kit.train.resume.signals import STOPPED

MISTAKE = "from kit import configure\nconfigure(method='foo')"

INTERRUPT = """\
import os, signal
from kit.train.resume.signals import Stop, leave
with Stop() as stop:
    os.kill(os.getpid(), signal.SIGINT)
raise leave(stop.signal)"""

LEAVES_LATE = """\
import time
kernel = get_ipython().kernel
answer = kernel.kernel_info_request

async def late(*request):
    await answer(*request)
    time.sleep(0.5)

_ = kernel.shell_handlers.update(kernel_info_request=late)"""
"""The kernel answers the last request, and is still in its handler when it is ended."""


def test_mistakes_and_interrupts_are_one_line_and_the_end_is_silent(tmp_path, capfd):
    expected = {"metadata": {"tags": ["raises-exception"]}}
    cells = [new_code_cell("steps: int = 1  # updates", metadata={"tags": ["parameters"]}),
             new_code_cell(LEAVES_LATE), new_code_cell(MISTAKE, **expected), new_code_cell(INTERRUPT)]  # fmt: skip
    nbformat.write(new_notebook(cells=cells), tmp_path / "n.ipynb")
    with pytest.raises(NotebookError, match=f"Stopped: {STOPPED}$"):
        run_notebook(Cell(tmp_path / "n.ipynb", tmp_path / "out/n.ipynb"))
    code = [cell for cell in nbformat.read(tmp_path / "out/n.ipynb", 4).cells if cell.cell_type == "code"]
    errors = [output for cell in code for output in cell.outputs if output.output_type == "error"]
    mistake, interrupt = errors
    assert (mistake.ename, len(mistake.traceback)) == ("KitError", 1)
    assert mistake.traceback[0].startswith("KitError: unknown method 'foo'; choose one of: ")
    assert interrupt.traceback == [STOPPED]
    terminal = capfd.readouterr().err
    assert STOPPED in terminal  # papermill does not show what a notebook prints
    assert "KeyboardInterrupt" not in terminal
