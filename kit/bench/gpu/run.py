"""`python -m kit bench gpu`: everything that needs a GPU once, in ten minutes, without a network: `make bench-gpu`.

It measures training steps of TriKD and MGD in four forms, latency of students, and whether loader processes keep up; it
kills and resumes a run, and runs the tests marked `gpu`. Results are written to one JSON file after every part, so
nothing is lost if the machine goes away; at the end tables are printed. A part starts only if it will probably end in
time; parts left out are listed. `--device cpu --size demo` tries all parts with small networks.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch

from kit.bench.gpu.checks import device_tests, kill_and_resume
from kit.bench.gpu.report import as_markdown
from kit.bench.gpu.serving import latency, loader_rates
from kit.bench.gpu.steps import FORMS, MGDWork, TriKDWork, measure_step, release
from kit.data.reading.sizes import size_text
from kit.deploy.cost import device_record
from kit.errors import KitError
from kit.runs.folder import provenance
from kit.settings.checks import require_choice, require_positive
from kit.system.storage import read_json, write_json

PARTS = ("steps", "latency", "loader", "resume", "tests", "compiled")
"""In the order in which they run; the slowest part comes last."""


class Sizes(NamedTuple):
    """What one value of `--size` measures."""

    works: tuple[tuple[type, str], ...]
    """Kind of step and size of its student."""
    crop: int
    images: tuple[int, ...]
    """Numbers of labelled images of a step, which has as many unlabelled or mixed ones."""
    students: tuple[str, ...]
    frames: tuple[tuple[int, int], ...]
    """(height, width) of images for students; the loader's frames have the last."""
    workers: tuple[int, ...]
    repeats: int


SIZES = {
    "full": Sizes(((TriKDWork, "11m"), (MGDWork, "resnet18"), (TriKDWork, "21m")), 512, (2, 8),
                  ("tinyvit_11m", "tinyvit_21m", "deeplab_resnet18", "deeplab_mobilenetv2"),
                  ((512, 1024), (1024, 2048)), (4, 8, 16), 10),
    "demo": Sizes(((TriKDWork, "demo"), (MGDWork, "demo")), 32, (2,), ("tinyvit_demo",), ((64, 128),), (1,), 1),
}  # fmt: skip


class Part(NamedTuple):
    """One measurement or check, run or left out as a whole."""

    kind: str
    """One of PARTS."""
    name: str
    seconds: float
    """Rough duration on one H100; on a GPU the part starts only if this much time is left."""
    run: Callable[[], dict | list[dict]]


def bench_gpu(arguments: list[str]) -> int:
    """Read the options, run the parts, write JSON and table; 1 if a part failed, else 0.

    Raises: KitError if there is no such device.
    """
    parser = argparse.ArgumentParser(prog="python -m kit bench gpu", description=__doc__.split("\n\n")[0])
    parser.add_argument("--device", default="cuda", help="cuda, or cpu to try the command (default: cuda)")
    parser.add_argument("--size", choices=tuple(SIZES), default="full", help="full: published networks and crops; "
                        "demo: small ones (default: full)")  # fmt: skip
    parser.add_argument("--parts", nargs="+", default=list(PARTS), metavar="PART", help=f"some of: {', '.join(PARTS)}")
    parser.add_argument("--minutes", type=float, default=9.0, help="start no part after this time (default: 9)")
    parser.add_argument("--commit", help="commit to record where there is no repository")
    parser.add_argument("--out", type=Path, default=Path("runs/bench/gpu.json"), help="(default: runs/bench/gpu.json)")
    parser.add_argument("--show", type=Path, metavar="FILE", help="only print the tables of such a JSON file")
    options = parser.parse_args(arguments)
    if options.show:
        return show(options.show)
    require_positive(**{"--minutes": options.minutes})
    for part in options.parts:
        require_choice(PARTS, **{"--parts": part})
    started, device = time.monotonic(), find_device(options.device)
    record = {**head(device, options), "parts": [], "out_of_memory": [], "failed": {}, "left_out": []}
    parts = [part for part in make_parts(SIZES[options.size], device) if part.kind in options.parts]
    deadline = started + 60 * options.minutes
    run_parts(parts, record, deadline, started, device, options.out)
    sys.stdout.write(f"\n{as_markdown(record)}\nthe full record is in {options.out}\n")
    return 1 if record["failed"] else 0


def show(path: Path) -> int:
    """Print the tables of a file. Raises: KitError if it is not one of this command."""
    record = read_json(path)
    if not {"device", "parts", "left_out"} <= set(record):
        raise KitError(f"{path} was not written by `python -m kit bench gpu`")
    sys.stdout.write(as_markdown(record))
    return 0


def find_device(name: str) -> torch.device:
    """The device of that name. Raises: KitError if it is not there."""
    require_choice(("cuda", "cpu"), **{"--device": name})
    if name == "cuda" and not torch.cuda.is_available():
        raise KitError("there is no GPU that torch can use; to try the command without one: --device cpu --size demo")
    return torch.device(name)


def head(device: torch.device, options: argparse.Namespace) -> dict:
    """Header of the record: options, device, versions, commit and date."""
    record = {"schema": 1, "size": options.size, "minutes": options.minutes, "device": device_record(options.device),
              "cores": os.cpu_count(), **provenance()}  # fmt: skip
    record["commit"] = record["commit"] or options.commit
    if device.type == "cuda":
        record["device"] |= {
            "memory": torch.cuda.get_device_properties(device).total_memory,
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
        }
    return record


def make_parts(sizes: Sizes, device: torch.device) -> list[Part]:
    """All parts in their order."""
    works = [kind(size, sizes.crop) for kind, size in sizes.works]

    def step(kind: str, seconds: float, work: TriKDWork | MGDWork, images: int, form: str) -> Part:
        run = partial(measure_step, work, form, images, device, sizes.repeats)
        return Part(kind, f"{work.name}, {images} + {images}, {form}", seconds, run)

    def answer(name: str, size: tuple[int, int]) -> Part:
        run = partial(latency, name, size, device, max(2, sizes.repeats))
        return Part("latency", f"{name} at {size_text(size)}", 8.0, run)

    workers = tuple(count for count in sizes.workers if count <= (os.cpu_count() or 1)) or (1,)
    loader = partial(loader_rates, sizes.crop, sizes.images[-1], sizes.frames[-1], workers)
    most_first = sorted(sizes.images, reverse=True)  # the most informative first, in case time runs out
    return [
        *(step("steps", 12.0, work, images, form) for work in works for images in sizes.images for form in FORMS[:-1]),
        *(answer(name, size) for size in sizes.frames for name in sizes.students),
        Part("loader", f"loader with {', '.join(map(str, workers))} processes", 45.0, loader),
        Part("resume", "kill and resume", 60.0, partial(kill_and_resume, device)),
        Part("tests", "device tests", 90.0, partial(device_tests, 150.0)),
        *(step("compiled", 120.0, work, images, "compiled") for images in most_first for work in works),
    ]


def run_parts(parts: list[Part], record: dict, deadline: float, started: float, device: torch.device,
              out: Path) -> None:  # fmt: skip
    """Run parts until the deadline and add what they return to `record`, which is written after each of them."""
    out.parent.mkdir(parents=True, exist_ok=True)
    for part in parts:
        if time.monotonic() + part.seconds * (device.type == "cuda") > deadline:
            record["left_out"].append(part.name)
            continue
        began = time.monotonic()
        sys.stdout.write(f"[{began - started:4.0f} s] {part.name}\n")
        sys.stdout.flush()
        try:
            found = part.run()
        except torch.OutOfMemoryError:
            record["out_of_memory"].append(part.name)
        except Exception as error:  # a failed part must not stop the others
            record["failed"][part.name] = _reason(error)
            sys.stdout.write(f"         failed: {record['failed'][part.name]}\n")
        else:
            for row in found if isinstance(found, list) else [found]:
                record["parts"].append({"part": part.kind, **row})
            if part.kind == "tests" and found["failed"]:
                record["failed"][part.name] = f"{len(found['failed'])} failed: {', '.join(found['failed'])}"
        record.setdefault("parts_seconds", {})[part.name] = round(time.monotonic() - began, 1)
        release(device)
        write_json(out, record)
    record["seconds"] = round(time.monotonic() - started, 1)
    write_json(out, record)


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}".removeprefix("KitError: ")
