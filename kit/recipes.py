"""RECIPES: name -> function returning a full RunConfig for a method. A recipe is a setting (data, student, budget)
in which every method can be run, so that rows of a table differ in the method alone. Published settings are functions
of the student's size and the labelled share, and stand in RECIPES by names such as "trikd_cityscapes_21m_1_8".
"""

import math
from functools import partial

from kit.ablations import official
from kit.checks import require_choice
from kit.config import (
    METHOD_CONFIGS,
    CPSConfig,
    DataConfig,
    EvalConfig,
    MethodConfig,
    ModelConfig,
    OptimConfig,
    RunConfig,
    SupervisedConfig,
    TrainConfig,
    TriKDConfig,
)
from kit.errors import KitError, unknown
from kit.fields import replace_fields
from kit.light_recipes import camvid, demo, folder
from kit.mgd_recipes import MGD_RECIPES, published_methods, published_protocol, small_methods
from kit.unimatch_recipes import UNIMATCH_RECIPES


def tiny(method: str) -> RunConfig:
    """Drawn street scenes and the smallest networks, from random weights: for trying the machinery, and for tests."""
    return RunConfig(
        recipe="tiny",
        method=_small_method(method),
        student=_small("tinyvit_demo"),
        pretrained=False,
        data=DataConfig(dataset="synthetic", root="data/synthetic", split="splits/synthetic/1_16",
                        base_size=(96, 192), crop=(96, 96), scale=(0.75, 1.5), jitter=0.1,
                        labelled=8, unlabelled=8, cache=True, observe=True),
        optim=OptimConfig(name="adamw", lr=3e-3, weight_decay=0.01, warmup=20, clip=5.0),
        train=TrainConfig(steps=300, log_every=10, eval_every=100, checkpoint_every=50, ema_decay=0.98,
                          keep_views=True),
        evaluate=EvalConfig(batch=4),
        run_dir=f"runs/tiny/{method}",
    )  # fmt: skip


def study(method: str) -> RunConfig:
    """`tiny` with a budget that lets networks from random weights converge further."""
    return replace_fields(
        tiny(method),
        {"recipe": "study", "train.steps": 900, "train.eval_every": 0, "train.checkpoint_every": 100,
         "train.ema_decay": 0.99,
         "run_dir": f"runs/study/{method}"},
    )  # fmt: skip


def tiny_official(method: str) -> RunConfig:
    """`tiny` with every switch as TriKD's authors have it."""
    return replace_fields(
        tiny(method),
        {**official(method), **({"method.vit.grid": [6, 6]} if method == "trikd" else {}), "recipe": "tiny_official",
         "run_dir": f"runs/tiny_official/{method}"},
    )  # fmt: skip


def trikd_cityscapes(size: str = "21m", share: str = "1_8", method: str = "trikd") -> RunConfig:
    """TriKD on Cityscapes, in the form this kit holds for right: 300 epochs over the unlabelled images, crops of 512,
    SGD at 0.005, eight labelled and eight unlabelled images a step (theirs: two and two on each of four GPUs).

    OHEM keeps 800,000 pixels of a step, where the authors keep 200,000 on each GPU. The split is the kit's own draw;
    for the lists of a paper, name their folder in `data.split`.

    Args:
        size: of the student, "11m" or "21m".
        share: labelled share, "1_16", "1_8", "1_4" or "1_2".
        method: any key of `METHOD_CONFIGS`, for other rows of the same table.
    """
    return _published("cityscapes", 2975, 300, size, share, method)


def trikd_official_cityscapes(size: str = "21m", share: str = "1_8", method: str = "trikd") -> RunConfig:
    """`trikd_cityscapes` with every switch as the authors' code has it (`kit.ablations.OFFICIAL`), and windows combined
    by logits, as their eval.py does."""
    name = f"trikd_official_cityscapes_{size}_{share}"
    return replace_fields(
        trikd_cityscapes(size, share, method),
        {**official(method), "evaluate.combine": "logits", "recipe": name, "run_dir": f"runs/{name}/{method}"},
    )


def trikd_voc(size: str = "21m", share: str = "1_8", method: str = "trikd") -> RunConfig:
    """TriKD on Pascal VOC's 10,582 training images. The authors published settings for Cityscapes alone: here are
    theirs, with the 80 epochs that are customary on VOC. Arguments as of `trikd_cityscapes`."""
    return _published("voc", 10582, 80, size, share, method)


def _published(dataset: str, images: int, epochs: int, size: str, share: str, method: str) -> RunConfig:
    require_choice(SIZES, size=size)
    require_choice(SHARES, share=share)
    labelled = math.ceil(images / int(share.removeprefix("1_")))
    steps = epochs * (math.ceil((images - labelled) / 4) // 2)  # four processes, two images each, the odd one dropped
    settings = {
        **published_methods(dataset, 800_000),
        "cps": CPSConfig(ohem_min_kept=800_000),
        "trikd": TriKDConfig(low_weight={"11m": 0.9, "21m": 0.5}[size], ohem_min_kept=800_000),
    }
    if method not in METHOD_CONFIGS:
        raise unknown("method", method, METHOD_CONFIGS)
    name = f"trikd_{dataset}_{size}_{share}"
    return RunConfig(
        recipe=name,
        method=settings.get(method) or METHOD_CONFIGS[method](),
        student=ModelConfig(name=f"tinyvit_{size}"),
        data=DataConfig(dataset=dataset, root=f"data/{dataset}", split=share, crop=(512, 512), scale=(0.5, 2.0),
                        labelled=8, unlabelled=8, workers=4),
        optim=OptimConfig(name="sgd", lr=0.005, weight_decay=1e-4),
        train=TrainConfig(steps=steps, log_every=50, eval_every=steps // 30, checkpoint_every=500),
        evaluate=published_protocol(dataset, (512, 512)),
        run_dir=f"runs/{name}/{method}",
    )  # fmt: skip


def _small(name: str) -> ModelConfig:
    # A fixed radius of 10 bins lets nearly everything pass on maps this small, and so few channels can spare none.
    return ModelConfig(name=name, d0_relative=True, dropout=0.0)


def _small_method(name: str) -> MethodConfig:
    """Settings of a method for the smallest networks; see `small_methods` for all but these two. TriKD's weights are
    the published ones, with the others' ramp."""
    settings = {
        "supervised": SupervisedConfig(ohem_min_kept=28_000),
        **small_methods(ohem_min_kept=28_000),
        "trikd": TriKDConfig(cnn=_small("resnet_demo"), vit=_small("deit_demo"), ramp=0.5,
                             ohem_min_kept=28_000),
    }  # fmt: skip
    if name not in settings:
        raise unknown("method", name, settings)
    return settings[name]


SIZES, SHARES = ("11m", "21m"), ("1_16", "1_8", "1_4", "1_2")

RECIPES = (
    {f.__name__: f for f in (demo, camvid, folder, tiny, tiny_official, study)}
    | {
        f"{f.__name__}_{size}_{share}": partial(f, size, share)
        for f in (trikd_cityscapes, trikd_official_cityscapes, trikd_voc)
        for size in SIZES
        for share in SHARES
    }
    | MGD_RECIPES
    | UNIMATCH_RECIPES
)

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
    "num_processes": "train.processes",
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
