"""Is the run that a notebook is asked for there already?

The only evidence is `result.json`, which a run writes last: an interrupted notebook can look completed. It says which
configuration and which data it is about, and both have to be what the notebook names now.
"""

import functools

from kit.batch.cell import Cell
from kit.data.fingerprint import changes, find_data
from kit.errors import KitError
from kit.runs.folder import INCIDENTAL, RunFolder
from kit.settings.fields import differences, from_dict, to_dict
from kit.settings.notebook import declared_in, defaults_in
from kit.settings.recipes import SHORT_NAMES, configure
from kit.settings.run import DataConfig, RunConfig


def asked(cell: Cell) -> RunConfig | None:
    """The run that a notebook's parameters, and its defaults beside them, ask for; None if it makes no run.

    Raises: KitError for a parameter or setting that does not exist, or a wrong value.
    """
    cell.check()
    if not {"method", "run_dir"} <= declared_in(cell.notebook).keys():
        return None
    values = {**defaults_in(cell.notebook), **cell.parameters}
    known = {"method", "recipe", "overrides", *SHORT_NAMES}
    return configure(**{name: value for name, value in values.items() if name in known})


@functools.lru_cache(maxsize=256)
def data_now(cfg: DataConfig, limit: int) -> dict:
    """`kit.data.fingerprint.Data.record` of the data that `cfg` names. Raises KitError if they cannot be had.

    Remembered, for a grid names few data sets many times; `run_grid` looks again.
    """
    return find_data(cfg, limit).record()


def is_finished(cell: Cell) -> bool:
    """Whether the result that `cell` asks for is there, and the executed notebook too.

    Raises: KitError as `asked` and `data_now` do, and if the folder holds the result of another run or of other
        data.
    """
    cfg = asked(cell)
    if cfg is None or cell.run_dir is None:
        return False
    now = data_now(cfg.data, cfg.evaluate.limit)  # first, so that missing data are named before anything is started
    folder = RunFolder(cell.run_dir)
    result = folder.result()
    if result is None:
        return False
    differing = [name for name in differences(cfg, from_dict(result["config"])) if name not in _unasked(cfg)]
    if differing:
        raise KitError(f"{cell.run_dir} holds another run (it differs in {', '.join(differing)}); delete that folder")
    if differing := changes(folder.data(), now):
        raise KitError(f"{cell.run_dir}: the data have changed ({', '.join(differing)}); delete that folder")
    return cell.executed.is_file()


def _unasked(cfg: RunConfig) -> set[str]:
    """Fields that may differ: where and how fast, and teachers that were found when the run began."""
    method = to_dict(cfg)["method"]
    return INCIDENTAL | {f"method.{name}" for name in ("deep", "wide") if method.get(name) == ""}
