"""UniMatch's settings beside those of its authors' files."""

import json
from pathlib import Path

import pytest

import kit
from kit.errors import KitError
from kit.settings.fields import flat
from kit.settings.recipes import RECIPES, configure
from kit.settings.recipes.unimatch import SPLITS, UNIMATCH_RECIPES
from kit.settings.run import METHOD_CONFIGS
from kit.system.paths import PROJECT

SAME = {  # in configs/*.yaml, unimatch.py, dataset/ and model/ of the authors, for both data sets
    "student.name": "deeplab_resnet101", "student.dropout": 0.0, "student.encoder": "timm", "student.head": "smp",
    "data.scale": [0.5, 2.0], "data.labelled": 2 * 4, "data.unlabelled": 2 * 4, "data.jitter": 0.0,
    "optim.name": "sgd", "optim.weight_decay": 1e-4, "optim.decay_all": True, "optim.power": 0.9, "optim.warmup": 0,
    "optim.lag": 1,  # the rate is set after the step
    "method.sup_weight": 1 / 2, "method.strong_weight": 0.25 / 2, "method.feature_weight": 0.5 / 2,
    "method.cutmix": 0.5, "method.feature_dropout": 0.5, "method.feature_images": "all", "method.partner_pass": "eval",
    "method.ramp": 0.0, "evaluate.flip": False, "evaluate.scales": [1.0], "evaluate.combine": "probabilities",
}  # fmt: skip
VALUES = {
    "voc_732": {"data.crop": [321, 321], "optim.lr": 0.001, "optim.decoder_lr": 10.0, "method.threshold": 0.95,
                "method.ohem_min_kept": 0, "train.steps": 80 * (9850 // 4 // 2), "evaluate.mode": "whole"},
    "cityscapes_1_16": {"data.crop": [801, 801], "optim.lr": 0.005, "optim.decoder_lr": 1.0, "method.threshold": 0.0,
                        "method.ohem_threshold": 0.7, "method.ohem_min_kept": 200_000 * 4,
                        "train.steps": 240 * (2792 // 4 // 2), "evaluate.mode": "slide",
                        "evaluate.window": [801, 801]},
}  # fmt: skip


@pytest.mark.parametrize("setting", VALUES)
def test_settings_are_the_authors_value_by_value(setting):
    wanted = {**SAME, **VALUES[setting]}
    has = flat(RECIPES[f"unimatch_{setting}"]("unimatch"))
    assert {name: has[name] for name in wanted} == wanted
    assert has["data.split"] == f"splits/{setting.split('_')[0]}/unimatch_{setting.split('_', 1)[1]}"


def test_every_list_of_the_authors_has_a_recipe_and_its_length():
    for dataset, lists in SPLITS.items():
        known = json.loads((PROJECT / f"splits/{dataset}.json").read_text())["protocols"]
        theirs = {use.removeprefix("UniMatch "): entry["unlabelled"] for entry in known for use in entry["used_by"]
                  if use.startswith("UniMatch ")}  # fmt: skip
        assert theirs == lists
        assert {f"unimatch_{dataset}_{name}" for name in lists} < UNIMATCH_RECIPES.keys() < RECIPES.keys()
    assert len(UNIMATCH_RECIPES) == 16
    with pytest.raises(KitError, match="split .*92, 183"):
        kit.settings.recipes.unimatch.unimatch_voc("93")


@pytest.mark.parametrize("recipe", ["unimatch_voc_92", "unimatch_cityscapes_1_8"])
def test_rows_of_the_table_differ_in_the_method_alone(recipe):
    rows = {method: flat(RECIPES[recipe](method)) for method in METHOD_CONFIGS}
    for row in rows.values():
        other = {name for name in row if not name.startswith("method.") and row[name] != rows["unimatch"][name]}
        assert other <= {"run_dir"}
    assert rows["fixmatch"]["method.partner_pass"] == "eval"
    with pytest.raises(KitError, match="unknown method 'own'; .*unimatch"):
        RECIPES[recipe]("own")


@pytest.mark.parametrize("method", ["unimatch", "trikd"])
def test_a_run_of_the_recipe_takes_crops_of_one_pixel_more(scenes, tmp_path, method):
    views = {"method.cnn.name": "deeplab_demo", "method.vit.name": "deit_demo"} if method == "trikd" else {}
    cfg = configure(method, "unimatch_voc_92", {
        **views, "student.name": "deeplab_demo", "data.crop": (33, 49), "data.labelled": 2, "data.unlabelled": 2,
        "data.workers": 0, "evaluate.resamples": 10},
        dataset="synthetic", data_root=str(scenes), split="1_2", pretrained=False, steps=2,
        run_dir=str(tmp_path / "run"))  # fmt: skip
    result = kit.fit(cfg)
    assert result["steps"] == 2 and Path(cfg.run_dir, "student.safetensors").is_file()
