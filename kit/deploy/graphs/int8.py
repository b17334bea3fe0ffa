"""Decide whether 8 bits pay for a student: which layers, how much mIoU is lost, how much time is gained."""

import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from kit.deploy.graphs.onnx_graph import open_graph
from kit.deploy.graphs.picture_graph import INPUT
from kit.deploy.graphs.quantise import METHODS, Calibrated, calibrate, changed, classes_of, quantised, sensitivity
from kit.evaluate.scores.metrics import mean_iou
from kit.system.turns import SETTLE, interleaved, percentiles

CALIBRATION, TUNING, PROBED = 16, 32, 4
"""Labelled training images that activation ranges are measured on; others that decide how many layers stay in float;
and how many of the latter measure the sensitivity of single layers."""

GAIN = 1.05
"""Smallest speedup over float at which the 8-bit graph is kept."""

Pair = tuple[np.ndarray, np.ndarray]
"""(picture uint8 (1, H, W, 3), mask of class ids or IGNORE uint8 (H, W))."""


class Int8(NamedTuple):
    """A graph in 8 bits, None if it does not pay, and the record of the measurements."""

    model: bytes | None
    record: dict
    """"kept" (bool), "reason" (a sentence), "layers", "float_layers" (names), "sensitivity" (layer -> share of pixels
    that change), "calibration", "miou" and "latency" ({"float", "int8"} each), "drop" (points of mIoU on val),
    "agreement" (share of val pixels), "bytes"."""


def to_int8(model: bytes, train: Sequence[Pair], val: Sequence[Pair], classes: Sequence[str], max_drop: float = 0.5,
            threads: int = 0, repeats: int = 20, probe: bool = False,
            say: Callable[[str], object] = lambda line: None) -> Int8:  # fmt: skip
    """Quantise a graph of `kit.deploy.graphs.picture_graph`, as far as accuracy allows.

    All layers are tried first. As long as the mean IoU on training images falls by more than `max_drop`, the 1, 2, 4
    ... most sensitive layers go back to float. What is left is then evaluated on `val`, which only decides whether the
    result is kept.

    Args:
        model: the float graph.
        train: labelled training images; the first CALIBRATION are for calibration, the next TUNING for tuning.
        val: images on which the drop is reported.
        classes: names.
        max_drop: points of mIoU, 0..100.
        threads: of ONNX Runtime in the timing; 0 is all cores.
        repeats: timed runs of each form, in turns.
        probe: measure the sensitivity of the layers even if all of them can stay in 8 bits.
        say: called with lines on progress.
    """
    calibration, tuning = train[:CALIBRATION], train[CALIBRATION : CALIBRATION + TUNING] or train
    pictures, masks = [picture for picture, _ in tuning], [mask for _, mask in tuning]
    wanted = classes_of(open_graph(model), pictures)
    aim = mean_iou(wanted, masks, classes)

    def drop_of(form: bytes) -> float:
        return 100 * (aim - mean_iou(classes_of(open_graph(form), pictures), masks, classes))

    for method in METHODS:
        best = calibrate(model, [picture for picture, _ in calibration], method)
        every = quantised(best, best.layers)
        drop = drop_of(every)
        say(f"all {len(best.layers)} layers in 8 bits, calibrated by {method}: {drop:+.2f} points of mIoU lost on "
            f"{len(pictures)} training images")  # fmt: skip
        if drop <= max_drop:
            break
    record = {"calibration": best.method, "layers": len(best.layers), "max_drop": max_drop,
              "images": {"calibration": len(calibration), "tuning": len(tuning), "val": len(val)}}  # fmt: skip
    latency = in_turns({"float": model, "int8": every}, pictures[0], threads, repeats)
    if not _faster(latency):
        reason = f"with every layer in 8 bits a picture takes {_times(latency)} here, which is no gain"
        reason += _other_way(model)
        return Int8(None, {**record, "kept": False, "reason": reason, "latency": latency})
    form, left, found = every, [], {}
    if drop > max_drop or probe:
        found = sensitivity(best, pictures[:PROBED], wanted[:PROBED])
    if drop > max_drop:
        form, left = _least_float(best, found, drop_of, max_drop, say)
    record |= {"sensitivity": found, "float_layers": left}
    if form is None:
        reason = f"even with {len(left)} of {len(best.layers)} layers in float it loses more than {max_drop:g} points"
        return Int8(None, {**record, "kept": False, "reason": f"{reason} of mIoU on training images"})
    if left:
        latency = in_turns({"float": model, "int8": form}, pictures[0], threads, repeats)
    return _evaluated(model, form, val, classes, max_drop, latency, record)


def _least_float(best: Calibrated, found: dict[str, float], drop_of: Callable[[bytes], float], max_drop: float,
                 say: Callable[[str], object]) -> tuple[bytes | None, list[str]]:  # fmt: skip
    """The first graph, with 1, 2, 4 ... half of the layers in float, whose drop is at most `max_drop` (None if there is
    none), and the names of the float layers."""
    order = sorted(found, key=found.get, reverse=True)
    left: list[str] = []
    for count in shares_left(len(order)):
        left = order[:count]
        form = quantised(best, [layer for layer in best.layers if layer.name not in left])
        drop = drop_of(form)
        say(f"{count} of {len(order)} layers in float: {drop:+.2f} points lost")
        if drop <= max_drop:
            return form, left
    return None, left


def shares_left(count: int) -> list[int]:
    """Numbers of most sensitive layers to leave in float, in the order they are tried: 1, 2, 4 ... up to half."""
    return [2**i for i in range((count // 2).bit_length())]


def _evaluated(model: bytes, form: bytes, val: Sequence[Pair], classes: Sequence[str], max_drop: float, latency: dict,
            record: dict) -> Int8:  # fmt: skip
    pictures, masks = [picture for picture, _ in val], [mask for _, mask in val]
    exact, rough = (classes_of(open_graph(graph), pictures) for graph in (model, form))
    scores = {"float": mean_iou(exact, masks, classes), "int8": mean_iou(rough, masks, classes)}
    drop = 100 * (scores["float"] - scores["int8"])
    faster = _faster(latency)
    reason = f"{drop:+.2f} points of mIoU lost on {len(val)} val images, and a picture takes {_times(latency)}"
    reason += "" if drop <= max_drop else f"; at most {max_drop:g} points were allowed"
    reason += "" if faster else "; that is no gain"
    kept = drop <= max_drop and faster
    record |= {"kept": kept, "reason": reason, "miou": scores, "drop": drop, "latency": latency,
               "agreement": 1 - changed(rough, exact), "bytes": {"float": len(model), "int8": len(form)}}  # fmt: skip
    return Int8(form if kept else None, record)


def in_turns(models: dict[str, bytes], picture: np.ndarray, threads: int = 0, repeats: int = 20) -> dict[str, dict]:
    """Latency of one picture (`kit.system.turns.percentiles`) by each graph, run in turns, with threads and size."""
    runs = {name: open_graph(model, threads) for name, model in models.items()}
    calls = {name: lambda session=session: session.run(None, {INPUT: picture}) for name, session in runs.items()}
    times = interleaved(calls, repeats, settle=SETTLE)
    about = {"threads": threads or os.cpu_count(), "repeats": repeats, "size": list(picture.shape[1:3])}
    return {name: percentiles(seconds) | about for name, seconds in times.items()}


def _faster(latency: dict) -> bool:
    """Whether 8 bits are faster by GAIN, by the shortest times: other load on the machine only makes times longer."""
    return latency["float"]["least"] >= GAIN * latency["int8"]["least"]


def _other_way(model: bytes) -> str:
    """Hint at bfloat16 for networks with attention, which stays in float; "" for others."""
    import onnx

    attends = any(node.op_type == "Softmax" for node in onnx.load_from_string(model).graph.node)
    way = "; attention and GELU stay in float anyway: PyTorch in bfloat16 may be faster (predict --precision bf16)"
    return way if attends else ""


def _times(latency: dict) -> str:
    eight, exact = latency["int8"], latency["float"]
    return (
        f"{eight['p50']:.1f} ms in 8 bits (at least {eight['least']:.1f}) and {exact['p50']:.1f} ms in float (at least "
        f"{exact['least']:.1f})"
    )
