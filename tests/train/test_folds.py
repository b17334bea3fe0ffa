import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from kit.commands.suspicious import suspicions
from kit.data.fingerprint import find_data
from kit.errors import KitError
from kit.label import out_of_fold
from kit.settings.fields import to_dict
from kit.train import folds, teachers


@pytest.fixture
def run(tiny, tmp_path):
    """Folder of a run that began from another run's student, on four labelled images."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(to_dict(replace(tiny(), start=str(tmp_path / "earlier")))))
    return folder


def test_every_labelled_image_is_left_out_once_and_stays_unlabelled(run, monkeypatch):
    launched, said = [], []
    monkeypatch.setattr(folds, "launch", launched.append)
    places = folds.fold_runs(run, 3, steps=7, say=said.append)
    assert [cfg.run_dir for cfg in launched] == [str(place) for place in places] and len(said) == 3
    whole = find_data(folds.RunFolder(run).config().data).split
    splits = [find_data(cfg.data).split for cfg in launched]
    left_out = [name for split in splits for name in whole.labelled if name not in split.labelled]
    assert sorted(left_out) == sorted(whole.labelled)
    for split in splits:
        assert set(whole.labelled) - set(split.labelled) <= set(split.pool)
        assert sorted([*split.labelled, *split.pool]) == sorted([*whole.labelled, *whole.pool])
    # a student that learnt all masks is no start for runs that must not know some of them
    assert {(cfg.train.steps, cfg.start, cfg.data.extra) for cfg in launched} == {(7, "", False)}


def test_no_fold_learns_from_a_network_that_knows_its_masks(run, tiny, tmp_path, monkeypatch):
    """Neither from the teachers of the run, nor from a packed student; an encoder's file is kept."""
    (tmp_path / "packed").mkdir()
    (tmp_path / "packed/model.safetensors").touch()
    weights = {"student.weights": str(tmp_path / "packed"), "method.deep_net.weights": str(tmp_path / "encoder.pth")}
    cfg = tiny("mgd", {"method.deep": "earlier/deep", "method.wide": "earlier/wide", **weights})
    (run / "config.json").write_text(json.dumps(to_dict(cfg)))
    launched = []
    monkeypatch.setattr(folds, "launch", launched.append)
    monkeypatch.setattr(teachers, "launch", launched.append)
    folds.fold_runs(run, 2)
    assert [each.method.name for each in launched] == 2 * ["cps", "cps", "mgd"]
    for deep, wide, fold in (launched[:3], launched[3:]):
        assert deep.data.split == wide.data.split == fold.data.split  # labels of this fold alone
        assert (fold.method.deep, fold.method.wide) == (deep.run_dir, wide.run_dir)
        assert fold.student.weights is None and deep.student.weights == str(tmp_path / "encoder.pth")


def test_folds_of_a_run_whose_data_have_moved(run, scenes, tiny, tmp_path, monkeypatch):
    (run / "config.json").write_text(json.dumps(to_dict(tiny(data_root=str(tmp_path / "moved away")))))
    launched = []
    monkeypatch.setattr(folds, "launch", launched.append)
    monkeypatch.setattr(out_of_fold, "suspicious_labels", lambda *args, **named: pytest.skip("reached"))
    options = SimpleNamespace(runs=[run], folds=2, fold_steps=0, root=scenes, sure=0.7, device="cpu", show=5)
    with pytest.raises(pytest.skip.Exception):
        suspicions(options, tmp_path / "found.json")
    assert [cfg.data.root for cfg in launched] == 2 * [str(scenes)]


@pytest.mark.parametrize("number", [1, 5])
def test_folds_that_do_not_fit_the_labels(run, number):
    with pytest.raises(KitError, match=f"--folds is {number}; give 2 to 4"):
        folds.fold_runs(run, number)
