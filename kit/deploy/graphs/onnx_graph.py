"""What all graphs are made and run with: torch's exported programs, ONNX files and ONNX Runtime."""

import copy
import importlib.util
import logging
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from timm.layers.pool2d_same import AvgPool2dSame
from torch import Tensor, nn

from kit.errors import KitError
from kit.models.decoders.frequency import FrequencySelect
from kit.models.segmenter import Segmenter
from kit.system.storage import content_of

NEEDED = ("onnx", "onnxruntime", "onnxscript")
"""Packages of the extra "export"."""

RECORD = "export.json"


def require_packages() -> None:
    """Raise KitError, naming the command that helps, unless the extra "export" is installed."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise KitError(f"export needs {', '.join(missing)}; install the extra: pip install -e '.[export]'")


def exportable(net: Segmenter) -> Segmenter:
    """A copy on the CPU, in eval mode, that filters maps by matrix products."""
    net = copy.deepcopy(net).cpu().eval()
    for part in list(net.modules()):
        if isinstance(part, FrequencySelect):
            part.path = "matmul"
        for name, child in part.named_children():
            if isinstance(child, AvgPool2dSame) and child.stride == (1, 1):
                setattr(part, name, _padded_by_a_constant(child))
    return net.requires_grad_(False)


def _padded_by_a_constant(pool: AvgPool2dSame) -> nn.Module:
    """The same pooling with constant padding. `AvgPool2dSame` computes its padding from the image size, although at
    stride 1 it does not depend on it; a graph for all sizes would have to compute it, too."""
    height, width = (side - 1 for side in pool.kernel_size)
    pad = nn.ZeroPad2d((width // 2, width - width // 2, height // 2, height - height // 2))
    return nn.Sequential(pad, nn.AvgPool2d(pool.kernel_size, 1, count_include_pad=pool.count_include_pad))


def exported(net: nn.Module, example: Tensor, free: Iterable[int]) -> torch.export.ExportedProgram:
    """A network of one input as a graph, in which these axes of the input have any size."""
    shape = dict.fromkeys(free, torch.export.Dim.DYNAMIC)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.export.export(net, (example,), dynamic_shapes=(shape,))


def program_bytes(program: torch.export.ExportedProgram) -> bytes:
    """The content of a program's file."""
    return content_of(lambda file: torch.export.save(program, file))


def to_onnx(program: torch.export.ExportedProgram, inputs: Sequence[str], outputs: Sequence[str]):
    """The graph as an `onnx.ModelProto`, with names for its inputs and outputs."""
    from onnxscript.optimizer import fold_constants, remove_unused_nodes

    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = torch.onnx.export(
                program, (), input_names=inputs, output_names=outputs, verbose=False, optimize=False
            )
            # Rewriting tries some hundred patterns at every node; folding before it leaves a fifth of the nodes.
            fold_constants(made.model)
            remove_unused_nodes(made.model)
            made.optimize()
    finally:
        log.setLevel(level)
    return made.model_proto


def open_graph(model: bytes | Path, threads: int = 0):
    """An ONNX Runtime session on the CPU; `threads` 0 is one for each core."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    source = str(model) if isinstance(model, Path) else model
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
