import dataclasses
import re

import pytest

from kit.__main__ import main
from kit.bench import mgd


def test_the_official_form_gives_the_gradient_of_twelve_forwards():
    assert mgd.gradient_difference("demo", 64, 2) < mgd.TOLERANCE


def test_a_term_too_few_is_noticed(monkeypatch):
    whole = mgd.plain_loss

    def without_regions(nets, images, cfg):
        return whole(nets, images, dataclasses.replace(cfg, region_weight=0.0))

    monkeypatch.setattr(mgd, "plain_loss", without_regions)
    assert mgd.gradient_difference("demo", 64, 2) > 1e-4


def test_from_the_command_line(capsys):
    assert main(["bench", "mgd", "--size", "demo", "--crop", "64", "--repeats", "1"]) == 0
    told = capsys.readouterr().out.strip().splitlines()
    assert re.fullmatch(r"ratio=\d+\.\d\d", told[-1]) and any("gradients agree to" in line for line in told)


def test_gradients_that_differ_are_not_timed(monkeypatch, capsys):
    monkeypatch.setattr(mgd, "gradient_difference", lambda *_: 1e-3)
    assert main(["bench", "mgd", "--size", "demo", "--crop", "64", "--repeats", "1"]) == 2
    assert "ratio" not in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["bench", "mgd", "--size", "large"])
