import argparse

import pytest
import torch

from kit.__main__ import main
from kit.bench import bf16, trikd
from kit.bench.plain.trikd import plain, plain_kl, sorted_ohem
from kit.errors import KitError
from kit.losses.distill import attention_kl
from kit.losses.supervised import ohem_cross_entropy
from kit.models.build import build_model
from kit.settings.run import ModelConfig
from kit.system.turns import interleaved
from kit.types import IGNORE

SMALL = ["--size", "demo", "--crop", "32", "--repeats", "1", "--steps", "2"]


@pytest.fixture(autouse=True)
def bfloat16(monkeypatch):
    """Rows in bfloat16 on every CPU, be it emulated."""
    monkeypatch.setattr(bf16, "cpu_has_bfloat16", lambda: True)


@pytest.mark.parametrize("part", trikd.PARTS)
def test_every_part_compares_and_ends_with_its_ratio(part, capsys):
    assert main(["bench", "trikd", *SMALL, "--part", part, "--no-memory"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith(f"{part}, s") for line in lines) and float(lines[-1].removeprefix("ratio=")) > 0
    rows = [line.startswith(("step, bfloat16, s", "loss after 2 steps")) for line in lines]
    assert sum(rows) == (2 if part == "step" else 0)


def test_each_row_says_its_switches_and_the_split_is_run_with_both_filters(monkeypatch, capsys):
    seen = []
    instant = dict.fromkeys(("plain", "ours"), float)
    for part in trikd.PARTS:
        monkeypatch.setitem(
            trikd.MEASURES, part, lambda options, part=part: seen.append((part, options.recipe)) or instant
        )
    monkeypatch.setattr(trikd, "compare_learning", lambda *_: None)
    main(["bench", "trikd", "--crop", "512", "--repeats", "1", "--recipe", "default", "--no-memory"])
    rows = [line for line in capsys.readouterr().out.splitlines() if line.split(",")[0] in trikd.PARTS]
    assert seen == [("step", "default"), ("split", "default"), ("split", "official"), ("ohem", "default"),
                    ("inference", "default")]  # fmt: skip
    for row, words in zip(rows, ("trikd_cityscapes", "filter exact", "filter official", "200000", "trikd_cityscapes"),
                          strict=True):  # fmt: skip
        assert row.endswith(words) or words in row


def test_peak_memory_is_that_of_another_process(monkeypatch, capsys):
    instant = dict.fromkeys(("plain", "ours"), float)
    monkeypatch.setitem(trikd.MEASURES, "step", lambda options: instant)
    peaks = {"plain": 8.0, "ours": 4.0, "bf16": 2.0, "recomputed": 1.0}
    monkeypatch.setattr(trikd, "peak_memory", lambda make, side, options: peaks[side])
    main(["bench", "trikd", *SMALL, "--part", "step"])
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("peak memory")]
    for row, words, ratio in zip(rows, ("GB", "bfloat16", "recomputed"), (2, 4, 8), strict=True):
        assert words in row and f" {ratio}.00 " in row


def test_a_cpu_without_bfloat16_has_no_row_of_it(monkeypatch, capsys):
    monkeypatch.setattr(bf16, "cpu_has_bfloat16", lambda: False)
    monkeypatch.setitem(trikd.MEASURES, "step", lambda options: dict.fromkeys(("plain", *options.sides), float))
    main(["bench", "trikd", *SMALL, "--part", "step", "--no-memory"])
    told = capsys.readouterr().out
    assert "this CPU has no bfloat16" in told and "step, s" in told and "step, bfloat16" not in told


def test_a_format_that_learns_something_else_is_not_timed(capsys):
    losses = {"fp32": [3.0, 2.0], "bf16": [3.0, 2.03]}
    with pytest.raises(KitError, match="bfloat16 learns something other than float32"):
        bf16.compare_learning(
            lambda row, options, rate: iter([{"sup": loss} for loss in losses[row]]).__next__,
            {"fp32": "fp32", "bf16": "bf16"}, argparse.Namespace(steps=2, crop=32), 0.1,
        )  # fmt: skip
    assert "1.50% apart, 1% allowed" in capsys.readouterr().out


def test_what_is_not_equal_is_not_timed(monkeypatch, capsys):
    monkeypatch.setattr(trikd, "ohem_cross_entropy", lambda *arguments: 1.001 * ohem_cross_entropy(*arguments))
    assert main(["bench", "trikd", *SMALL, "--part", "ohem"]) == 2
    captured = capsys.readouterr()
    assert "OHEM differs from the plain form by 1.0e-03" in captured.err and "ratio=" not in captured.out
    assert main(["bench", "nothing"]) == 2 and "choose one of: " in capsys.readouterr().err


def test_variants_take_turns():
    order = []
    seconds = interleaved({name: lambda name=name: order.append(name) for name in "ab"}, repeats=2)
    assert order == ["a", "b"] * 3 and {name: len(times) for name, times in seconds.items()} == {"a": 2, "b": 2}


@pytest.mark.parametrize(
    "settings",
    [{"name": "tinyvit_demo"}, {"name": "tinyvit_demo", "last_block": "global"}, {"name": "resnet_demo"},
     {"name": "deit_demo"}, {"name": "deit_demo", "pyramid": "official", "filter_centre": "official"}],
    ids=lambda settings: "-".join(settings.values()),
)  # fmt: skip
def test_the_plain_networks_are_the_kits(settings):
    net = build_model(ModelConfig(**settings), 3, pretrained=False).double().eval()
    images, attend = torch.randn(2, 3, 64, 96, dtype=torch.float64), net.encoder.heads > 0
    ours, reference = net(images, attend), plain(net)(images, attend)
    torch.testing.assert_close(ours.logits, reference.logits, rtol=1e-9, atol=1e-11)
    if attend:
        torch.testing.assert_close(ours.scores, reference.scores, rtol=1e-9, atol=1e-11)
    assert not any("table" in module.__dict__ for module in net.modules())


@pytest.mark.parametrize("resize", ["grids", "table"])
@pytest.mark.parametrize("reduction", ["queries", "elements"])
def test_the_plain_divergence_is_the_kits(resize, reduction):
    student = torch.randn(2, 3, 2, 3, 2, 3, dtype=torch.float64)
    teacher = torch.randn(2, 3, 4, 5, 4, 5, dtype=torch.float64)
    kl = [f(student, teacher, resize, reduction) for f in (attention_kl, plain_kl)]
    torch.testing.assert_close(*kl, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("threshold", "kept"), [(0.7, 10), (0.01, 30), (0.5, 1000)])
def test_the_plain_ohem_is_the_kits(threshold, kept):
    logits, labels = torch.randn(2, 4, 6, 5), torch.randint(0, 4, (2, 6, 5))
    labels[0, :2] = IGNORE
    torch.testing.assert_close(
        sorted_ohem(logits, labels, threshold, kept), ohem_cross_entropy(logits, labels, threshold, kept)
    )
