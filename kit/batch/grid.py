"""A grid of runs: methods x splits x rows of an ablation x seeds, and its file.

```yaml
out: runs/losses                 # folder for everything, relative to the project's
parameters: {recipe: demo}       # of the notebook, the same for all runs
methods: [trikd]                 # a missing axis takes its value from the parameters
splits: [1_8]
overrides:                       # rows: name -> settings; or a list of names in kit.settings.ablations.ABLATIONS
  full: {}
  without_low: {method.low_weight: 0}
seeds: [0, 1, 2]
rows:                            # further rows outside the product: name -> parameters
  supervised: {method: supervised}
```

`notebook`, `time_limit` (seconds), `retries` and `cluster` (see `kit.batch.cluster`) are optional.
"""

import hashlib
import itertools
import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from kit.batch.cell import Cell, makes_run
from kit.errors import KitError, one_line, unknown
from kit.settings.ablations import ABLATIONS
from kit.system.paths import PROJECT, from_project
from kit.system.strict_yaml import StrictLoader

AXES = {"methods": "method", "splits": "split"}
"""Key of a grid -> the notebook's parameter."""

KEYS = {"out": str, "notebook": str, "parameters": dict, "methods": list, "splits": list, "overrides": (dict, list),
        "seeds": list, "rows": dict, "time_limit": (int, float), "retries": int, "cluster": dict}  # fmt: skip
"""Every key of a grid, and its type."""


@dataclass(frozen=True)
class Run:
    """One run of a grid."""

    name: str
    """Name of its folder: row, seed and a digest of its parameters."""
    row: str
    """Its row in a table, where the runs of all seeds are one row."""
    seed: int
    cell: Cell
    """The notebook that makes it."""


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Rows of a table, each a set of parameters of one notebook, run with every seed."""

    out: Path
    """Folder for everything, relative to the project's."""
    rows: dict[str, dict[str, object]]
    """Name -> parameters of the notebook."""
    seeds: tuple[int, ...] = (0,)
    notebook: Path = PROJECT / "notebooks/train.ipynb"
    """A notebook with the parameters `method`, `seed`, `run_dir` and those of the rows, which writes `result.json`."""
    time_limit: float | None = None
    """Seconds after which an attempt is killed."""
    retries: int = 0
    """Further attempts at a failed run, unless its notebook reports an error of its parameters or data."""
    cluster: dict[str, object] = field(default_factory=dict)
    """Parameters of submitit, for runs as jobs of a cluster."""

    def runs(self) -> list[Run]:
        """All runs, seed by seed, so that an interrupted grid has complete tables of fewer seeds."""
        return [self._run(row, parameters, seed) for seed in self.seeds for row, parameters in self.rows.items()]

    def _run(self, row: str, parameters: dict[str, object], seed: int) -> Run:
        parameters = {**parameters, "seed": seed}
        written = json.dumps([self.notebook.name, parameters], sort_keys=True, default=str)
        digest = hashlib.sha256(written.encode()).hexdigest()[:8]
        name = f"{re.sub(r'[^A-Za-z0-9.]+', '_', row).strip('_')[:60]}_s{seed}_{digest}"
        given = {**parameters, "run_dir": str(self.out / name)}
        return Run(name, row, seed, Cell(self.notebook, PROJECT / self.out / "notebooks" / f"{name}.ipynb", given))


def read_grid(source: str | Path | dict) -> Grid:
    """A grid from a YAML file, or from a dict of the same form.

    Values are those of YAML 1.2: `1e-3` is a number, `1_8` and `no` are text.

    Raises: KitError for an unknown key, a wrong type or an empty grid. Wrong parameters of a run are reported only when
        it starts.
    """
    plain, where = (source, "the grid") if isinstance(source, dict) else (_read_yaml(Path(source)), str(source))
    for key, value in plain.items():
        if key not in KEYS:
            raise unknown(f"key of {where}", key, KEYS)
        if not isinstance(value, KEYS[key]) or isinstance(value, bool):
            kinds = KEYS[key] if isinstance(KEYS[key], tuple) else (KEYS[key],)
            raise KitError(f"{where}: {key} must be {' or '.join(k.__name__ for k in kinds)}, got {value!r}")
        if value in ([], {}) and key in ("methods", "splits", "overrides", "seeds", "rows"):
            raise KitError(f"{where}: {key} is empty; leave it out or fill it")
    if not plain.get("out"):  # "" would be the project's own folder
        raise KitError(f"{where}: out is missing; add a line such as  out: runs/mine")
    if not (from_project(plain.get("notebook", Grid.notebook))).is_file():
        raise KitError(f"{where}: no notebook {plain['notebook']}")
    options = {key: plain[key] for key in ("time_limit", "retries", "cluster") if key in plain}
    if "notebook" in plain:
        options["notebook"] = from_project(plain["notebook"]).resolve()
    seeds = tuple(plain.get("seeds", [plain.get("parameters", {}).get("seed", 0)]))
    if any(type(seed) is not int for seed in seeds) or len(set(seeds)) < len(seeds):
        raise KitError(f"{where}: seeds must be whole numbers, each once, got {list(seeds)}")
    if options.get("retries", 0) < 0 or options.get("time_limit", 1) <= 0:
        raise KitError(f"{where}: retries must be 0 or more and time_limit above 0")
    return Grid(out=Path(plain["out"]).expanduser(), rows=_rows(plain, where), seeds=seeds, **options)


def compose(
    file: str = "",
    methods: list | None = None,
    splits: list | None = None,
    overrides: dict | None = None,
    seeds: list | None = None,
    common: dict | None = None,
    out: str = "",
    **options: object,
) -> Grid:
    """A grid from the parameters of a notebook: from a file or a small table; empty values count as missing.

    Args:
        file: a YAML file; "" uses the table of `methods`, `splits` and `overrides`.
        seeds, out: replace those of the file.
        common: parameters of all runs; they replace those of the file, except for `overrides`, which are merged.
        options: `time_limit`, `retries` and `cluster`; they replace those of the file.
    Raises: KitError as `read_grid`, for both a file and a table, or if the runs of the grid train no method.
    """
    table = {key: value for key, value in (("methods", methods), ("splits", splits), ("overrides", overrides)) if value}
    if file and table:
        raise KitError(f"{file} already lists the runs; leave {', '.join(table)} empty, or name no file")
    plain = _read_yaml(from_project(file)) if file else table
    given = {"seeds": seeds, "out": out, **options}
    plain = {**plain, **{key: value for key, value in given.items() if value}}
    if not isinstance(plain.get("parameters", {}), dict):
        raise KitError(f"{file}: parameters must be a mapping, got {plain['parameters']!r}")
    grid = read_grid({**plain, "parameters": _merged(plain.get("parameters", {}), common or {})})
    if not makes_run(grid.notebook):
        raise KitError(f"{file}: the runs of {grid.notebook.name} have no scores to compare row by row; "
                       f"make them with  python -m kit batch {file}")  # fmt: skip
    return grid


def _rows(plain: dict, where: str) -> dict[str, dict[str, object]]:
    """The product of the axes, and the separate rows."""
    common = plain.get("parameters", {})
    axes = [[(str(value), {name: value}) for value in plain[key]] for key, name in AXES.items() if key in plain]
    if "overrides" in plain:
        overrides = _overrides(plain["overrides"], where)
        axes.append([(name, {"overrides": settings}) for name, settings in overrides.items()])
    rows = {}
    if axes or "rows" not in plain:
        for point in itertools.product(*axes):
            varied = [name for (name, _), axis in zip(point, axes, strict=True) if len(axis) > 1]
            name = " ".join(varied or [name for name, _ in point][:1] or [str(common.get("method", "run"))])
            if name in rows:
                raise KitError(f"{where}: two rows are called {name!r}")
            rows[name] = _merged(common, *(parameters for _, parameters in point))
    for name, parameters in ((str(name), parameters) for name, parameters in plain.get("rows", {}).items()):
        if not isinstance(parameters, dict):
            raise KitError(f"{where}: row {name} must be a mapping of parameters, got {parameters!r}")
        if "seed" in parameters:
            raise KitError(f"{where}: row {name} sets seed; every row runs with every seed of the grid's seeds")
        if name in rows:
            raise KitError(f"{where}: two rows are called {name!r}")
        rows[name] = _merged(common, parameters)
    return rows


def _overrides(given: dict | list, where: str) -> dict[str, dict]:
    if isinstance(given, list):
        for name in given:
            if not isinstance(name, str) or name not in ABLATIONS:
                raise unknown(f"ablation in {where}", name, ABLATIONS)
        return {name: ABLATIONS[name] for name in given}
    for name, settings in given.items():
        if not isinstance(settings, dict):
            raise KitError(f"{where}: overrides of {name} must be a mapping of settings, got {settings!r}")
    return {str(name): settings for name, settings in given.items()}


def _merged(*several: dict[str, object]) -> dict[str, object]:
    """Later parameters replace earlier ones, except for `overrides`, which are merged."""
    merged: dict[str, object] = {}
    for parameters in several:
        if not isinstance(parameters.get("overrides", {}), dict):
            raise KitError(f"overrides must be a mapping of settings, got {parameters['overrides']!r}")
        together = {**merged.get("overrides", {}), **parameters.get("overrides", {})}
        for name in (*parameters, *together):
            if not isinstance(name, str):
                raise KitError(f"names of parameters and settings must be text, got {name!r}")
        merged |= parameters
        if together:
            merged["overrides"] = together
    return merged


class _Yaml12(StrictLoader):
    """Plain YAML with the scalars of version 1.2, and `<<` to merge a mapping: in 1.1, `1_8` is the number 18 and
    `1e-3` is text. A key that is there twice is an error."""

    yaml_implicit_resolvers = {}


for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(0|[1-9][0-9]*)", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*)([eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+|[-+]?\.inf",
        "-+.0123456789",
    ),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("merge", r"<<", "<"),
):
    _Yaml12.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), list(_first))


def _read_yaml(path: Path) -> dict:
    try:
        plain = _Yaml12.read(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise KitError(f"no file {path}") from error
    except (yaml.YAMLError, UnicodeDecodeError, IsADirectoryError) as error:
        raise KitError(f"{path} is not YAML: {one_line(error)}") from error
    if not isinstance(plain, dict):
        raise KitError(f"{path} must be a mapping such as  methods: [supervised, cps]")
    return plain
