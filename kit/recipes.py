"""RECIPES: name -> function returning a full RunConfig for a method. A recipe is a setting (data, student, budget)
in which every method can be run, so that rows of a table differ in the method alone.
"""

from kit.config import (
    CPSConfig,
    DataConfig,
    EvalConfig,
    ModelConfig,
    OptimConfig,
    RunConfig,
    SupervisedConfig,
    TrainConfig,
    TriKDConfig,
)
from kit.errors import KitError, unknown
from kit.fields import replace_fields


def demo(method: str) -> RunConfig:
    """Drawn street scenes, three small networks from random weights, a few minutes on two CPU cores."""
    return RunConfig(
        recipe="demo",
        method=_small_method(method),
        student=_small("tinyvit_demo"),
        pretrained=False,
        data=DataConfig(dataset="synthetic", root="data/synthetic", split="splits/synthetic/1_16",
                        base_size=(96, 192), crop=(96, 96), scale=(0.75, 1.5), jitter=0.1,
                        labelled=8, unlabelled=8, cache=True),
        optim=OptimConfig(name="adamw", lr=3e-3, weight_decay=0.01, warmup=20, clip=5.0),
        train=TrainConfig(steps=300, log_every=10, eval_every=100, checkpoint_every=50, ema_decay=0.98),
        evaluate=EvalConfig(batch=4),
        run_dir=f"runs/demo/{method}",
    )  # fmt: skip


def study(method: str) -> RunConfig:
    """The demo's setting with a budget that lets networks from random weights converge further."""
    return replace_fields(
        demo(method),
        {"recipe": "study", "train.steps": 900, "train.eval_every": 0, "train.checkpoint_every": 100,
         "train.ema_decay": 0.99,
         "run_dir": f"runs/study/{method}"},
    )  # fmt: skip


def camvid(method: str) -> RunConfig:
    """CamVid at a third of its size with the demo's networks, for a CPU; judged at full size."""
    return replace_fields(
        demo(method),
        {"recipe": "camvid", "data.dataset": "camvid", "data.root": "data/camvid", "data.split": "1_8",
         "data.base_size": (120, 160), "train.steps": 600, "train.eval_every": 200,
         "run_dir": f"runs/camvid/{method}"},
    )  # fmt: skip


def folder(method: str) -> RunConfig:
    """One's own images in the layout of `kit.data.catalog.folder_spec`; whatever has a mask is labelled."""
    return replace_fields(
        camvid(method),
        {"recipe": "folder", "data.dataset": "folder", "data.root": "data/mine", "data.split": "masks",
         "run_dir": f"runs/folder/{method}"},
    )  # fmt: skip


def _small(name: str) -> ModelConfig:
    # A fixed radius of 10 bins lets nearly everything pass on maps this small, and so few channels can spare none.
    return ModelConfig(name=name, d0_relative=True, dropout=0.0)


def _small_method(name: str) -> SupervisedConfig | CPSConfig | TriKDConfig:
    """Settings of a method at demo size. Losses on unlabelled images rise over the first half of a run, because
    networks from random weights have nothing to teach at its start. TriKD's weights are the published ones; CPS's
    1.5 belongs to pretrained networks, so it is lowered to the pull per pseudo label that TriKD's student feels."""
    settings = {
        "supervised": SupervisedConfig(ohem_min_kept=28_000),
        "cps": CPSConfig(cps_weight=0.2, ramp=0.5, ohem_min_kept=28_000),
        "trikd": TriKDConfig(cnn=_small("resnet_demo"), vit=_small("deit_demo"), ramp=0.5,
                             ohem_min_kept=28_000),
    }  # fmt: skip
    if name not in settings:
        raise unknown("method", name, settings)
    return settings[name]


RECIPES = {f.__name__: f for f in (demo, study, camvid, folder)}

SHORT_NAMES = {
    "dataset": "data.dataset",
    "data_root": "data.root",
    "split": "data.split",
    "split_seed": "data.split_seed",
    "student": "student.name",
    "pretrained": "pretrained",
    "steps": "train.steps",
    "eval_every": "train.eval_every",
    "lr": "optim.lr",
    "workers": "data.workers",
    "seed": "seed",
    "run_dir": "run_dir",
}
"""Names of notebook parameters -> fields of RunConfig."""


def configure(method: str = "trikd", recipe: str = "", overrides: dict | None = None,
              **parameters: object) -> RunConfig:  # fmt: skip
    """A RunConfig from a notebook's parameters, checked before anything heavy starts.

    Args:
        method: a key of `kit.config.METHOD_CONFIGS`.
        recipe: a key of RECIPES; "" takes the one named like the data set, or "demo".
        overrides: any other field by its dotted name, such as {"method.cps_weight": 0.5}.
        parameters: names in SHORT_NAMES; None, "" and (for `steps` and `eval_every`) 0 keep the recipe's value.
    Raises: KitError naming an unknown name or a wrong value, with the choices.
    """
    for name in parameters:
        if name not in SHORT_NAMES:
            raise unknown("parameter", name, ["method", "recipe", "overrides", *SHORT_NAMES])
    given = {
        name: value
        for name, value in parameters.items()
        if not (value in (None, "") or (name in ("steps", "eval_every") and value == 0))
    }
    dataset = given.get("dataset")
    recipe = recipe or (dataset if dataset in RECIPES else "demo")
    if recipe not in RECIPES:
        raise unknown("recipe", recipe, RECIPES)
    if overrides is not None and not isinstance(overrides, dict):
        raise KitError(f'overrides must be a dict such as {{"method.cps_weight": 0.5}}, got {overrides!r}')
    base = RECIPES[recipe](method)
    changes = {SHORT_NAMES[name]: value for name, value in given.items()}
    if dataset not in (None, base.data.dataset) and "split" not in given:
        changes["data.split"] = "1_8"  # the recipe's lists are of its own data set
    return replace_fields(base, {**changes, **(overrides or {})})
