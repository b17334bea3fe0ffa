"""Parts that recipes share: settings of one method from a table's rows, and the setting of a published run."""

import dataclasses
import math

from kit.errors import unknown
from kit.settings.fields import replace_fields, to_dict
from kit.settings.run import (
    METHOD_CONFIGS,
    DataConfig,
    EvalConfig,
    MethodConfig,
    ModelConfig,
    OptimConfig,
    RunConfig,
    TrainConfig,
)


def method_settings(name: str, everywhere: dict[str, object], **own: dict[str, object]) -> MethodConfig:
    """Settings of a method: a row of a recipe's table.

    Args:
        name: a key of `METHOD_CONFIGS`.
        everywhere: values for every method that has these fields.
        own: method -> values for it alone, which override `everywhere`.
    Raises: KitError for an unknown name.
    """
    if name not in METHOD_CONFIGS:
        raise unknown("method", name, METHOD_CONFIGS)
    known = {field.name for field in dataclasses.fields(METHOD_CONFIGS[name])}
    shared = {field: value for field, value in everywhere.items() if field in known}
    return METHOD_CONFIGS[name](**shared | own.get(name, {}))


def published_method(name: str, dataset: str, ohem_min_kept: int, **own: dict[str, object]) -> MethodConfig:
    """Settings of a method with its published weights.

    Args:
        name: a key of `METHOD_CONFIGS`.
        dataset: "cityscapes" or "voc".
        ohem_min_kept: as in `SupervisedConfig`, for every method; TriKD always uses OHEM.
        own: as in `method_settings`.
    """
    city = dataset == "cityscapes"
    weights = {
        "cps": {"cps_weight": 6.0 if city else 1.5, "cutmix": True},
        "trikd": {"high_weight": 0.0, "ohem_min_kept": ohem_min_kept or 800_000},  # most students have no attention
    }
    everywhere = {"ohem_min_kept": ohem_min_kept, "threshold": 0.0 if city else 0.95,
                  "teacher_cps_weight": 5.0 if city else 1.0}  # fmt: skip
    return method_settings(name, everywhere, **weights | own)


def published_run(name: str, method: MethodConfig, student: ModelConfig, optim: OptimConfig, *, dataset: str,
                  split: str, crop: int, batch: int, steps: int, eval_every: int = 0) -> RunConfig:  # fmt: skip
    """A run in the field's common setting: square crops at scales of 0.5 to 2, `batch` labelled and `batch` unlabelled
    images per step. Cityscapes is evaluated by windows of the crop's size with stride two thirds, VOC whole."""
    window = {"mode": "slide", "window": (crop, crop)} if dataset == "cityscapes" else {}
    return RunConfig(
        recipe=name,
        method=method,
        student=student,
        data=DataConfig(dataset=dataset, root=f"data/{dataset}", split=split, crop=(crop, crop), scale=(0.5, 2.0),
                        labelled=batch, unlabelled=batch, workers=4),
        optim=optim,
        train=TrainConfig(steps=steps, log_every=50, eval_every=eval_every, checkpoint_every=500),
        evaluate=EvalConfig(batch=1, **window),
        run_dir=f"runs/{name}/{method.name}",
    )  # fmt: skip


def renamed(cfg: RunConfig, name: str, changes: dict[str, object]) -> RunConfig:
    """`cfg` with some fields changed, under the recipe name `name` and with its own folder."""
    return replace_fields(cfg, {**changes, "recipe": name, "run_dir": f"runs/{name}/{cfg.method.name}"})


def switches_for(cfg: RunConfig, switches: dict[str, object]) -> dict[str, object]:
    """The part of `switches` (dotted names) that the method of `cfg` has or that belongs to no method."""
    has = to_dict(cfg)["method"]
    return {k: v for k, v in switches.items() if not k.startswith("method.") or k.split(".")[1] in has}


def steps_of_four_gpus(epochs: int, unlabelled: int) -> int:
    """Steps of `epochs` over the unlabelled images in four processes with two images each, the odd one dropped."""
    return epochs * (math.ceil(unlabelled / 4) // 2)


def plain_network(name: str, **settings: object) -> ModelConfig:
    """A network without dropout."""
    return ModelConfig(name=name, dropout=0.0, **settings)
