"""Parameters of a notebook: the declarations in its tagged cell, and the values that papermill sets.

papermill only warns about a parameter that the notebook does not declare, and runs with the defaults; here such a name
stops the run.
"""

import ast
from pathlib import Path
from typing import TYPE_CHECKING

from kit.errors import KitError, unknown
from kit.system.paths import enter_project, with_home

if TYPE_CHECKING:
    import nbformat

TYPES = {"str": str, "int": int, "float": float, "bool": bool, "list": list, "dict": dict}
"""Allowed types of parameters. papermill cannot read others, such as `str | None`, so an optional parameter has an
empty value as default."""

INJECTED = "# Parameters"
"""First line of the cell that papermill adds."""


def parameters(namespace: dict) -> dict[str, object]:
    """Values of a notebook's parameters, by name. Called as `parameters(globals())` in the cell after them.

    A parameters cell holds nothing but `name: type = value  # meaning`, one a line. The working folder becomes the
    project's, so that relative paths mean the same in JupyterLab and under papermill; `~/` is the home folder.

    Raises: KitError if papermill was given a name that the notebook does not declare, if a value is not of its
    declared type, or if there is no such cell.
    """
    enter_project()
    sources = [source for source in namespace.get("In", []) if isinstance(source, str)]
    declared = next((names for names in map(_declared, reversed(sources)) if names), None)
    if not declared:
        raise KitError("no cell of `name: type = value` lines has been run; run the parameters cell first")
    injected = [name for source in sources if source.startswith(INJECTED) for name in _assigned(source)]
    for name in injected:
        if name not in declared:
            raise unknown("parameter", name, declared)
    for name, kind in declared.items():
        _check_type(name, kind, namespace[name])
    return {name: with_home(namespace[name]) for name in declared}


def read_notebook(path: str | Path) -> "nbformat.NotebookNode":
    """A notebook file. Raises KitError naming it if it is missing or damaged."""
    import nbformat  # takes two seconds; reading the parameters of a running notebook must not need it

    path = Path(path)
    try:
        return nbformat.read(path, as_version=4)
    except FileNotFoundError as error:
        raise KitError(f"no notebook {path}") from error
    except (nbformat.reader.NotJSONError, nbformat.ValidationError, UnicodeDecodeError, OSError) as error:
        raise KitError(f"{path} is not a notebook: {str(error).splitlines()[0]}") from error


def declared_in(path: str | Path) -> dict[str, str]:
    """Name -> type of every parameter that a notebook's tagged cell declares, without running anything.

    Raises: KitError if the notebook or the cell is missing.
    """
    return _declared(_tagged(path))


def defaults_in(path: str | Path) -> dict[str, object]:
    """Name -> default of the same parameters. Raises the same KitError, or one for a default that is not plain."""
    values = {}
    for statement in ast.parse(_tagged(path)).body:
        try:
            values[statement.target.id] = ast.literal_eval(statement.value)
        except ValueError as error:
            raise KitError(f"{path}: the default of {statement.target.id} must be a plain value") from error
    return values


def check_values(path: str | Path, values: dict[str, object]) -> None:
    """Raise KitError if a notebook does not declare one of these parameters, or declares it with another type."""
    declared = declared_in(path)
    for name, value in values.items():
        if name not in declared:
            raise unknown(f"parameter of {Path(path).name}", name, declared)
        _check_type(name, declared[name], value)


def _tagged(path: str | Path) -> str:
    """Source of the cell tagged "parameters". Raises KitError if there is none, or if it holds anything else."""
    for cell in read_notebook(path).cells:
        if cell.cell_type == "code" and "parameters" in cell.metadata.get("tags", []) and _declared(cell.source):
            return cell.source
    raise KitError(f'{path} has no cell tagged "parameters" with a `name: type = value` on each line')


def _check_type(name: str, kind: str, value: object) -> None:
    if not (type(value) is TYPES[kind] or (kind == "float" and type(value) is int)):
        # papermill reads 1_16 as the number 116
        way_out = f"; papermill keeps text with -r instead of -p: -r {name} VALUE" if kind == "str" else ""
        raise KitError(f"parameter {name} must be {kind}, got {value!r}{way_out}")


def _declared(source: str) -> dict[str, str]:
    """Name -> type, of a cell that is nothing but annotated assignments; else none."""
    try:
        statements = ast.parse(source).body
    except SyntaxError:  # a cell with magics
        return {}
    if not all(isinstance(s, ast.AnnAssign) and getattr(s.annotation, "id", "") in TYPES for s in statements):
        return {}
    return {s.target.id: s.annotation.id for s in statements}


def _assigned(source: str) -> list[str]:
    """Names of plain assignments, as papermill writes them."""
    return [t.id for s in ast.parse(source).body if isinstance(s, ast.Assign) for t in s.targets]
