"""Runs that belong together: of one setting, which differ only in their seed, and of one seed."""

import json

from kit.runs.folder import defining


def group_key(run: dict, without: str = "") -> str:
    """A text that is equal for runs that differ only in their seed, in what does not change a result
    (`kit.runs.folder.INCIDENTAL`) and, if it is named, in the setting `without`.

    Args:
        run: from `kit.load_run`, or a collected run.
        without: a field of the run's data or training, or a parameter of a collected run, such as "split".
    """
    config = {**defining(run["config"]), "seed": None}
    for part in ("data", "train", "parameters"):
        if without and part in config:
            config[part] = {**config[part], without: None}
    # The folder of a teacher depends on its labels and, if it was trained for this run, on the seed.
    teachers = run.get("teachers") or {}
    taught = {name: [teacher["network"], teacher["trained_by"]] for name, teacher in teachers.items()}
    config["method"] = {k: v for k, v in config.get("method", {}).items() if k not in taught}
    if "overrides" in (given := config.get("parameters", {})):
        named = {k: v for k, v in given["overrides"].items() if k.removeprefix("method.") not in taught}
        config["parameters"] = {**given, "overrides": named}
    return json.dumps([run["method"], config, taught], sort_keys=True)


def by_setting(runs: list[dict]) -> list[list[dict]]:
    """Group runs that differ only in their seed; groups and their runs keep the order of `runs`."""
    settings: dict[str, list[dict]] = {}
    for run in runs:
        settings.setdefault(group_key(run), []).append(run)
    return list(settings.values())


def by_seed(runs: list[dict]) -> list[list[dict]]:
    """Group runs of one setting by their seed; a seed that was run twice is one group, so that it counts once."""
    seeds: dict[int, list[dict]] = {}
    for run in runs:
        seeds.setdefault(run["seed"], []).append(run)
    return list(seeds.values())
