"""The first stage of MGD: two teachers, each trained on the student's split (published: by cross pseudo supervision).

A teacher's folder is beside the student's, and its name holds a digest of everything that defines the teacher, so that
students of one setting share finished teachers, and different settings do not. If that folder holds a teacher that was
trained on other data, the name of a new one ends with a digest of the data.
"""

from pathlib import Path

from kit.errors import KitError
from kit.methods.build import METHODS
from kit.runs.folder import RunFolder, identity
from kit.settings.baselines import CLASS_BALANCED, TaughtConfig
from kit.settings.fields import replace_fields, to_dict
from kit.settings.run import CPSConfig, FixMatchConfig, MethodConfig, RunConfig
from kit.train.launch import launch
from kit.train.prepare import check_step
from kit.train.resume.data_binding import check_data, digest_if_other


def with_teachers(cfg: RunConfig) -> RunConfig:
    """`cfg` with the folder of every teacher. Trains teachers without a folder first, unless they are finished.

    The `cfg` of a method without teachers is returned unchanged.

    Raises: KitError, before a teacher is trained, if the student's folder holds another run or a run on other data, or
        if a network or the images of a step do not fit the settings.
    """
    if not METHODS[cfg.method.name].teachers:
        return cfg
    folder, made = RunFolder(cfg.run_dir), {}
    check_data(folder, cfg)
    for name in METHODS[cfg.method.name].teachers:
        if not getattr(cfg.method, name):
            try:
                made[name] = teacher_config(cfg, name)
                if not _finished(made[name]):
                    check_step(made[name])
            except KitError as error:
                raise KitError(f"the {name} teacher, which is trained first: {error}") from error
    if not all(map(_finished, made.values())):
        check_step(cfg)  # builds the student, which takes seconds; without training before it, training says the same
    cfg = replace_fields(cfg, {f"method.{name}": teacher.run_dir for name, teacher in made.items()})
    folder.check_free(cfg)
    for teacher in made.values():
        launch(teacher)
    return cfg


def _finished(cfg: RunConfig) -> bool:
    return RunFolder(cfg.run_dir).result_file.is_file()


def teacher_config(cfg: RunConfig, name: str) -> RunConfig:
    """The run that trains the teacher `name` ("deep" or "wide") of `cfg`, by `TaughtConfig.teacher_method`.

    Data, optimiser and seed are the student's, except for batch (`teacher_batch`; OHEM keeps as many pixels per image)
    and rate (`deep_lr`, `wide_lr`) where they are set. `start` is for the student alone. Official switches of the
    student's CutMix and passes are kept.
    """
    settings, labelled = cfg.method, cfg.data.labelled
    batch = settings.teacher_batch or labelled
    method = _method(settings, settings.ohem_min_kept * batch // labelled)
    made = to_dict(RunConfig(method=method, student=getattr(settings, f"{name}_net")))
    changes = {
        "method": made["method"],
        "student": made["student"],
        "start": "",
        "train.steps": settings.teacher_steps or cfg.train.steps,
        "data.labelled": batch,
        "data.unlabelled": cfg.data.unlabelled * batch // labelled,
        "optim.lr": getattr(settings, f"{name}_lr") or cfg.optim.lr,
    }
    teacher = replace_fields(cfg, changes)
    folder = Path(cfg.run_dir).parent / f"teacher_{name}_{identity(teacher)[:8]}"
    teacher = replace_fields(teacher, {"run_dir": str(folder)})
    other = digest_if_other(teacher)
    return replace_fields(teacher, {"run_dir": f"{folder}_{other[:8]}"}) if other else teacher


def _method(settings: TaughtConfig, ohem_min_kept: int) -> MethodConfig:
    """CPS between two copies of a teacher, or FixMatch from its running average."""
    common = {
        "ramp": settings.teacher_ramp,
        "ohem_threshold": settings.ohem_threshold,
        "ohem_min_kept": ohem_min_kept,
    }
    if settings.teacher_method == "fixmatch":
        return FixMatchConfig(**CLASS_BALANCED, **common)
    same = {key: getattr(settings, key) for key in ("overlap", "partner", "passes") if hasattr(settings, key)}
    return CPSConfig(cps_weight=settings.teacher_cps_weight, cutmix=True, **same, **common)
