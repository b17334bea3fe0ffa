"""Lets a torchvision that was built for another torch be imported.

A CUDA build of torchvision beside a CPU-only torch is easily come by: pip finds the two in different places. Its
compiled library `_C` then misses the CUDA libraries and does not load. torchvision tolerates that, except in one
place: it describes the shapes of the operators `nms` and `qnms` whether or not they exist, and the import ends with
"operator torchvision::nms does not exist". Declaring the two, without an implementation, is enough; the transforms,
and all that timm and segmentation_models_pytorch need, are written in Python.

This has to happen before torchvision is imported, so `kit/__init__.py` sees to it first. Neither torchvision nor torch
is imported for that: both take seconds, and many a command needs neither.
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


class _Doorkeeper(importlib.abc.MetaPathFinder):
    """Stands before the import of torchvision, once; finds nothing itself."""

    def find_spec(self, name: str, path=None, target=None) -> None:
        if name == "torchvision":
            sys.meta_path.remove(self)
            ensure_operators()


def heed_imports() -> None:
    """Have `ensure_operators` called right before torchvision is imported, by whomever."""
    sys.meta_path.insert(0, _Doorkeeper())


def ensure_operators() -> bool:
    """Declare torchvision's operators if its own library cannot. True if they are declared by the kit.

    Nothing happens where torch and torchvision fit together, where torchvision is missing, and where it is imported
    already. Calling it again is harmless.
    """
    import torch

    # Looks for the package without running it. First of all, because the doorkeeper takes this for its import.
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
    # A library that is garbage-collected takes its operators with it. The operators' namespace lives as long as the
    # process, whatever becomes of this module.
    operators._declared_by_kit = library
    return True


def _loads(folder: str) -> bool:
    """Whether torchvision's compiled library loads: found and opened the way torchvision/extension.py does.

    Trying is the only safe test. Where the library would load after all, operators declared twice abort the process.
    Where it loads here, torchvision loads it a second time to no effect.
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
