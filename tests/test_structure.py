"""The house rules that a machine can check: size of files, direction of imports, notebooks without outputs."""

import ast
import json
from pathlib import Path

import pytest

from kit.system.paths import PROJECT

MODULES = sorted((PROJECT / "kit").rglob("*.py"))
NOTEBOOKS = sorted((PROJECT / "notebooks").glob("*.ipynb"))

ROOMS = {  # room -> rooms it may import; beside them everyone may import kit.types and kit.errors
    "system": "",
    "settings": "system",
    "runs": "settings system",
    "data": "settings system",
    "models": "settings system",
    "losses": "settings system",
    "methods": "models losses settings system",
    "evaluate": "models data runs settings system",
    "train": "methods evaluate models data runs settings system",
    "explore": "evaluate models data runs settings",
    "deploy": "evaluate models data runs settings system",
    "label": "explore evaluate models data runs settings system",
    "figures": "data runs settings system",
    "widgets": "explore label figures data runs system",
    "batch": "train label evaluate figures methods data runs settings system",
    "bench": "deploy evaluate figures methods losses models data runs settings system",
    "commands": "batch bench deploy label train evaluate figures data runs settings system",
    "": "train evaluate label runs settings system",  # kit/__init__.py
    "__main__": "commands",
}

FLOORS = {  # folders inside rooms -> other folders of the same room they may import
    "data.scenes": "data.scenes.drawing",
    "data.scenes.drawing": "",
    "methods.unlabelled": "",
    "models.layers": "",
    "models.encoders": "models.layers",
    "models.decoders": "models.layers models.encoders",
    "evaluate.scores": "",
    "deploy.graphs": "",
    "figures.tables": "figures",
    "figures.pictures": "figures",
    "figures.charts": "figures figures.tables",
    "figures.comparisons": "figures figures.tables",
    "batch": "",
    "batch.experiments": "batch",
    "bench.plain": "",
}


def room(module: str) -> str:
    """Room that "kit.a.b" belongs to: "a"."""
    return module.removeprefix("kit").lstrip(".").split(".")[0]


def folder(module: str) -> str:
    """Folder of "kit.a.b.c": "a.b"; of a package, itself."""
    path = PROJECT / module.replace(".", "/")
    return (module if path.is_dir() else module.rpartition(".")[0]).removeprefix("kit").lstrip(".")


def imports(path: Path) -> list[str]:
    """Modules of the kit that a file imports, at the top or inside functions."""
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        names += [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
    return [name for name in names if name.split(".")[0] == "kit"]


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_imports_point_one_way(path):
    name = module_name(path)
    if name in ("kit.types", "kit.errors"):
        assert not imports(path)
        return
    here, floor = room(name), folder(name)
    assert here in ROOMS, f"say in this test what {path.name} may import"
    for other in imports(path):
        if other in ("kit.types", "kit.errors"):
            continue
        there = room(other)
        assert there == here or there in ROOMS[here].split(), f"{path.name} ({here}) imports {other}"
        if there == here and floor in FLOORS and folder(other) != floor:
            assert folder(other) in FLOORS[floor].split(), f"{path.name} ({floor}) imports {other}"


def test_every_room_says_what_it_is_for():
    rooms = [path.parent for path in MODULES if path.name == "__init__.py"]
    assert {path.relative_to(PROJECT / "kit").parts[0] for path in rooms[1:]} <= set(ROOMS)
    assert all(ast.get_docstring(ast.parse((path / "__init__.py").read_text())) for path in rooms)
    folders = {path.parent for path in MODULES}
    assert folders == set(rooms), "every folder with modules has an __init__.py"


def test_tests_mirror_the_rooms():
    tests = {path.parent.relative_to(PROJECT / "tests") for path in (PROJECT / "tests").rglob("test_*.py")}
    rooms = {path.parent.relative_to(PROJECT / "kit") for path in MODULES}
    assert tests <= rooms | {Path("browser")}


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_files_are_short_and_hold_no_global_state(path):
    text = path.read_text()
    assert text.count("\n") <= 300
    assert not any(isinstance(node, ast.Global) for node in ast.walk(ast.parse(text)))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.name)
def test_notebooks_are_thin_and_clean(path):
    notebook = json.loads(path.read_text())
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert notebook["nbformat"] == 4 and notebook["nbformat_minor"] >= 5
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in code)
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
    assert notebook["cells"][0]["cell_type"] == "markdown" and "import" in "".join(code[0]["source"])
    tagged = [cell for cell in code if "parameters" in cell["metadata"].get("tags", [])]
    assert len(tagged) == 1
    for line in "".join(tagged[0]["source"]).splitlines():
        assert isinstance(ast.parse(line).body[0], ast.AnnAssign) and "  # " in line, line
    for cell in code:
        tree = ast.parse("".join(cell["source"]))
        assert not any(isinstance(n, (ast.ClassDef, ast.FunctionDef, ast.While)) for n in ast.walk(tree))
