"""Importing nbformat without a grammar that it does not need. In processes of their own: modules stay imported."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def run(tmp_path):
    """Runs code in a process with a grammar that is imported at once."""
    (tmp_path / "rfc3987_syntax.py").write_text("def is_valid_syntax(*_):\n    return False\n")

    def run(code: str) -> None:
        environment = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stdout + done.stderr

    return run


def test_jsonschema_does_without_the_grammar_and_still_validates(run):
    run("""
import sys, kit, nbformat, jsonschema
assert "rfc3987_syntax" not in sys.modules
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")])
nbformat.validate(notebook)
notebook.cells[0].cell_type = "mad"
try:
    nbformat.validate(notebook)
except nbformat.ValidationError:
    pass
else:
    raise SystemExit("an invalid notebook passed")
checker = jsonschema.FormatChecker()
assert checker.conforms("2026-11-30", "date") and not checker.conforms("30/11", "date")
""")


def test_other_modules_can_import_the_grammar(run):
    run("import kit, jsonschema, rfc3987_syntax; assert rfc3987_syntax.is_valid_syntax('iri', 'http://a.b/c') is False")


def test_without_the_kit_jsonschema_imports_the_grammar(run):
    run("import sys, jsonschema; assert 'rfc3987_syntax' in sys.modules")  # else `skip_grammar` has become needless
