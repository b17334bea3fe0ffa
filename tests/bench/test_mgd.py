import argparse
import dataclasses
import re

import pytest

from kit.__main__ import main
from kit.bench import bf16, mgd


def test_the_official_form_gives_the_gradient_of_twelve_forwards():
    assert mgd.gradient_difference("demo", 64, 2) < mgd.TOLERANCE


def test_a_term_too_few_is_noticed(monkeypatch):
    whole = mgd.plain_loss

    def without_regions(nets, images, cfg):
        return whole(nets, images, dataclasses.replace(cfg, region_weight=0.0))

    monkeypatch.setattr(mgd, "plain_loss", without_regions)
    assert mgd.gradient_difference("demo", 64, 2) > 1e-4


def test_from_the_command_line(monkeypatch, capsys):
    monkeypatch.setattr(bf16, "cpu_has_bfloat16", lambda: True)
    peaks = dict(zip(("plain", *mgd.FORMS, *mgd.IN_BF16), (8.0, 4.0, 4.0, 2.0, 2.0), strict=True))
    monkeypatch.setattr(mgd, "peak_memory", lambda make, row, options: peaks[row])
    assert main(["bench", "mgd", "--size", "demo", "--crop", "64", "--repeats", "1", "--steps", "40"]) == 0
    told = capsys.readouterr().out.strip().splitlines()
    assert re.fullmatch(r"ratio=\d+\.\d\d", told[-1]) and any("gradients agree to" in line for line in told)
    assert any(re.match(r"loss after 40 steps at crop 64: float32 .* apart", line) for line in told)
    rows = [line for line in told if "bfloat16  " in line]
    assert [row.split(",")[0] for row in rows] == list(mgd.FORMS) and all(row.endswith(" 4.00") for row in rows)


def test_peak_memory_is_that_of_a_step_in_a_process_of_its_own():
    options = argparse.Namespace(size="demo", crop=64, batch=2)
    assert 0.1 < bf16.peak_memory(mgd.make_step, "fixed", options) < 10


def test_gradients_that_differ_are_not_timed(monkeypatch, capsys):
    monkeypatch.setattr(mgd, "gradient_difference", lambda *_: 1e-3)
    assert main(["bench", "mgd", "--size", "demo", "--crop", "64", "--repeats", "1"]) == 2
    assert "ratio" not in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["bench", "mgd", "--size", "large"])
