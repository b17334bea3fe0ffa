"""A folder shows and continues a run only on the data that the run learnt from."""

import shutil
from pathlib import Path

import pytest

import kit
from kit.errors import KitError
from kit.runs.folder import RunFolder
from kit.settings.fields import replace_fields
from kit.system.storage import read_json, write_json
from kit.train import loop

OTHER = r"was trained on other data than .*: they differ in {}; choose another run_dir, or delete the folder$"


@pytest.fixture
def here(scenes, tmp_path):
    """A copy of the drawn scenes that a test may change."""
    return shutil.copytree(scenes, tmp_path / "here")


def add_bytes(path):
    path.write_bytes(path.read_bytes() + bytes(8))


def first_mask(root, part):
    return sorted((root / "gtFine" / part).rglob("*labelIds.png"))[0]


def test_a_finished_run_is_bound_to_its_data(tiny, here, tmp_path):
    cfg = tiny(steps=2, data_root=str(here), split="all")
    result = kit.fit(cfg)
    assert result["data"]["files"]["val masks"]["count"] == 3
    assert RunFolder(tmp_path / "run").data() == result["data"] == read_json(tmp_path / "run/data.json")
    moved = here.rename(tmp_path / "elsewhere")
    with pytest.raises(KitError, match="no folder .*here"):
        kit.fit(cfg)
    cfg = replace_fields(cfg, {"data.root": str(moved)})
    assert kit.fit(cfg) == result  # the same data at another place
    add_bytes(first_mask(moved, "train"))
    with pytest.raises(KitError, match=OTHER.format(r"labelled masks \(8, with other names or sizes\)")):
        kit.fit(cfg)
    old = {name: value for name, value in result.items() if name != "data"}
    write_json(tmp_path / "run/result.json", old)
    (tmp_path / "run/data.json").unlink()
    assert kit.fit(cfg) == old  # of before data were recorded: bound to lists and classes alone
    first_mask(moved, "train").unlink()
    with pytest.raises(KitError, match=OTHER.format(r"labelled list \(8, now 7\), unlabelled list \(0, now 1\)")):
        kit.fit(cfg)


def test_a_started_run_is_bound_to_its_data(tiny, here, tmp_path, monkeypatch):
    cfg, one_step = tiny(data_root=str(here), split="all"), loop.Run.one_step

    def breaks(self, step, batch):
        if step == 3:
            raise RuntimeError("pulled the plug")
        return one_step(self, step, batch)

    with monkeypatch.context() as patch:
        patch.setattr(loop.Run, "one_step", breaks)
        with pytest.raises(RuntimeError, match="plug"):
            kit.fit(cfg)
    mask = first_mask(here, "val")
    whole = mask.read_bytes()
    add_bytes(mask)
    before = {path: path.read_bytes() for path in Path(cfg.run_dir).iterdir() if path.is_file()}
    with pytest.raises(KitError, match=OTHER.format(r"val masks \(3, with other names or sizes\)")):
        kit.fit(cfg)
    assert before == {path: path.read_bytes() for path in Path(cfg.run_dir).iterdir() if path.is_file()}
    mask.write_bytes(whole)
    (tmp_path / "run/data.json").unlink()  # a run from before data were recorded resumes
    assert kit.fit(cfg)["steps"] == 4 and (tmp_path / "run/data.json").is_file()
