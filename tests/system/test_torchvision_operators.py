"""Importing torchvision beside a torch it was not built for. In processes of their own: operators are process-wide."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Loads the module by its path: importing the package would already have called it.
LOAD = """
import gc, importlib.util, sys
import torch

def load():
    spec = importlib.util.spec_from_file_location("under_test", "kit/system/torchvision_operators.py")
    sys.modules["under_test"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

def declared():
    return [name for name in ("nms", "qnms") if hasattr(torch.ops.torchvision, name)]
"""


def run(code: str, *args: str) -> None:
    done = subprocess.run([sys.executable, "-c", code, *args], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def fake_torchvision(folder: Path) -> str:
    """A package of that name whose library does not load, and which must not be imported."""
    package = folder / "torchvision"
    package.mkdir()
    (package / "__init__.py").write_text("raise AssertionError('imported')")
    for suffix in (".so", ".pyd"):
        (package / f"_C{suffix}").write_bytes(b"not a library")
    return str(folder)


def test_installed_pair_works_after_kit():
    """Whatever torch and torchvision are installed here, a matching pair or not."""
    run("""
import gc, importlib, warnings
import kit.system.torchvision_operators as module

before = module.ensure_operators()
importlib.reload(module)
gc.collect()
assert module.ensure_operators() is before
import torch, torchvision, timm, segmentation_models_pytorch
from torchvision.transforms.v2 import functional as F

image = torch.rand(3, 16, 16)
assert F.resize(image, [8, 8], antialias=True).shape == (3, 8, 8)
assert torch.allclose(F.adjust_brightness(image, 0.5), image / 2)
assert F.gaussian_blur(image, [5, 5], [1.0, 1.0]).shape == image.shape

# Stand-ins exactly where torchvision has no operators of its own; calling one is then a clear error.
assert before is not torchvision.extension._has_ops()
boxes, scores = torch.tensor([[0.0, 0, 1, 1], [0, 0, 1, 1]]), torch.tensor([0.9, 0.8])
try:
    kept = torchvision.ops.nms(boxes, scores, 0.5).tolist()
except RuntimeError as error:
    assert before and "torchvision" in str(error), error
else:
    assert not before and kept == [0]
""")


def test_declares_operators_if_the_library_does_not_load(tmp_path):
    run(
        LOAD
        + """
sys.path.insert(0, sys.argv[1])
module = load()
assert declared() == []
assert module.ensure_operators() is True
assert declared() == ["nms", "qnms"]
assert module.ensure_operators() is True  # a second declaration would raise

@torch.library.register_fake("torchvision::nms")  # what torchvision's import stumbles over
def fake(dets, scores, iou_threshold):
    return scores

module = load()  # what a reload does at worst: nothing is left of the first module
gc.collect()
assert declared() == ["nms", "qnms"]
torch._C._dispatch_find_schema_or_throw("torchvision::nms", "")  # the operator, not just a cached attribute
assert module.ensure_operators() is True
assert "torchvision" not in sys.modules
""",
        fake_torchvision(tmp_path),
    )


def test_changes_nothing_otherwise(tmp_path):
    run(
        LOAD
        + """
module = load()
opened = []
torch.ops.load_library = opened.append  # from here on, every library loads

find_spec, importlib.util.find_spec = importlib.util.find_spec, lambda name: None  # torchvision is missing
assert module.ensure_operators() is False and declared() == []
importlib.util.find_spec = find_spec

sys.modules["torchvision"] = torch  # torchvision is imported already
assert module.ensure_operators() is False and declared() == []
del sys.modules["torchvision"]
assert opened == []

sys.path.insert(0, sys.argv[1])  # torchvision's library loads
assert module.ensure_operators() is False and declared() == []
assert len(opened) == 1 and opened[0].startswith(sys.argv[1])

theirs = torch.library.Library("torchvision", "FRAGMENT")  # the operators are there already
theirs.define(module.SCHEMAS[0])
assert module.ensure_operators() is False and declared() == ["nms"]
assert len(opened) == 1
assert "torchvision" not in sys.modules
""",
        fake_torchvision(tmp_path),
    )


def test_importing_the_kit_is_light_and_fixes_torchvision():
    run("""
import sys
import kit

assert not {"torch", "torchvision", "timm", "nbformat"} & set(sys.modules)
assert set(kit.__all__) <= set(dir(kit)) and set(kit._HOME) == set(kit.__all__)
import torchvision  # by anyone, before any part of the kit
assert kit.load.__module__ == "kit.evaluate.student" and kit.fit is kit.fit
try:
    kit.nothing
except AttributeError as error:
    assert "nothing" in str(error)
else:
    raise AssertionError("an attribute that is not there was found")
""")
