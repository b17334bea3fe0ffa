import ast
import inspect

import pytest

from kit.errors import KitError
from kit.methods.build import build_method
from kit.settings.ablations import ABLATIONS, OFFICIAL, official
from kit.settings.fields import differences, replace_fields
from kit.settings.recipes import RECIPES, configure
from kit.settings.recipes.tiny import tiny
from kit.settings.recipes.trikd import trikd_cityscapes, trikd_official_cityscapes, trikd_voc
from kit.settings.run import ModelConfig, OptimConfig, RunConfig, TriKDConfig


def test_steps_are_the_published_epochs_over_the_unlabelled_list():
    steps = [trikd_cityscapes("21m", share).train.steps for share in ("1_16", "1_8", "1_4", "1_2")]
    assert steps == [300 * n for n in (349, 325, 279, 186)]  # 2789, 2603, 2231, 1487 images in eights


@pytest.mark.parametrize(("size", "weight"), [("11m", 0.9), ("21m", 0.5)])
def test_published_numbers(size, weight):
    for cfg in (trikd_cityscapes(size), trikd_official_cityscapes(size), trikd_voc(size)):
        assert (cfg.student.name, cfg.method.low_weight, cfg.method.cps_weight) == (f"tinyvit_{size}", weight, 0.1)
        assert (cfg.optim.name, cfg.optim.lr, cfg.optim.weight_decay, cfg.optim.power) == ("sgd", 0.005, 1e-4, 0.9)
        assert (cfg.data.crop, cfg.data.scale, cfg.data.jitter) == ((512, 512), (0.5, 2.0), 0.0)
        assert (cfg.data.labelled, cfg.data.unlabelled, cfg.pretrained) == (8, 8, True)
        assert (cfg.method.ohem_threshold, cfg.method.ohem_min_kept) == (0.7, 800_000)


def test_official_and_fixed_differ_in_the_switches_alone():
    fixed, theirs = trikd_cityscapes("21m", "1_8"), trikd_official_cityscapes("21m", "1_8")
    same = {name for name in official() if name.endswith((".d0", ".d0_relative", ".sup_vit_loss"))}
    assert set(differences(fixed, theirs)) == official().keys() - same | {"recipe", "run_dir", "evaluate.combine"}
    assert fixed.method.high_weight == 0.1 and theirs.method.high_weight == 0.5


def test_a_published_setting_by_name_with_one_change():
    cfg = configure(recipe="trikd_official_cityscapes_21m_1_8", overrides={"method.views": ["student", "cnn"]})
    assert cfg.method.views == ("student", "cnn") and cfg.optim.lag == 1
    assert configure(method="cps", recipe="trikd_cityscapes_11m_1_2").student.name == "tinyvit_11m"
    for arguments in (("5m", "1_8"), ("21m", "1_3"), ("21m", "1_8", "mdg")):
        with pytest.raises(KitError):
            trikd_cityscapes(*arguments)


def test_recipes_of_other_methods_keep_what_concerns_the_student():
    cfg = RECIPES["tiny_official"]("cps")
    assert cfg.student.last_block == "global" and cfg.optim.constant == ()


def test_every_switch_that_speaks_of_the_official_code_is_in_the_table():
    """Fields whose sentence says "official" are those that OFFICIAL sets, and no others."""
    said = set()
    for cls in (ModelConfig, TriKDConfig, OptimConfig):
        body = ast.parse(inspect.getsource(cls)).body[0].body
        for here, after in zip(body, body[1:], strict=False):
            if isinstance(here, ast.AnnAssign) and isinstance(after, ast.Expr):
                text = after.value.value
                if "official" in text and "DeepLabv3+" not in text:  # those are of another paper
                    said.add(here.target.id)
    assert said == {name.split(".")[-1] for name in official()} - {"d0", "high_weight"}


@pytest.mark.parametrize("row", ABLATIONS)
def test_every_row_of_an_ablation_can_be_built_and_is_another_run(row):
    overrides = ABLATIONS[row]
    small = {**overrides, **({"method.vit.grid": [6, 6]} if "method.vit.grid" in overrides else {})}
    base = tiny("trikd")
    cfg = replace_fields(base, small)
    same = row in ("full", "official_vit_cross_entropy")
    assert (cfg == base) == same
    build_method(cfg, 3)


def test_the_rows_that_are_asked_for_are_there():
    assert {f"official_{row}" for row in OFFICIAL} < ABLATIONS.keys()
    assert {"without_cps", "without_low", "without_high", "without_cnn", "without_vit", "plain_laterals",
            "swapped_bands", "d0_1", "d0_5", "d0_10", "d0_20", "d0_inf"} < ABLATIONS.keys()  # fmt: skip
    assert replace_fields(RunConfig(method=TriKDConfig()), ABLATIONS["d0_inf"]).student.d0 == float("inf")
