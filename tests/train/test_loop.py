import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image

import kit
from kit.errors import KitError
from kit.runs.folder import RunFolder
from kit.settings.fields import from_dict, to_dict
from kit.train import loop
from kit.train.resume.checkpoint import load_checkpoint, save_checkpoint
from kit.types import StepOutput


@pytest.mark.parametrize("method", ["supervised", "cps", "trikd"])
def test_a_run_leaves_everything_behind(tiny, method):
    cfg = tiny(method)
    result = kit.fit(cfg)
    folder = RunFolder(cfg.run_dir)
    written = {p.name for p in folder.path.iterdir()}
    assert written == {".lock", "config.json", "data.json", "log.jsonl", "result.json", "student.safetensors",
                       "student_average.safetensors", "student_best.safetensors", "tensorboard",
                       "scores_last.npz", "scores_average.npz",
                       *{"supervised": [], "cps": ["view_partner.safetensors"],
                         "trikd": ["view_cnn.safetensors", "view_vit.safetensors"]}[method]}  # fmt: skip
    assert from_dict(json.loads(folder.config_file.read_text())) == cfg
    assert json.loads(folder.result_file.read_text()) == result
    log = folder.log()
    assert [r["step"] for r in log] == [2, 4, 4] and "miou" in log[-1]
    assert log[0]["parts"].keys() == log[1]["parts"].keys()
    assert result["split"]["labelled"] == 4 and len(result["split"]["labelled_sha256"]) == 64
    assert result["versions"]["torch"] == torch.__version__ and result["steps"] == 4 and result["seed"] == 0
    assert set(result["last"]["iou"]) == set(result["dataset"]["classes"]) and 0 <= result["last"]["miou"] <= 1
    assert result["best"] == {"miou": result["last"]["miou"], "step": 4} and result["protocol"]


def test_the_student_comes_back_ready_to_predict(tiny, scenes):
    cfg = tiny("supervised")
    kit.fit(cfg)
    path = next((scenes / "leftImg8bit/val").rglob("*.png"))
    last, average = kit.load(cfg.run_dir), kit.load(cfg.run_dir, "average")
    mask = last.predict(path)
    assert mask.shape == (64, 128) and mask.dtype == np.uint8 and mask.max() < 19
    picture = Image.open(path)
    reversed_twice = np.array(picture)[..., ::-1].copy()[..., ::-1]  # RGB as a view of BGR
    for same in (picture, np.array(picture), reversed_twice, torch.from_numpy(np.array(picture)).permute(2, 0, 1)):
        assert np.array_equal(last.predict(same), mask)
    p = last.probabilities(path)
    assert p.shape == (19, 64, 128) and torch.allclose(p.sum(0), torch.ones(64, 128), atol=1e-5)
    assert not torch.equal(p, average.probabilities(path))
    with pytest.raises(KitError, match="last, average"):
        kit.load(cfg.run_dir, "worst")
    with pytest.raises(KitError, match="no result.json"):
        kit.load(cfg.run_dir + "x")


def weights(run_dir):
    return {w: safetensors.torch.load_file(f"{run_dir}/student{w}.safetensors") for w in ("", "_average")}


def same_runs(a, b):
    for which, mine in weights(a).items():
        for name, value in weights(b)[which].items():
            assert torch.equal(mine[name], value), (which, name)
    logs = [[{k: v for k, v in r.items() if k != "seconds"} for r in RunFolder(x).log()] for x in (a, b)]
    assert logs[0] == logs[1]


@pytest.mark.parametrize(
    ("method", "precision"),
    [("supervised", "fp32"), ("supervised", "bf16"), ("mean_teacher", "fp32"), ("trikd", "fp32")],
)
def test_a_run_that_breaks_off_goes_on_to_the_same_end(tiny, tmp_path, monkeypatch, method, precision):
    overrides = {"train.eval_every": 3, "train.precision": precision}
    whole, broken = (tiny(method, steps=6, run_dir=str(tmp_path / n), overrides=overrides) for n in "ab")
    kit.fit(whole)
    one_step = loop.Run.one_step

    def breaks(self, step, batch):
        if step == 5:
            raise RuntimeError("pulled the plug")
        return one_step(self, step, batch)

    with monkeypatch.context() as patch:
        patch.setattr(loop.Run, "one_step", breaks)
        with pytest.raises(RuntimeError, match="plug"):
            kit.fit(broken)
    assert load_checkpoint(tmp_path / "b/checkpoint.pt")["step"] == 4
    with pytest.raises(KitError, match="not finished"):
        kit.load_run(tmp_path / "b")
    kit.fit(broken)
    same_runs(tmp_path / "a", tmp_path / "b")


def test_a_killed_process_goes_on_with_the_same_command(tiny, tmp_path):
    whole, killed = (tiny(steps=40, run_dir=str(tmp_path / n)) for n in "ab")
    kit.fit(whole)
    (tmp_path / "b.json").write_text(json.dumps(to_dict(killed)))
    command = [sys.executable, "-m", "kit", "train", str(tmp_path / "b.json")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    checkpoint = tmp_path / "b/checkpoint.pt"
    while process.poll() is None and not checkpoint.exists():
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert checkpoint.exists() and not (tmp_path / "b/result.json").exists()
    subprocess.run(command, check=True, capture_output=True)
    same_runs(tmp_path / "a", tmp_path / "b")


def test_a_finished_run_is_not_trained_again_and_another_is_not_overwritten(tiny, tmp_path, monkeypatch):
    cfg = tiny()
    first = kit.fit(cfg)
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "run").iterdir()}
    assert kit.fit(cfg) == first
    moved = tiny(overrides={"data.workers": 1, "evaluate.batch": 1})  # how fast, not what
    assert kit.fit(moved) == first
    with pytest.raises(KitError, match=r"already holds another run \(it differs in data.split_seed, seed\); choose"):
        kit.fit(tiny(seed=1, split_seed=1))
    assert before == {p: p.stat().st_mtime_ns for p in (tmp_path / "run").iterdir()}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"data_root": "/absent"}, "no folder /absent"),
        ({"split": "count_99"}, "count_99"),
        ({"student": "tinyvit"}, "unknown model"),
        ({"overrides": {"data.crop": (100, 64)}}, "100 x 64 does not fit .*try 128 x 64"),
        ({"split": "all", "method": "cps"}, "leaves no unlabelled image"),
        ({"pretrained": True}, "pretrained weights of"),
    ],
)
def test_bad_input_leaves_no_folder_behind(tiny, tmp_path, monkeypatch, parameters, message):
    def no_hub(*args, pretrained, **options):
        raise OSError("offline")

    if "pretrained" in parameters:
        monkeypatch.setattr("timm.create_model", no_hub)
    with pytest.raises(KitError, match=message):
        kit.fit(tiny(**parameters))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("cache", [True, False])
def test_a_label_out_of_range_is_named_and_leaves_no_folder_behind(tiny, scenes, tmp_path, cache):
    shutil.copytree(scenes, tmp_path / "spoilt")
    for path in (tmp_path / "spoilt/gtFine/train").rglob("*.png"):
        Image.fromarray(np.full((64, 128), 99, np.uint8)).save(path)
    with pytest.raises(KitError, match=r"gtFine_labelIds.png holds label values \[99\]"):
        kit.fit(tiny(data_root=str(tmp_path / "spoilt"), overrides={"data.cache": cache}))
    assert not (tmp_path / "run").exists()


def test_a_loss_that_is_not_finite_stops_before_the_weights_are_touched(tiny, tmp_path, monkeypatch):
    seen = {}

    def broken(self, batch, progress):
        if progress.step == 3:
            seen.update({k: v.clone() for k, v in self.state_dict().items()})
            seen["method"] = self
        loss = self.student(batch.images).logits.mean()
        return StepOutput(loss * (float("nan") if progress.step == 3 else 1.0), {})

    monkeypatch.setattr("kit.methods.supervised.Supervised.forward", broken)
    with pytest.raises(KitError, match="loss is nan at step 3 .*lower optim.lr"):
        kit.fit(tiny())
    method = seen.pop("method")
    parameters = dict(method.named_parameters())
    assert all(torch.equal(seen[name], value) for name, value in parameters.items())
    assert {p.name for p in (tmp_path / "run").iterdir()} == {
        ".lock",
        "config.json",
        "data.json",
        "log.jsonl",
        "checkpoint.pt",
        "nonfinite.pt",
        "tensorboard",
    }


def test_where_losses_are_read_with_the_log_a_bad_one_is_found_before_anything_is_saved(tiny, tmp_path, monkeypatch):
    def broken(self, batch, progress):
        loss = self.student(batch.images).logits.mean()
        return StepOutput(loss * (float("inf") if progress.step == 4 else 1.0), {"sup": loss.detach()})

    monkeypatch.setattr("kit.methods.supervised.Supervised.forward", broken)
    monkeypatch.setattr("kit.train.monitor.nonfinite.WATCHED", ())
    cfg = tiny(steps=8, overrides={"train.log_every": 4, "train.checkpoint_every": 4, "train.eval_every": 6})
    with pytest.raises(KitError, match=r"loss is -?inf at step 4 \(sup"):
        kit.fit(cfg)
    assert load_checkpoint(tmp_path / "run/checkpoint.pt")["step"] == 4
    assert [r["step"] for r in RunFolder(tmp_path / "run").log()] == [4]  # not the scores of spoilt weights at 6


def test_channels_last_changes_how_fast_and_not_what(tiny, tmp_path):
    plain, last = (
        tiny("trikd", run_dir=str(tmp_path / str(on)), overrides={"train.channels_last": on}) for on in (False, True)
    )
    losses = [[r["loss"] for r in RunFolder(cfg.run_dir).log() if "loss" in r] for cfg in (plain, last) if kit.fit(cfg)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    kit.load(last.run_dir)


def test_networks_are_compiled_in_place_if_asked(tiny, monkeypatch):
    compiled = []
    monkeypatch.setattr("kit.models.segmenter.Segmenter.compile", lambda net: compiled.append(net))
    result = kit.fit(tiny("trikd", steps=2, overrides={"train.compile": True}))
    assert len(compiled) == 3 and result["steps"] == 2


def test_a_damaged_checkpoint_is_named(tmp_path):
    path = tmp_path / "checkpoint.pt"
    assert load_checkpoint(path) is None
    save_checkpoint(path, {"step": 3, "x": torch.ones(2)})
    assert load_checkpoint(path)["step"] == 3 and [p.name for p in tmp_path.iterdir()] == ["checkpoint.pt"]
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(KitError, match="checkpoint.pt is damaged"):
        load_checkpoint(path)


def test_val_masks_without_a_label_are_refused_before_anything_is_trained(tiny, tmp_path):
    """Scores of nan cannot be written as JSON; the run would fail after its last step."""
    root = tmp_path / "mine"
    for part in ("images", "labels"):
        (root / part).mkdir(parents=True)
    for name, value in (("a", 0), ("b", 1), ("v", 255)):
        Image.new("RGB", (64, 64)).save(root / f"images/{name}.png")
        Image.new("L", (64, 64), value).save(root / f"labels/{name}.png")
    (root / "classes.yaml").write_text("classes: [soil, leaf]\n")
    (root / "val.txt").write_text("v\n")
    with pytest.raises(KitError, match=r"every pixel in the masks of the 1 val image\(s\) in .*mine is ignored"):
        kit.fit(tiny(dataset="folder", data_root=str(root), split="masks"))
    assert not (tmp_path / "run").exists()


def test_a_full_disk_after_a_damaged_checkpoint_loses_nothing(tiny, monkeypatch):
    """The damaged file is out of the way by then; the one before it still needs its configuration and log."""
    cfg, step = tiny(steps=6), loop.Run.one_step

    def failing(run, number, batches):
        if number == 4:
            raise KitError("stopped here")
        step(run, number, batches)

    monkeypatch.setattr(loop.Run, "one_step", failing)
    with pytest.raises(KitError, match="stopped here"):
        kit.fit(cfg)
    monkeypatch.setattr(loop.Run, "one_step", step)
    folder = RunFolder(cfg.run_dir)
    folder.checkpoint_file.write_bytes(folder.checkpoint_file.read_bytes()[:-1])
    with monkeypatch.context() as full, pytest.raises(KitError, match="no room"):
        full.setattr("kit.train.resume.checkpoint.save_checkpoint", _no_room)
        kit.fit(cfg)
    assert not folder.checkpoint_file.exists() and [line["step"] for line in folder.log()][0] == 2
    assert kit.fit(cfg)["steps"] == 6 and [line["step"] for line in folder.log() if "loss" in line] == [2, 4, 6]


def _no_room(*parts):
    raise KitError("no room")


def test_one_image_whose_map_is_one_pixel_is_an_error_of_one_line(tiny):
    cfg = tiny(student="resnet_demo", overrides={"data.crop": (32, 32), "data.labelled": 1})
    with pytest.raises(KitError, match="crops of 32 x 32 leave a map of one pixel, and batch norm needs more"):
        kit.fit(cfg)
    assert not Path(cfg.run_dir).exists()
