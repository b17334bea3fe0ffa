"""Whether the run of a notebook is finished.

The only evidence is `result.json`, which a run writes last, because an interrupted notebook can look completed. The
configuration and the data in it must be the present ones of the notebook.
"""

import functools

from kit.batch.cell import Cell, makes_run
from kit.data.fingerprint import changes, find_data
from kit.errors import KitError
from kit.runs.folder import INCIDENTAL, RunFolder
from kit.settings.fields import differences, from_dict, to_dict
from kit.settings.notebook import defaults_in
from kit.settings.recipes import SHORT_NAMES, configure
from kit.settings.run import DataConfig, RunConfig


def run_config(cell: Cell) -> RunConfig | None:
    """The configuration of a notebook's run, from its parameters and defaults; None if it makes no run.

    Raises: KitError for a parameter or setting that does not exist, or a wrong value.
    """
    cell.check()
    if not makes_run(cell.notebook):
        return None
    values = {**defaults_in(cell.notebook), **cell.parameters}
    known = {"method", "recipe", "overrides", *SHORT_NAMES}
    return configure(**{name: value for name, value in values.items() if name in known})


@functools.lru_cache(maxsize=256)
def data_now(cfg: DataConfig, limit: int) -> dict:
    """`kit.data.fingerprint.Data.record` of the data of `cfg`. Raises KitError if they are not available.

    Cached, because a grid uses few data sets many times; `run_grid` clears the cache.
    """
    return find_data(cfg, limit).record()


def is_finished(cell: Cell) -> bool:
    """Whether the result of `cell` and its executed notebook exist.

    Raises: KitError as `run_config` and `data_now` do, and if the folder holds the result of another run or data.
    """
    cfg = run_config(cell)
    if cell.run_dir is None:
        return False
    if cfg is None:
        return _has_these_parameters(cell)
    now = data_now(cfg.data, cfg.evaluate.limit)  # first, so that missing data are reported before anything starts
    folder = RunFolder(cell.run_dir)
    result = folder.result()
    if result is None:
        return False
    differing = [name for name in differences(cfg, from_dict(result["config"])) if name not in _incidental(cfg)]
    if differing:
        raise KitError(f"{cell.run_dir} holds another run (it differs in {', '.join(differing)}); delete that folder")
    if differing := changes(folder.data(), now):
        raise KitError(f"{cell.run_dir}: the data have changed ({', '.join(differing)}); delete that folder")
    return cell.executed.is_file()


def _has_these_parameters(cell: Cell) -> bool:
    """Whether a notebook that makes no single run is finished: its `result.json` records the same parameters."""
    result = RunFolder(cell.run_dir).result()
    wanted = {**defaults_in(cell.notebook), **cell.parameters}
    return result is not None and result.get("parameters") == wanted and cell.executed.is_file()


def _incidental(cfg: RunConfig) -> set[str]:
    """Fields that may differ: those in INCIDENTAL, and unnamed teachers, which are filled in when the run starts."""
    method = to_dict(cfg)["method"]
    return INCIDENTAL | {f"method.{name}" for name in ("deep", "wide") if method.get(name) == ""}
