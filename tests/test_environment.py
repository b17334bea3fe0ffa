"""One environment, stated three times (environment.yml, pyproject.toml, Makefile) and meaning the same."""

import importlib.metadata
import itertools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10, where pytest brings this one along
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
PYTHONS = ["3.10", "3.11", "3.12", "3.13", "3.14"]
# A set that is known to be in use elsewhere and has to stay allowed.
ALSO_ALLOWED = {
    "torch": "2.11.0",
    "torchvision": "0.26.0",
    "numpy": "2.5.2",
    "accelerate": "1.15.0",
    "torchmetrics": "1.9.0",
}


def pip_section() -> list[str]:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    (section,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    return section


def pins(python: str | None = None) -> dict[str, Version]:
    """Name -> exact version for that Python (default: this one); anything but one plain `==` per name fails here."""
    python = python or f"{sys.version_info.major}.{sys.version_info.minor}"
    versions = {}
    for line in pip_section():
        if line == "-e .":
            continue
        requirement = Requirement(line)
        if requirement.marker and not requirement.marker.evaluate({"python_version": python}):
            continue
        (clause,) = requirement.specifier
        assert clause.operator == "==" and not clause.version.endswith("*"), line
        name = canonicalize_name(requirement.name)
        assert name not in versions, f"{name} is pinned twice"
        versions[name] = Version(clause.version)
    return versions


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def ranges() -> dict[str, Requirement]:
    lines = [*project()["dependencies"], *itertools.chain(*project()["optional-dependencies"].values())]
    requirements = [Requirement(line) for line in lines]
    return {canonicalize_name(requirement.name): requirement for requirement in requirements}


def test_environment_is_conda_form():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert environment["channels"] == ["conda-forge"]
    plain = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    assert "pip" in plain, "conda warns when a pip section comes without pip"
    assert all(entry == "pip" or entry.startswith("python=") for entry in plain), "packages come from pip, in one call"


def test_kit_itself_is_installed_last():
    assert pip_section()[-1] == "-e ."


@pytest.mark.parametrize("python", PYTHONS)
def test_every_dependency_is_pinned_inside_its_range(python):
    pinned, allowed = pins(python), ranges()
    assert pinned.keys() == allowed.keys()
    outside = [f"{name}=={pinned[name]}" for name in pinned if not allowed[name].specifier.contains(pinned[name])]
    assert outside == []


@pytest.mark.parametrize("python", PYTHONS)
def test_python_itself_is_allowed(python):
    assert SpecifierSet(project()["requires-python"]).contains(python)


@pytest.mark.parametrize("name", sorted(ALSO_ALLOWED))
def test_range_admits_other_known_set(name):
    assert ranges()[name].specifier.contains(ALSO_ALLOWED[name])


def test_torch_and_torchvision_are_a_pair():
    torch, torchvision = pins()["torch"], pins()["torchvision"]
    assert (torchvision.major, torchvision.minor, torchvision.micro) == (0, torch.minor + 15, torch.micro)


def test_installed_torchvision_agrees_about_its_torch():
    installed = importlib.metadata.distribution("torchvision")
    if Version(installed.version).public != str(pins()["torchvision"]):
        pytest.skip("another torchvision than the pinned one is installed")
    (wanted,) = [r for r in map(Requirement, installed.requires) if r.name == "torch"]
    assert wanted.specifier.contains(pins()["torch"])


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_makefile_installs_exactly_the_pip_section():
    # Started from `make test`, the inner make would inherit that call's flags.
    env = {key: value for key, value in os.environ.items() if key not in {"MAKEFLAGS", "MFLAGS", "MAKELEVEL"}}
    done = subprocess.run(
        ["make", "-s", "--no-print-directory", "requirements"], cwd=ROOT, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == pip_section()


def test_installed_versions_are_the_pins():
    if Path(sys.prefix).resolve() != (ROOT / ".venv").resolve():
        pytest.skip("not running from .venv; other environments only have to lie inside the ranges")
    # The public part: torch 2.13.0+cpu is torch 2.13.0.
    installed = {name: Version(importlib.metadata.version(name)).public for name in pins()}
    assert installed == {name: str(version) for name, version in pins().items()}


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_gitignore_separates_data_sets_from_code(tmp_path):
    # A repository of its own, so that this also runs in an unpacked archive and without the user's own ignore rules.
    env = {**os.environ, "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1"}
    env = {key: value for key, value in env.items() if key not in {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"}}
    repo = tmp_path / "repo"
    subprocess.run(["git", "init", "-q", str(repo)], env=env, check=True)
    shutil.copy(ROOT / ".gitignore", repo)
    code = ["kit/data/files.py", "tests/data/test_files.py", "tests/data/tiny.png", "splits/camvid/labeled.txt"]
    code += ["environment.yml", ".ci/run", "notebooks/demo.ipynb"]
    local = ["data/camvid/a.png", "runs/one/result.json", ".venv/bin/python", "kit/data/__pycache__/files.pyc"]
    local += ["notebooks/.ipynb_checkpoints/demo.ipynb", "trikd_mgd_kit.egg-info/PKG-INFO", "build/lib/kit/a.py"]
    paths = "\n".join(code + local)
    done = subprocess.run(
        ["git", "check-ignore", "--stdin"], cwd=repo, env=env, input=paths, capture_output=True, text=True
    )
    assert done.stdout.splitlines() == local
