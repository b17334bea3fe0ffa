"""`python -m kit bench deploy`: frames a second of students from uint8 pixels to class ids, in four forms, in turns.

The forms are the kit's ONNX graph in float32 and in 8 bits under ONNX Runtime, and the same computation in PyTorch,
eager and compiled. A student is a run, whose timed graphs are evaluated on val (mean IoU), or the name of a network,
which gets random weights and no score. The last line, `fps=`, is the speed of the first student's fastest ONNX graph.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

import numpy as np
import torch

from kit.bench.evaluate import make_network
from kit.bench.timing import environment, torch_threads
from kit.data.reading.sizes import size_text
from kit.deploy.graphs.int8 import to_int8
from kit.deploy.graphs.labelled_pictures import labelled_pairs
from kit.deploy.graphs.onnx_graph import open_graph, require_packages
from kit.deploy.graphs.picture_graph import INPUT, PictureGraph, pictures_to_onnx, trace_pictures
from kit.deploy.graphs.quantise import calibrate, quantised
from kit.evaluate.student import Student, load
from kit.settings.checks import require_positive
from kit.settings.run import ModelConfig, RunConfig
from kit.system.storage import write_json
from kit.system.turns import SETTLE, interleaved, percentiles

FORMS = {"onnx": "ONNX, float32", "int8": "ONNX, 8 bits", "eager": "PyTorch", "compiled": "torch.compile"}


def bench_deploy(arguments: list[str]) -> None:
    """Read the options, build and check the graphs, time everything in turns, write the table."""
    parser = argparse.ArgumentParser(prog="python -m kit bench deploy", description=__doc__.split("\n\n")[0])
    parser.add_argument("students", nargs="*", default=["lite_fast"],
                        help="runs, or names of networks for random weights (default: lite_fast)")  # fmt: skip
    parser.add_argument("--size", type=int, nargs=2, default=(512, 1024), metavar=("H", "W"),
                        help="picture size for random weights (default: 512 1024); runs take val images")  # fmt: skip
    parser.add_argument("--threads", type=int, default=2, help="CPU threads of every form (default: 2)")
    parser.add_argument("--repeats", type=int, default=20, help="timed runs of each form (default: 20)")
    parser.add_argument("--max-drop", type=float, default=0.5, help="mIoU points that 8 bits may cost (default: 0.5)")
    parser.add_argument("--data-root", help="data set of the runs, if it is not where it was in training")
    parser.add_argument("--onnx-only", action="store_true", help="do not time the PyTorch forms")
    parser.add_argument("--out", type=Path, help="folder for deploy.json and, for runs, the figure pareto")
    options = parser.parse_args(arguments)
    require_positive(**{f"--{name}": getattr(options, name) for name in ("threads", "repeats")})
    require_packages()
    with torch_threads(options.threads):
        _measure(options)


def _measure(options: argparse.Namespace) -> None:
    say = sys.stdout.write
    rows, calls = [], {}
    for name in options.students:
        student, models, picture, scores = (_trained if Path(name).is_dir() else _random)(name, options)
        size = list(picture.shape[1:3])
        rows.append({"name": name, "network": student.config.student.name, "size": size, "scores": scores})
        forms = {form: partial(open_graph(model, options.threads).run, None, {INPUT: picture})
                 for form, model in models.items()}  # fmt: skip
        if not options.onnx_only:
            forms |= _torch_calls(student, picture)
        calls |= {(name, form): call for form, call in forms.items()}
    times = interleaved(calls, options.repeats, settle=SETTLE)
    say(f"{options.repeats} runs in turns, {options.threads} threads, a picture at a time, uint8 pixels to class ids\n"
        f"{environment()}\n\n{'student':<28}{'size':>12}  {'form':<15}{'mIoU':>8}{'p50 ms':>9}{'p90':>8}{'least':>8}"
        f"{'fps':>8}\n")  # fmt: skip
    for row in rows:
        row["forms"] = {form: percentiles(seconds) for (name, form), seconds in times.items() if name == row["name"]}
        for form, found in row["forms"].items():
            score = row["scores"].get("int8" if form == "int8" else "float")
            about = f"{row['network']:<28}{size_text(row['size']):>12}  {FORMS[form]:<15}"
            say(f"{about}{'-' if score is None else f'{score:.2%}':>8}"
                f"{found['p50']:>9.1f}{found['p90']:>8.1f}{found['least']:>8.1f}{found['fps']:>8.1f}\n")  # fmt: skip
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        write_json(
            options.out / "deploy.json", {"threads": options.threads, "environment": environment(), "rows": rows}
        )
        if scored := [row for row in rows if row["scores"]]:
            from kit.figures.comparisons.pareto import pareto_figure
            from kit.figures.style import save

            save(pareto_figure(scored, options.threads), options.out / "pareto")
    best = max(found["fps"] for form, found in rows[0]["forms"].items() if form in ("onnx", "int8"))
    say(f"\nfps={best:.1f}\n")


def _trained(run: str, options: argparse.Namespace) -> tuple[Student, dict[str, bytes], np.ndarray, dict]:
    """A run's student, its graphs, a val picture, and the mean IoU of each graph."""
    student = load(run)
    train, val = labelled_pairs(student, None, options.data_root)
    picture = val[0][0]
    size = tuple(picture.shape[1:3])
    train, val = ([pair for pair in part if pair[1].shape == size] for part in (train, val))
    model = _graph(student, size)
    made = to_int8(model, train, val, student.classes, options.max_drop, options.threads, options.repeats,
                   say=lambda line: sys.stderr.write(line + "\n"))  # fmt: skip
    sys.stderr.write(f"{run}: {made.record['reason']}\n")
    models = {"onnx": model, **({"int8": made.model} if made.model else {})}
    return student, models, picture, made.record.get("miou", {})


def _random(name: str, options: argparse.Namespace) -> tuple[Student, dict[str, bytes], np.ndarray, dict]:
    """The same for a network with random weights: a noise picture, an 8-bit graph with no layer in float, no scores."""
    net, size = make_network(name), tuple(options.size)
    classes = [str(i) for i in range(net.num_classes)]
    student = Student(net, classes, [[0, 0, 0]] * len(classes), RunConfig(student=ModelConfig(name=name)))
    net.check_size(*size)
    picture = np.random.default_rng(0).integers(0, 256, (1, *size, 3), np.uint8)
    model = _graph(student, size)
    calibrated = calibrate(model, [picture])
    return student, {"onnx": model, "int8": quantised(calibrated, calibrated.layers)}, picture, {}


def _graph(student: Student, size: tuple[int, int]) -> bytes:
    graph = PictureGraph(student, size)
    return pictures_to_onnx(trace_pictures(graph, size, batch=False), False).SerializeToString()


def _torch_calls(student: Student, picture: np.ndarray) -> dict:
    graph, pixels = PictureGraph(student, tuple(picture.shape[1:3])), torch.from_numpy(picture)
    run = torch.inference_mode()(lambda module: module(pixels))
    calls, compiled = {"eager": partial(run, graph)}, partial(run, torch.compile(graph))
    try:
        compiled()
        calls["compiled"] = compiled
    except Exception as error:  # most often a missing C++ compiler, which torch reports in many ways
        sys.stderr.write(f"torch.compile does not work here ({type(error).__name__}: {str(error).splitlines()[0]})\n")
    return calls
