"""The house rules that a machine can check: size of files, direction of imports, notebooks without outputs."""

import ast
import json
from pathlib import Path

import pytest

from kit.paths import PROJECT

MODULES = sorted((PROJECT / "kit").rglob("*.py"))
NOTEBOOKS = sorted((PROJECT / "notebooks").glob("*.ipynb"))

ALLOWED = {  # part of the kit -> parts it may import
    "leaves": set(),
    "config": {"leaves"},
    "data": {"leaves", "config"},
    "models": {"leaves", "config"},
    "losses": {"leaves"},
    "methods": {"leaves", "config", "models", "losses"},
    "results": {"leaves", "config"},
    "recipes": {"leaves", "config"},
    "evaluate": {"leaves", "config", "data", "models", "results"},
    "train": {"leaves", "config", "data", "models", "methods", "evaluate", "results"},
    "bench": {"leaves", "config", "data", "models", "losses", "methods", "results", "recipes", "evaluate"},
    "figures": {"leaves", "data", "results"},
    "widgets": {"leaves", "config", "data", "figures", "evaluate", "recipes", "results"},
    "tools": {"leaves"},
    "batch": {"leaves", "config", "data", "methods", "recipes", "results", "evaluate", "train", "tools"},
    "top": {"leaves", "config", "data", "models", "methods", "results", "recipes", "evaluate", "train", "figures",
            "tools", "batch", "bench"},
}  # fmt: skip

PART_OF = {
    "types": "leaves", "lock": "leaves", "errors": "leaves", "checks": "leaves", "paths": "leaves", "storage": "leaves",
    "console": "leaves", "pages": "leaves", "precision": "leaves", "_torchvision": "leaves", "config": "config",
    "method_config": "config", "baseline_config": "config", "fields": "config", "results": "results",
    "recipes": "recipes", "ablations": "recipes", "light_recipes": "recipes", "mgd_recipes": "recipes",
    "unimatch_recipes": "recipes",
    "notebook": "tools", "report": "tools", "collect": "results", "teachers": "train",
    "demo": "top", "study": "top", "commands": "top", "__main__": "top", "": "top",
}  # fmt: skip


def part(module: str) -> str:
    """Part of the kit that "kit.a.b" belongs to."""
    name = module.removeprefix("kit").lstrip(".").split(".")[0]
    return PART_OF.get(name, name)


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_imports_point_one_way(path):
    here = part(module_name(path))
    assert here in ALLOWED, f"say in this test what {path.name} may import"
    for node in ast.walk(ast.parse(path.read_text())):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
        for name in names:
            if name.split(".")[0] == "kit":
                there = part(name)
                assert there == here or there in ALLOWED[here], f"{path.name} ({here}) imports {name} ({there})"


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
