"""Makes a torchvision that was built for another torch importable.

pip may install a CUDA build of torchvision beside a CPU-only torch, from different indexes. torchvision's compiled
library `_C` then misses the CUDA libraries and does not load. torchvision tolerates that, except in one place: it
registers the shapes of the operators `nms` and `qnms` whether or not they exist, and the import fails with "operator
torchvision::nms does not exist". Declaring the two, without an implementation, is enough; the transforms, and all that
timm and segmentation_models_pytorch need, are written in Python.

This must happen before torchvision is imported, so `kit/__init__.py` calls `declare_on_import` first. That imports
neither torchvision nor torch: both take seconds, and many commands need neither.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys

# As in torchvision/csrc/ops/nms.cpp and quantized/cpu/qnms_kernel.cpp.
SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


class _BeforeTorchvision(importlib.abc.MetaPathFinder):
    """Calls `ensure_operators` before the first import of torchvision; finds no module itself."""

    def find_spec(self, name: str, path=None, target=None) -> None:
        if name == "torchvision":
            sys.meta_path.remove(self)
            ensure_operators()


def declare_on_import() -> None:
    """Call `ensure_operators` right before torchvision is imported, by any module."""
    sys.meta_path.insert(0, _BeforeTorchvision())


def ensure_operators() -> bool:
    """Declare torchvision's operators if its own library cannot. Returns whether the kit has declared them.

    No effect if torch and torchvision fit together, or if torchvision is missing or already imported. May be called
    again.
    """
    import torch

    # Finds the package without running it. This comes first because it triggers `_BeforeTorchvision`.
    spec = None if "torchvision" in sys.modules else importlib.util.find_spec("torchvision")
    operators = torch.ops.torchvision
    if hasattr(operators, "_declared_by_kit"):
        return True
    folders = spec.submodule_search_locations if spec else None
    if not folders or hasattr(operators, "nms") or _loads(folders[0]):
        return False
    library = torch.library.Library("torchvision", "FRAGMENT")
    for schema in SCHEMAS:
        library.define(schema)
    # Operators vanish when their library is garbage-collected. The namespace of the operators lives as long as the
    # process, so it keeps the library.
    operators._declared_by_kit = library
    return True


def _loads(folder: str) -> bool:
    """Whether torchvision's compiled library loads, found and opened as in torchvision/extension.py.

    Loading is the only safe test: if the library loads, declaring its operators a second time would abort the process.
    torchvision later loads the library again, without effect.
    """
    import torch

    suffixes = (importlib.machinery.ExtensionFileLoader, importlib.machinery.EXTENSION_SUFFIXES)
    found = importlib.machinery.FileFinder(folder, suffixes).find_spec("_C")
    if found is None:
        return False
    if os.name == "nt":
        os.add_dll_directory(folder)
    try:
        torch.ops.load_library(found.origin)
    except (ImportError, OSError):
        return False
    return True
