"""Runs keep the precision in which they began, and what must be float32 is."""

from pathlib import Path

import pytest
import torch

import kit
from kit.errors import KitError
from kit.runs.folder import RunFolder
from kit.system import precision
from kit.train import loop
from kit.train.processes import began_in
from kit.train.resume.checkpoint import load_checkpoint, save_checkpoint

AUTO = {"train.precision": "auto", "train.channels_last": True}


@pytest.fixture
def breaks_off(monkeypatch):
    """Function (cfg): train until a checkpoint was written, and no further."""

    def start(cfg):
        one_step = loop.Run.one_step

        def breaks(self, step, batches):
            if step == 3:
                raise RuntimeError("pulled the plug")
            return one_step(self, step, batches)

        with monkeypatch.context() as patch:
            patch.setattr(loop.Run, "one_step", breaks)
            with pytest.raises(RuntimeError, match="plug"):
                kit.fit(cfg)
        return load_checkpoint(Path(cfg.run_dir) / "checkpoint.pt")

    return start


def cpu_with(monkeypatch, bfloat16: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(precision, "cpu_has_bfloat16", lambda: bfloat16)


@pytest.mark.parametrize("began", ["fp32", "bf16"])
def test_a_run_goes_on_in_the_precision_it_began_in(tiny, monkeypatch, breaks_off, capsys, began):
    cfg = tiny(overrides=AUTO)
    cpu_with(monkeypatch, began == "bf16")
    saved = breaks_off(cfg)
    assert saved["precision"] == began
    cpu_with(monkeypatch, began == "fp32")  # another machine
    assert kit.fit(cfg)["precision"] == began
    assert f"resumes at step 2 of 4 in {began}" in "".join(capsys.readouterr())


def test_a_checkpoint_without_precision_goes_on_as_its_kit_computed(tiny, monkeypatch, breaks_off):
    cfg = tiny(overrides=AUTO)
    cpu_with(monkeypatch, False)
    saved = breaks_off(cfg)
    del saved["precision"]
    save_checkpoint(Path(cfg.run_dir) / "checkpoint.pt", saved)
    cpu_with(monkeypatch, True)
    assert kit.fit(cfg)["precision"] == "fp32"
    of_gpu = {"processes": [{"random": {"cuda": [torch.zeros(1)]}}], "scaler": None}
    assert began_in(cfg, of_gpu) == "bf16" and began_in(cfg, of_gpu | {"scaler": {}}) == "fp16"
    assert began_in(tiny(overrides={"train.precision": "fp32"}), of_gpu) == "fp32"


def test_a_run_begun_in_float16_does_not_go_on_without_its_gpu(tiny, monkeypatch, breaks_off):
    cfg = tiny(overrides=AUTO)
    cpu_with(monkeypatch, False)
    checkpoint = Path(cfg.run_dir) / "checkpoint.pt"
    save_checkpoint(checkpoint, breaks_off(cfg) | {"precision": "fp16"})
    with pytest.raises(KitError, match=r"run was begun in fp16, which needs a CUDA GPU .*or choose another run_dir"):
        kit.fit(cfg)
    assert load_checkpoint(checkpoint)["step"] == 2  # nothing is lost


def test_weights_statistics_and_moments_stay_float32_under_bfloat16(tiny, breaks_off):
    saved = breaks_off(tiny("cps", overrides={"train.precision": "bf16"}))
    moments = [v for state in saved["optimizer"]["state"].values() for v in state.values()]
    tensors = [*saved["method"].values(), *saved["average"].values(), *moments]
    assert {t.dtype for t in tensors} == {torch.float32, torch.int64} and len(moments) > 100


def test_evaluation_is_in_the_protocols_precision_and_says_so(tiny, scenes, tmp_path):
    half, full = (
        kit.fit(tiny(run_dir=str(tmp_path / name), overrides={"train.precision": "bf16", **changed}))
        for name, changed in (("half", {"evaluate.precision": "bf16"}), ("full", {}))
    )
    assert "bf16" in half["protocol"] and half["protocol_fields"]["precision"] == "bf16"
    assert "bf16" not in full["protocol"] and full["protocol_fields"]["precision"] == "fp32"
    image = next((scenes / "leftImg8bit/val").rglob("*.png"))
    shown = [kit.load(tmp_path / name).probabilities(image) for name in ("half", "full")]
    assert all(p.dtype == torch.float32 for p in shown)
    assert 0 < (shown[0] - shown[1]).abs().mean() < 0.01
    with torch.autocast("cpu", torch.bfloat16):  # whatever stands around it
        again = kit.load(tmp_path / "full").probabilities(image)
    assert torch.equal(again, shown[1])
    assert RunFolder(tmp_path / "half").config().evaluate.precision == "bf16"
