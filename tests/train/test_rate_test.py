import json
import math

import pytest

from kit.__main__ import main
from kit.errors import KitError
from kit.settings.fields import replace_fields, to_dict
from kit.train.rate_test import DIVERGED, smooth, try_rates


def test_smoothing_keeps_constants_and_has_no_lag():
    assert smooth([2.0] * 30, 30) == pytest.approx([2.0] * 30)
    peak = smooth([0.0] * 20 + [1.0] + [0.0] * 20, 41)
    assert peak.index(max(peak)) == 20 and peak == pytest.approx(peak[::-1])


def test_a_rate_is_suggested_and_the_run_is_left_alone(tiny, tmp_path, capsys):
    cfg = tiny("supervised")
    (tmp_path / "cfg.json").write_text(json.dumps(to_dict(cfg)))
    assert main(["lr", str(tmp_path / "cfg.json"), "--steps", "12", "--high", "10", "--out", str(tmp_path / "lr")]) == 0
    assert "suggested optim.lr: " in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir() if path.name != "cache"} == {"cfg.json", "lr.pdf", "lr.png"}
    test = try_rates(cfg, low=1e-6, high=10, steps=12)
    assert test.rates[0] == 1e-6 and all(a < b for a, b in zip(test.rates, test.rates[1:], strict=False))
    assert 1e-5 < test.suggested == test.lowest / 10 < 0.1


def test_a_test_ends_where_the_loss_diverges(tiny):
    cfg = replace_fields(tiny("supervised"), {"optim.name": "sgd", "optim.clip": 0.0})
    test = try_rates(cfg, low=1e-3, high=1e9, steps=24)
    assert len(test.losses) < 24 and all(map(math.isfinite, test.losses))
    assert max(test.losses) > DIVERGED * min(test.losses) or len(test.losses) < 20
    with pytest.raises(KitError, match="does not fall at any rate from 1e-09 to 1e-08"):
        try_rates(cfg, low=1e-9, high=1e-8, steps=10)
    with pytest.raises(KitError, match="low below high"):
        try_rates(cfg, low=1.0, high=0.1)
