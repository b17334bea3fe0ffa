import math

import pytest
import torch

import kit
from kit.methods.cps import CPS
from kit.runs.folder import RunFolder
from kit.train.monitor.pseudo_labels import alarm, scalars, shares


def counts(predicted, labelled=(1.0, 1.0, 1.0, 1.0)):
    return {"predicted": torch.tensor(predicted), "labelled": torch.tensor(labelled),
            "coverage": torch.tensor([1.0, 4.0]), "sure_accuracy": torch.tensor([0.0, 0.0])}  # fmt: skip


def test_sums_become_shares_and_nothing_becomes_none():
    seen = shares(counts([2.0, 2.0, 0.0, 0.0]))
    assert seen == {"predicted": [0.5, 0.5, 0.0, 0.0], "labelled": [0.25] * 4, "coverage": 0.25, "sure_accuracy": None,
                    "diversity": 2.0, "labelled_diversity": 4.0}  # fmt: skip
    assert shares({}) == {} and shares(counts([0.0] * 4))["diversity"] is None
    uneven = shares(counts([3.0, 1.0, 0.0, 0.0]))["diversity"]
    assert uneven == pytest.approx(math.exp(-0.75 * math.log(0.75) - 0.25 * math.log(0.25)), abs=1e-3)


@pytest.mark.parametrize(
    ("predicted", "labelled", "done", "raised"),
    [
        ([1.0, 0.0, 0.0, 0.0], [1.0] * 4, 50, True),
        ([1.0, 0.0, 0.0, 0.0], [1.0] * 4, 5, False),  # too early to say
        ([1.0, 1.0, 0.0, 0.0], [1.0] * 4, 50, False),
        ([1.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0], 50, False),  # labels are no more diverse
        ([0.0] * 4, [1.0] * 4, 50, False),  # nothing was predicted
    ],
)
def test_the_alarm_is_about_few_classes_where_labels_have_many(predicted, labelled, done, raised):
    line = alarm(shares(counts(predicted, labelled)), done, 100)
    assert (line is not None) == raised
    assert line is None or line == "pseudo labels have collapsed to about 1.0 classes, where labels have 4.0"


def test_every_number_has_a_name_of_its_own():
    flat = scalars(shares(counts([2.0, 2.0, 0.0, 0.0])), ("a", "b", "c", "d"))
    assert flat["pseudo_predicted/b"] == 0.5 and flat["pseudo/coverage"] == 0.25 and "pseudo/sure_accuracy" not in flat
    assert len(flat) == 8 + 3


def test_a_run_logs_what_its_pseudo_labels_are_like(tiny):
    cfg = tiny("fixmatch", overrides={"data.observe": True})
    kit.fit(cfg)
    lines = [record for record in RunFolder(cfg.run_dir).log() if "loss" in record]
    assert all(
        record["pseudo"].keys()
        == {"predicted", "taught", "labelled", "coverage", "agreement", "accuracy", "sure_accuracy", "diversity",
            "labelled_diversity"}
        for record in lines
    )  # fmt: skip
    assert all(len(record["pseudo"]["predicted"]) == 19 and 0 <= record["pseudo"]["accuracy"] <= 1 for record in lines)
    unread = tiny("fixmatch", overrides={"data.observe": False}, run_dir=cfg.run_dir + "_unread")
    kit.fit(unread)
    log = RunFolder(unread.run_dir).log()
    assert "accuracy" not in log[0]["pseudo"] and log[0]["loss"] == lines[0]["loss"]  # statistics change nothing


def test_a_collapse_is_said_once_and_written_down_every_time(tiny, monkeypatch, capsys):
    forward = CPS.forward

    def collapsed(self, batch, progress):
        out = forward(self, batch, progress)
        one = torch.zeros(19)
        one[3] = 10.0
        return out._replace(stats={**out.stats, "predicted": one})

    monkeypatch.setattr(CPS, "forward", collapsed)
    cfg = tiny("cps", steps=6)
    kit.fit(cfg)
    alarms = [record["alarm"] for record in RunFolder(cfg.run_dir).log() if "alarm" in record]
    assert len(alarms) == 3 and "collapsed to about 1.0 classes" in alarms[0]
    alarms_printed = [line for line in capsys.readouterr().out.splitlines() if "ALARM" in line]
    assert len(alarms_printed) == 1 and "step 2" in alarms_printed[0]
