"""The efficiency card of a run: cost and score of its student and of its teachers."""

import math
from collections.abc import Iterator
from pathlib import Path

from kit.deploy.cost import cost, device_record
from kit.deploy.graphs.logits_graph import working_size
from kit.deploy.graphs.onnx_graph import RECORD
from kit.errors import KitError
from kit.evaluate.student import Student, load
from kit.models.build import build_model
from kit.models.segmenter import Segmenter
from kit.runs.folder import RunFolder, provenance
from kit.settings.run import ModelConfig, RunConfig
from kit.system.paths import from_project
from kit.system.storage import read_json, write_json


def make_card(run_dir: str | Path, size: tuple[int, int] | None = None, repeats: int = 10, teachers: bool = True,
              device: str = "cpu") -> dict:  # fmt: skip
    """Measure a run's student, and its teachers, and write `card.json` into its folder.

    Args:
        run_dir: of a finished run, or of imported weights.
        size: (height, width) of an image; None is the student's working size
            (`kit.deploy.graphs.logits_graph.working_size`), rounded up to what all measured networks take.
        repeats: timed runs of each network, at least 2.
        teachers: measure them too. Networks that a run trains beside its student (TriKD's) are not kept, so they are
            built again; their cost is the same, and they have no score.
    Returns: the card; "networks" are the student and its teachers, each with "role", "name", "miou" (None where there
        is none), "protocol" and the fields of `kit.deploy.cost.cost`.
    Raises: KitError if there is no such run, or a network does not take this size.
    """
    if repeats < 2:
        raise KitError(f"repeats must be at least 2, for a spread, got {repeats}")
    folder, student = RunFolder(run_dir), load(run_dir)
    found, networks = list(_networks(folder, student, teachers)), []
    multiple = math.lcm(*(net.multiple for _, net, *_ in found))
    size = tuple(size or working_size(student, multiple))
    for _, net, *_ in found:  # all before any is measured
        net.check_size(*size)
    for role, net, cfg, scored in found:
        networks.append({"role": role, "name": cfg.name, **scored, **cost(net.to(device), cfg, size, repeats)})
    exported = folder.path / RECORD
    card = {
        "run": str(folder.path),
        "method": student.config.method.name,
        "size": list(size),
        "classes": len(student.classes),
        "judged": _judged(folder),
        "networks": networks,
        "export": read_json(exported) if exported.is_file() else None,
        "device": device_record(device),
        **provenance(),
    }
    write_json(folder.card_file, card)
    return card


def as_text(card: dict) -> str:
    """A card in columns for a terminal."""
    device = card["device"]
    head = f"{card['run']}: {card['size'][0]} x {card['size'][1]}, float32, {device['name']}"
    head += f", {device['threads']} threads" if "threads" in device else ""
    names = "".join(f"{f'ms, batch {b}':>21}{'images/s':>10}{'MB':>8}" for b in card["networks"][0]["timing"])
    lines = [head, f"{'network':<34}{'mIoU':>8}{'parameters':>12}{'GFLOPs':>9}{names}"]
    for net in card["networks"]:
        score = "-" if net["miou"] is None else f"{net['miou']:.2%}"
        name = f"{net['role']} {net['name']}"
        row = f"{name:<34}{score:>8}{net['parameters'] / 1e6:>10.2f} M{net['flops'] / 1e9:>9.2f}"
        for t in net["timing"].values():
            spread = f"{1e3 * t['median']:.1f} ({1e3 * t['low']:.1f}-{1e3 * t['high']:.1f})"
            row += f"{spread:>21}{t['throughput']:>10.1f}{t['peak_memory'] / 1e6:>8.0f}"
        lines.append(row)
    if card["export"]:
        check = card["export"]["check"]
        if "difference" in check:  # of an export with --logits
            rest = f"largest difference of logits {check['difference']:.1e}"
        else:
            rest = f"{check['worst']:.3%} on the worst"
        of = f"ONNX against PyTorch on {check['images']} images"
        lines.append(f"{of}: {check['agreement']:.3%} of pixels agree, {rest}")
    return "\n".join(lines) + "\n"


def _judged(folder: RunFolder) -> list | None:
    """Data set, digest of the labelled list, protocol and number of images of a run's scores; None if imported."""
    result = folder.result()
    if result is None:
        return None
    return [result["dataset"]["name"], result["split"]["labelled_sha256"], result["protocol"], result["last"]["images"]]


def _networks(folder: RunFolder, student: Student,
              teachers: bool) -> Iterator[tuple[str, Segmenter, ModelConfig, dict]]:  # fmt: skip
    """(role, network, its settings, {"miou", "protocol"}) of the student and of its teachers."""
    yield "student", student.net, student.config.student, _scored(folder)
    for role, value in beside(student.config).items() if teachers else ():
        if isinstance(value, ModelConfig):
            net = build_model(value, len(student.classes), pretrained=False)
            yield role, net, value, {"miou": None, "protocol": None}
        else:
            teacher = load(value)
            yield role, teacher.net, teacher.config.student, _scored(RunFolder(value))


def beside(cfg: RunConfig) -> dict[str, ModelConfig | Path]:
    """Role -> settings, or the finished run, of every network that a method has besides the student."""
    method, found = cfg.method, {}
    for role in ("cnn", "vit"):
        if role in getattr(method, "views", ()):
            found[role] = getattr(method, role)
    for role in ("deep", "wide"):
        if hasattr(method, role):
            run = getattr(method, role)
            there = run and RunFolder(from_project(run)).config_file.is_file()
            found[role] = from_project(run) if there else getattr(method, f"{role}_net")
    return found


def _scored(folder: RunFolder) -> dict:
    """Mean IoU and protocol in a run's result; None for imported weights."""
    try:
        result = folder.result()
    except KitError:
        result = None
    return {"miou": result["last"]["miou"] if result else None, "protocol": result["protocol"] if result else None}
