"""Is the run that a notebook is asked for there already?

The only evidence is `result.json`, which a run writes last: an interrupted notebook can look completed. It says which
configuration and which lists of images it is about, and both have to be what is asked for now.
"""

import functools

from kit.batch.cell import Cell
from kit.config import DataConfig, RunConfig
from kit.data.catalog import find_spec
from kit.data.files import SegFiles
from kit.data.splits import chosen_split
from kit.errors import KitError
from kit.fields import differences, from_dict, to_dict
from kit.notebook import declared_in, defaults_in
from kit.paths import from_project
from kit.recipes import SHORT_NAMES, configure
from kit.results import INCIDENTAL, RunFolder

DIGESTS = ("labelled_sha256", "unlabelled_sha256", "extra_sha256")
"""Of a split's record: what the lists hold, whatever they are called."""


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
def split_digests(cfg: DataConfig) -> dict[str, str | None]:
    """What the lists that `cfg` asks for hold at present, as digests. Raises KitError if they cannot be had.

    Remembered, for a grid asks for few splits many times; `run_grid` looks again.
    """
    root = from_project(cfg.root)
    record = chosen_split(cfg, SegFiles(find_spec(cfg.dataset, root), root, "train")).record()
    return {name: record[name] for name in DIGESTS}


def is_finished(cell: Cell) -> bool:
    """Whether the result that `cell` asks for is there, and the executed notebook too.

    Raises: KitError as `asked` and `split_digests` do, and if the folder holds the result of another run or of other
        data.
    """
    cfg = asked(cell)
    if cfg is None or cell.run_dir is None:
        return False
    now = split_digests(cfg.data)  # first, so that data that are not there are told before anything is started
    result = RunFolder(cell.run_dir).result()
    if result is None:
        return False
    differing = [name for name in differences(cfg, from_dict(result["config"])) if name not in _unasked(cfg)]
    if differing:
        raise KitError(f"{cell.run_dir} holds another run (it differs in {', '.join(differing)}); delete that folder")
    if any(result["split"].get(name) != now[name] for name in DIGESTS):
        raise KitError(f"{cell.run_dir} was trained on another split: the data have changed; delete that folder")
    return cell.executed.is_file()


def _unasked(cfg: RunConfig) -> set[str]:
    """Fields that may differ: where and how fast, and teachers that were found when the run began."""
    method = to_dict(cfg)["method"]
    return INCIDENTAL | {f"method.{name}" for name in ("deep", "wide") if method.get(name) == ""}
