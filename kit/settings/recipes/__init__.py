"""RECIPES: name -> function returning a full RunConfig for a method. A recipe is a setting (data, student, budget)
in which every method can be run, so that rows of a table differ only in the method. Published settings are functions
of the student's size and the labelled share; RECIPES lists them under names such as "trikd_cityscapes_21m_1_8".
"""

from kit.errors import KitError, unknown
from kit.settings.fields import replace_fields
from kit.settings.recipes.light import camvid, camvid_tuned, demo, folder
from kit.settings.recipes.mgd import MGD_RECIPES
from kit.settings.recipes.tiny import tiny, tiny_official
from kit.settings.recipes.trikd import TRIKD_RECIPES
from kit.settings.recipes.unimatch import UNIMATCH_RECIPES
from kit.settings.run import RunConfig
from kit.system.paths import with_home

RECIPES = (
    {f.__name__: f for f in (demo, camvid, camvid_tuned, folder, tiny, tiny_official)}
    | TRIKD_RECIPES
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
        method: a key of `kit.settings.run.METHOD_CONFIGS`.
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
        changes["data.split"] = "1_8"  # the recipe's lists belong to its own data set
    return replace_fields(base, {name: with_home(value) for name, value in {**changes, **(overrides or {})}.items()})
