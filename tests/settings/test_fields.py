import ast
import inspect
import json

import pytest

from kit.errors import KitError
from kit.settings import baselines, method, network
from kit.settings import run as config
from kit.settings.fields import differences, from_dict, replace_fields, to_dict
from kit.settings.recipes import RECIPES, SHORT_NAMES, configure
from kit.settings.run import METHOD_CONFIGS, RunConfig


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("method", METHOD_CONFIGS)
def test_every_recipe_survives_json(recipe, method):
    cfg = RECIPES[recipe](method)
    assert cfg.recipe == recipe and cfg.method.name == method
    assert from_dict(json.loads(json.dumps(to_dict(cfg)))) == cfg


@pytest.mark.parametrize("module", [baselines, config, method, network])
def test_every_field_is_documented_by_a_string_below_it(module):
    undocumented = []
    for cls in ast.parse(inspect.getsource(module)).body:
        if isinstance(cls, ast.ClassDef) and cls.name != "RunConfig":
            for here, after in zip(cls.body, [*cls.body[1:], None], strict=True):
                public = isinstance(here, ast.AnnAssign) and "ClassVar" not in ast.unparse(here.annotation)
                if public and not (isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)):
                    undocumented.append(f"{cls.name}.{here.target.id}")
    assert not undocumented


def test_short_names_are_fields():
    cfg = configure(method="trikd")
    for name, dotted in SHORT_NAMES.items():
        value = to_dict(cfg)
        for part in dotted.split("."):
            value = value[part]
        assert configure(method="trikd", **{name: value}) == cfg, name


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train.stpes": 3}, "did you mean 'steps'"),
        ({"stpes": 3}, "unknown setting"),
        ({"method.cnn.nmae": "x"}, "did you mean 'name'"),
        ({"train.steps": "50"}, "train.steps must be int, got '50'"),
        ({"train.steps": True}, "train.steps must be int"),
        ({"train.steps": 0}, "steps must be above 0"),
        ({"data.crop": (128,)}, "data.crop must be"),
        ({"data.crop": (128, "a")}, "data.crop must be int"),
        ({"data.labelled": 0}, "labelled must be 1 or more"),
        ({"data.scale": (2.0, 0.5)}, "data.scale"),
        ({"data.scale": (0.5, float("inf"))}, "0 < low <= high, both finite"),
        ({"optim.name": "adam"}, "sgd, adamw"),
        ({"run_dir": ""}, "run_dir is empty; name a folder"),
        ({"method.name": "mgd"}, "method.name is .*; choose another by method, not"),
        ({"optim.lr": float("nan")}, "lr must be above 0"),
        ({"method.ramp": 1.5}, "between 0 and 1"),
        ({"train.accumulate": 0}, "accumulate must be above 0"),
        ({"method.views": ["cnn", "vit"]}, "method.views must be"),
        ({"method.views": ["student", "gnn"]}, "student, cnn, vit, got 'gnn'"),
        ({"method.views": ["student", 3]}, "method.views must be str"),
        ({f"method.{t}_weight": 0 for t in ("sup", "sup_cnn", "sup_vit", "cps", "low", "high")}, "every weight"),
        ({"student.d0": 0}, "d0 must be above 0"),
        ({"student.selection": "high"}, "frequency, swapped, plain"),
    ],
)
def test_wrong_settings_are_refused_with_the_way_out(changes, message):
    with pytest.raises(KitError, match=message.replace("(", r"\(")):
        replace_fields(RECIPES["tiny"]("trikd"), changes)


def test_unknown_names_are_refused_with_choices():
    with pytest.raises(KitError, match="unknown method 'foo'; choose one of: cps, distill, fixmatch, mean_teacher"):
        configure(method="foo")
    with pytest.raises(KitError, match="unknown recipe 'big'; choose one of: camvid, camvid_tuned, demo"):
        configure(recipe="big")
    with pytest.raises(KitError, match="unknown parameter 'stpes'"):
        configure(stpes=3)
    with pytest.raises(KitError, match="unknown method 'meanteacher'"):
        from_dict({"method": {"name": "meanteacher"}})


def test_an_int_is_a_float_and_a_list_is_a_tuple():
    cfg = replace_fields(RunConfig(), {"optim.lr": 1, "data.crop": [64, 96], "data.base_size": [10, 20]})
    assert cfg.optim.lr == 1.0 and isinstance(cfg.optim.lr, float)
    assert cfg.data.crop == (64, 96) and cfg.data.base_size == (10, 20)


def test_infinity_survives_json():
    cfg = replace_fields(RunConfig(), {"student.d0": float("inf")})
    assert cfg.student.d0 == float("inf") and from_dict(json.loads(json.dumps(to_dict(cfg), allow_nan=False))) == cfg


def test_the_recipe_follows_the_data_set():
    assert configure(dataset="camvid").recipe == "camvid"
    assert configure(dataset="folder").data.split == "masks"
    other = configure(dataset="cityscapes")
    assert (other.recipe, other.data.split) == ("demo", "1_8")  # the demo's own lists would not fit
    assert configure(dataset="cityscapes", split="1_4").data.split == "1_4"


def test_differences_are_named():
    a = RECIPES["tiny"]("cps")
    assert differences(a, replace_fields(a, {"seed": 3, "method.ramp": 0.1})) == ["method.ramp", "seed"]
