import pytest

from kit.errors import KitError
from kit.settings.notebook import parameters

DECLARED = "steps: int = 5  # updates\nmethod: str = 'trikd'  # which"


def test_declared_names_with_their_present_values():
    assert parameters({"In": ["", "import kit", DECLARED], "steps": 7, "method": "cps", "other": 1}) == {
        "steps": 7,
        "method": "cps",
    }


def test_names_papermill_put_in_must_be_declared():
    cells = ["", DECLARED, "# Parameters\nsteps = 9\n"]
    assert parameters({"In": cells, "steps": 9, "method": "x"})["steps"] == 9
    with pytest.raises(KitError, match="unknown parameter 'stpes'; choose one of: method, steps"):
        parameters({"In": [*cells, "# Parameters\nstpes = 9\n"], "steps": 9, "method": "x", "stpes": 9})


def test_the_home_folder_may_be_written_short(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    cells = ["runs: list = []  # folders\nout: str = ''  # folder"]
    assert parameters({"In": cells, "runs": ["~/a"], "out": "~/b"}) == {"runs": ["/home/me/a"], "out": "/home/me/b"}


def test_cells_with_magics_or_code_are_not_parameters():
    with pytest.raises(KitError, match="run the parameters cell first"):
        parameters({"In": ["", "%matplotlib inline", "x = 1", "y: int = 1\nprint(y)"], "x": 1, "y": 1})


def test_values_must_be_of_the_declared_type():
    with pytest.raises(KitError, match="parameter steps must be int, got '7'"):
        parameters({"In": [DECLARED], "steps": "7", "method": "x"})
    with pytest.raises(KitError, match="method must be str, got 116; papermill keeps text with -r"):
        parameters({"In": [DECLARED], "steps": 5, "method": 116})
    assert parameters({"In": ["lr: float = 0.1  # rate"], "lr": 1}) == {"lr": 1}
