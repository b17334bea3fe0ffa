import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import kit
from kit.runs.folder import RunFolder
from kit.train import loop


def test_tensorboard_keeps_the_lines_that_the_log_keeps_when_a_run_breaks_off_in_an_evaluation(tiny, monkeypatch):
    cfg = tiny(overrides={"train.log_every": 1})

    def breaks(self):
        raise RuntimeError("pulled the plug")

    with monkeypatch.context() as patch:
        patch.setattr(loop.Run, "val_items", breaks)
        with pytest.raises(RuntimeError, match="plug"):
            kit.fit(cfg)
    kit.fit(cfg)
    events, log = EventAccumulator(f"{cfg.run_dir}/tensorboard"), RunFolder(cfg.run_dir).log()
    events.Reload()
    for scalar, field in (("train/loss", "loss"), ("val/miou", "miou")):
        assert [e.step for e in events.Scalars(scalar)] == [r["step"] for r in log if field in r]
