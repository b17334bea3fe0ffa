import dataclasses
import hashlib
import json
import shutil
from pathlib import Path

import pytest
import torch

import kit
from kit.data.fingerprint import find_data
from kit.errors import KitError
from kit.runs.folder import RunFolder
from kit.settings.fields import replace_fields
from kit.train import loop
from kit.train.prepare import prepare
from kit.train.resume.checkpoint import load_checkpoint
from kit.train.teachers import teacher_config, with_teachers


@pytest.fixture
def two_stages(tiny, tmp_path):
    """Function (method, **parameters) -> RunConfig of two steps whose teachers take two as well."""
    return lambda method="mgd", **parameters: tiny(method, steps=2, **{"run_dir": str(tmp_path / method)} | parameters)


def test_teachers_are_trained_first_recorded_and_taken_again(two_stages, tmp_path, monkeypatch):
    cfg = with_teachers(two_stages())
    folders = {name: Path(getattr(cfg.method, name)) for name in ("deep", "wide")}
    assert sorted(p.name.rsplit("_", 1)[0] for p in folders.values()) == ["teacher_deep", "teacher_wide"]
    result = kit.fit(cfg)
    for name, folder in folders.items():
        taught = json.loads((folder / "result.json").read_text())
        assert taught["method"] == "cps" and taught["config"]["method"]["cutmix"] is True
        assert taught["split"] == result["split"] and taught["config"]["student"]["name"] == f"deeplab_{name}_demo"
        weights = (folder / "student.safetensors").read_bytes()
        assert result["teachers"][name] == {
            "run": str(folder),
            "network": f"deeplab_{name}_demo",
            "trained_by": "cps",
            "weights_sha256": hashlib.sha256(weights).hexdigest(),
        }

    def refuse(*given):
        raise AssertionError("trained again")

    monkeypatch.setattr(loop.Run, "train", refuse)
    monkeypatch.setattr("kit.train.teachers.check_step", refuse)  # it builds networks, which takes seconds
    assert with_teachers(two_stages()) == cfg
    plain = with_teachers(two_stages("distill"))  # another student of the same teachers
    assert (plain.method.deep, plain.method.wide) == (cfg.method.deep, cfg.method.wide)
    assert with_teachers(two_stages("supervised")) == two_stages("supervised")


def test_teachers_by_fixmatch_differ_from_those_by_cps_in_nothing_but_the_method(two_stages):
    cfg = two_stages(overrides={"method.teacher_ramp": 0.25, "method.ohem_min_kept": 500})
    by = {
        way: teacher_config(replace_fields(cfg, {"method.teacher_method": way}), "wide") for way in ("cps", "fixmatch")
    }
    assert by["cps"] == teacher_config(cfg, "wide")
    method = by["fixmatch"].method
    assert (method.name, method.ramp, method.ohem_min_kept) == ("fixmatch", 0.25, 500)
    assert (method.labels_from, method.class_share, method.class_paste) == ("average", 0.5, "small")
    assert by["fixmatch"].run_dir != by["cps"].run_dir
    same = {"method": by["cps"].method, "run_dir": by["cps"].run_dir}
    assert dataclasses.replace(by["fixmatch"], **same) == by["cps"]
    with pytest.raises(KitError, match="teacher_method"):
        replace_fields(cfg, {"method.teacher_method": "adaptive"})


def test_students_learn_from_teachers_by_fixmatch(two_stages):
    result = kit.fit(with_teachers(two_stages(overrides={"method.teacher_method": "fixmatch"})))
    assert {taught["trained_by"] for taught in result["teachers"].values()} == {"fixmatch"}


def test_what_defines_a_teacher_is_in_its_name_and_nothing_else(two_stages):
    cfg = two_stages()

    def name(**changes):
        return Path(teacher_config(replace_fields(cfg, changes), "deep").run_dir).name

    same = {"run_dir": str(Path(cfg.run_dir).parent / "other"), "data.workers": 2, "method.image_weight": 3.0,
            "start": "runs/first"}  # fmt: skip
    assert all(name(**{k: v}) == name() for k, v in same.items())
    other = {"seed": 1, "data.split_seed": 1, "method.teacher_steps": 9, "method.teacher_cps_weight": 5.0,
             "method.deep_net.dropout": 0.5, "method.overlap": "invert"}  # fmt: skip
    names = {name(), *(name(**{k: v}) for k, v in other.items())}
    assert len(names) == 1 + len(other)
    assert teacher_config(replace_fields(cfg, {"method.teacher_steps": 9}), "deep").train.steps == 9


def test_teachers_may_have_a_batch_and_rates_of_their_own(two_stages):
    cfg = two_stages(overrides={"method.ohem_min_kept": 1000, "data.labelled": 4, "data.unlabelled": 8})
    own = replace_fields(cfg, {"method.teacher_batch": 2, "method.deep_lr": 0.5, "method.wide_lr": 0.25})
    taught = {name: (teacher_config(cfg, name), teacher_config(own, name)) for name in ("deep", "wide")}
    for (plain, changed), rate in zip(taught.values(), (0.5, 0.25), strict=True):
        assert (plain.data.labelled, plain.data.unlabelled, plain.method.ohem_min_kept) == (4, 8, 1000)
        assert (changed.data.labelled, changed.data.unlabelled, changed.method.ohem_min_kept) == (2, 4, 500)
        assert (plain.optim.lr, changed.optim.lr) == (cfg.optim.lr, rate)
        assert plain.run_dir != changed.run_dir
    with pytest.raises(KitError, match="deep_lr"):
        replace_fields(cfg, {"method.deep_lr": -1.0})


def test_teachers_that_learnt_from_other_data_stay_and_new_ones_are_trained_beside_them(two_stages, tmp_path, scenes):
    root = shutil.copytree(scenes, tmp_path / "scenes")
    cfg = replace_fields(two_stages(data_root=str(root), split="all"), {"method.deep": "", "data.unlabelled": 2})
    first = Path(teacher_config(cfg, "deep").run_dir)
    first.mkdir()
    RunFolder(first).open(teacher_config(cfg, "deep"), find_data(cfg.data).record())
    assert teacher_config(cfg, "deep").run_dir == str(first)
    mask = next((root / "gtFine/train").rglob("*labelIds.png"))
    whole = mask.read_bytes()
    mask.write_bytes(whole + bytes(8))
    other = teacher_config(cfg, "deep").run_dir
    assert other.rsplit("_", 1)[0] == str(first) and len(other) == len(str(first)) + 9
    student = RunFolder(cfg.run_dir)
    student.path.mkdir()
    mask.write_bytes(whole)
    student.open(cfg, find_data(cfg.data).record())
    mask.unlink()
    with pytest.raises(KitError, match="mgd was trained on other data"):
        with_teachers(cfg)  # before a teacher is trained
    assert not any(path.name.startswith("teacher_wide") for path in tmp_path.iterdir())


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"optim.lr": 0.5}, "mgd already holds another run"),
        ({"student.name": "deeplab_dmo"}, "unknown model 'deeplab_dmo'"),
        ({"method.wide_net.name": "deeplab_wide"}, "the wide teacher, which is trained first: unknown model"),
        ({"data.crop": [80, 64]}, "80 x 64 does not fit"),
        (
            {"method.teacher_batch": 2, "data.labelled": 3, "data.unlabelled": 3, "train.accumulate": 2},
            r"data.labelled \(3\)",
        ),
        ({"method.teacher_batch": 1, "data.labelled": 4}, "the deep teacher, .*data.unlabelled must be 1 or more"),
    ],
)
def test_what_would_stop_the_student_is_said_before_a_teacher_is_trained(two_stages, tmp_path, changes, problem):
    cfg = two_stages()
    student = RunFolder(cfg.run_dir)
    student.path.mkdir()
    taught = {f"method.{name}": teacher_config(cfg, name).run_dir for name in ("deep", "wide")}
    student.open(replace_fields(cfg, taught), find_data(cfg.data).record())
    with pytest.raises(KitError, match=problem):
        with_teachers(replace_fields(cfg, changes))
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("teacher")] == []


def test_missing_and_unfit_teachers_are_named_before_anything_is_written(two_stages, tiny, tmp_path):
    with pytest.raises(KitError, match=r"method.deep names no teacher; .*with_teachers"):
        kit.fit(two_stages())
    absent = two_stages(overrides={"method.deep": str(tmp_path / "gone"), "method.wide": str(tmp_path / "gone")})
    with pytest.raises(KitError, match="no result.json"):
        kit.fit(absent)
    assert not (tmp_path / "mgd").exists()


def test_teachers_stay_out_of_checkpoints_and_may_not_change_in_between(two_stages, tmp_path, monkeypatch):
    cfg = with_teachers(replace_fields(two_stages(), {"train.steps": 4}))
    one_step = loop.Run.one_step

    def breaks(self, step, batch):
        if step == 3 and self.cfg.method.name == "mgd":
            raise RuntimeError("pulled the plug")
        return one_step(self, step, batch)

    with monkeypatch.context() as patch:
        patch.setattr(loop.Run, "one_step", breaks)
        with pytest.raises(RuntimeError):
            kit.fit(cfg)
    saved = load_checkpoint(tmp_path / "mgd/checkpoint.pt")
    assert {name.split(".")[0] for name in saved["method"]} == {"student"}
    weights = RunFolder(cfg.method.deep).weights()
    whole = weights.read_bytes()
    weights.write_bytes(RunFolder(cfg.method.deep).weights("average").read_bytes())
    with pytest.raises(KitError, match="teachers of .* have changed"):
        kit.fit(cfg)
    weights.write_bytes(whole)
    assert kit.fit(cfg)["steps"] == 4
    uninterrupted = kit.fit(replace_fields(cfg, {"run_dir": str(tmp_path / "whole")}))
    assert uninterrupted["last"] == kit.load_run(cfg.run_dir)["last"]


def test_teachers_are_those_of_the_runs(two_stages):
    cfg = with_teachers(two_stages())
    method = prepare(replace_fields(cfg, {"method.fused": False})).method
    for name in ("deep", "wide"):
        mine, theirs = getattr(method, name).net.state_dict(), kit.load(getattr(cfg.method, name)).net.state_dict()
        assert all(torch.equal(mine[k], v) for k, v in theirs.items())
