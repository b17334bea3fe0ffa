"""A notebook's code in this process: for variants of a notebook that another test runs through papermill."""

import os
from pathlib import Path

from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

from kit.system.paths import PROJECT


def run_code(notebook: Path, parameters: dict[str, object]) -> None:
    """Run the cells, with papermill's parameters, in a namespace of their own and in the project's folder."""
    filled = parameterize_notebook(load_notebook_node(str(notebook)), parameters)
    names, before = {"In": []}, os.getcwd()
    os.chdir(PROJECT)
    try:
        for cell in filled.cells:
            if cell.cell_type == "code":
                names["In"].append(cell.source)  # as in IPython, where `kit.parameters` reads the annotations
                exec(compile(cell.source, notebook.name, "exec"), names)
    finally:
        os.chdir(before)
