"""A graph in 8 bits: its calibration, the sensitivity of each layer, and the choice of layers that stay in float.

ONNX Runtime's static quantisation in the QDQ form: unsigned activations, signed weights with a scale per channel.
A layer is a convolution with the activation after it, or a sum, product, concatenation or pooling of maps. Everything
before the first convolution and after the last one (resizing, normalisation, upsampling, argmax) stays in float.
"""

import contextlib
import io
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from kit.deploy.graphs.onnx_graph import open_graph
from kit.deploy.graphs.picture_graph import CLASSES, INPUT

OPERATORS = ("Conv", "Clip", "Relu", "Add", "Mul", "Concat", "AveragePool", "MaxPool")
"""Operators computed in 8 bits. A Clip or ReLU after a convolution becomes part of it."""

LEAST_CHANNELS = 8
"""Convolutions with fewer input channels stay in float: the first of a network, with three, is faster that way."""

METHODS = {"largest": "MinMax", "percentile": "Percentile"}
"""How calibration sets the range of an activation: from all values, or without the outermost ones."""

PERCENTILE = 99.99


@dataclass(frozen=True)
class Layer:
    """A part of a graph that is computed in 8 bits as a whole."""

    name: str
    """Name of its output in PyTorch's export."""
    nodes: tuple[str, ...]
    """Names of its nodes."""


@dataclass(frozen=True)
class Calibrated:
    """A float graph made ready for 8 bits."""

    model: bytes
    layers: tuple[Layer, ...]
    ranges: object
    """Range of every activation, ONNX Runtime's `TensorsData`."""
    method: str
    """A key of METHODS."""


def classes_of(session, pictures: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Class ids (H, W) of pictures (1, H, W, 3), one by one."""
    return [session.run([CLASSES], {INPUT: picture})[0][0] for picture in pictures]


def calibrate(model: bytes, pictures: Sequence[np.ndarray], method: str = "largest") -> Calibrated:
    """Simplify the graph, find its layers, and measure the range of every activation on `pictures`.

    Args:
        model: a float graph of `kit.deploy.graphs.picture_graph`.
        pictures: uint8 (1, H, W, 3).
        method: a key of METHODS.
    """
    import onnx
    from onnxruntime.quantization import CalibrationMethod, create_calibrator
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory(prefix="kit-") as scratch:
        source, ready = Path(scratch) / "float.onnx", Path(scratch) / "ready.onnx"
        source.write_bytes(model)
        quant_pre_process(str(source), str(ready), skip_symbolic_shape=True)
        calibrator = create_calibrator(
            ready, list(OPERATORS), str(Path(scratch) / "augmented.onnx"), getattr(CalibrationMethod, METHODS[method]),
            extra_options={"percentile": PERCENTILE} if method == "percentile" else {},
        )  # fmt: skip
        with contextlib.redirect_stdout(io.StringIO()):  # it prints a line for every picture
            for picture in pictures:  # one at a time: a calibrator keeps the maps of all pictures of a call
                one = iter(({INPUT: picture}, None))  # None ends the call
                calibrator.collect_data(SimpleNamespace(get_next=one.__next__))
            ranges = calibrator.compute_data()
        return Calibrated(ready.read_bytes(), tuple(find_layers(onnx.load(ready))), ranges, method)


def find_layers(model) -> list[Layer]:
    """Layers of a graph that can be computed in 8 bits, in its order; `model` is an `onnx.ModelProto`."""
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    following: dict[str, list] = {}
    for node in model.graph.node:
        for name in node.input:
            following.setdefault(name, []).append(node)
    found, begun = [], False
    for node in model.graph.node:
        if node.op_type == "Conv":
            groups = next((a.i for a in node.attribute if a.name == "group"), 1)
            weight = weights.get(node.input[1])
            if weight is None or weight.dims[1] * groups < LEAST_CHANNELS:
                continue
            begun = True
        elif not (begun and node.op_type in OPERATORS[3:]) or any(name in weights for name in node.input):
            continue
        last, nodes = node, [node.name]
        after = following.get(node.output[0], [])
        if len(after) == 1 and after[0].op_type in ("Clip", "Relu"):
            last = after[0]
            nodes.append(last.name)
        found.append(Layer(last.output[0], tuple(nodes)))
    return found


def quantised(calibrated: Calibrated, layers: Iterable[Layer]) -> bytes:
    """The graph with these layers in 8 bits."""
    import onnx
    from onnxruntime.quantization import QuantType
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

    chosen = [name for layer in layers for name in layer.nodes]
    model = onnx.load_from_string(calibrated.model)
    if not chosen:  # to ONNX Runtime an empty list means all nodes
        return calibrated.model
    quantizer = QDQQuantizer(
        model, per_channel=True, reduce_range=False, weight_qType=QuantType.QInt8, activation_qType=QuantType.QUInt8,
        tensors_range=calibrated.ranges, nodes_to_quantize=chosen, nodes_to_exclude=[],
        op_types_to_quantize=list(OPERATORS), extra_options={},
    )  # fmt: skip
    quantizer.quantize_model()
    return quantizer.model.model.SerializeToString()


def sensitivity(calibrated: Calibrated, pictures: Sequence[np.ndarray],
                wanted: Sequence[np.ndarray]) -> dict[str, float]:  # fmt: skip
    """Layer -> share of pixels whose class changes when that layer alone is computed in 8 bits.

    Args:
        pictures: uint8 (1, H, W, 3), not those of the calibration.
        wanted: class ids (H, W) of the float graph.
    """
    found = {}
    for layer in calibrated.layers:
        session = open_graph(quantised(calibrated, [layer]))
        found[layer.name] = changed(classes_of(session, pictures), wanted)
    return found


def changed(got: Sequence[np.ndarray], wanted: Sequence[np.ndarray]) -> float:
    """Share of pixels, over all masks, that differ."""
    return sum(int((a != b).sum()) for a, b in zip(got, wanted, strict=True)) / sum(b.size for b in wanted)
