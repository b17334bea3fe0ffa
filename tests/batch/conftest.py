import pytest

from kit.system.paths import PROJECT

IDLE = PROJECT / "tests/support/idle.ipynb"


@pytest.fixture
def idle(scenes, tmp_path):
    """Function (**keys) -> a grid of the notebook that trains nothing, as a dict; its folder is `tmp_path / "grid"`."""

    def grid(parameters: dict | None = None, **keys):
        return {"out": str(tmp_path / "grid"), "notebook": str(IDLE),
                "parameters": {"data_root": str(scenes), **(parameters or {})}, **keys}  # fmt: skip

    return grid
