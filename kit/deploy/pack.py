"""A student as a model folder (`kit.models.model_folder`), to be kept, handed on or put on the hub."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from kit.deploy.graphs.bundle import GRAPH, GRAPH_INT8, LABELS, PROGRAM
from kit.deploy.graphs.onnx_graph import RECORD
from kit.deploy.model_card import model_card
from kit.errors import KitError
from kit.evaluate.student import load
from kit.models.model_folder import CARD, CONFIG, FORMAT, FORMAT_KEY, WEIGHTS, is_model_folder
from kit.runs.folder import RunFolder, provenance
from kit.settings.fields import to_dict
from kit.system.storage import read_json, write_bytes, write_json

PICTURE = "predictions.png"

GRAPHS = (GRAPH, GRAPH_INT8, PROGRAM, LABELS, "example.py", RECORD)
"""Files of an export that a model folder may hold as well."""

KEPT = ("miou", "iou", "pixel_accuracy", "images", "boundary_miou", "calibration_error", "intervals")
"""Scores of a run that go into the record."""


def pack(run_dir: str | Path, out: str | Path, weights: str = "last", licence: str = "", name: str = "",
         export: Path | None = None, pictures: Mapping[str, bytes] | None = None) -> dict:  # fmt: skip
    """Write a model folder, and return the content of its config.json.

    Graphs of an export become part of the folder: those in `export`, or else those that are in `out` already. They
    must be of the same weights.

    Args:
        run_dir: of a finished run or of imported weights.
        out: a new folder, or one that was exported or packed into before.
        weights: "last", "average" or "best".
        licence: the hub's name of it, such as "mit"; "" is none chosen.
        name: of the model, for the card; "" is the name of the folder.
        export: folder of an export.
        pictures: name of a file -> content, for the card; PICTURE is shown in it.
    Raises: KitError, and writes nothing, if the run is not finished, `out` holds a run or graphs are of other weights.
    """
    if is_model_folder(Path(run_dir)):
        raise KitError(f"{run_dir} is a model folder already; copy it, or pack the run that it was made from")
    student, folder, out = load(run_dir, weights), RunFolder(run_dir), Path(out)
    if folder.config_file.resolve() == (out / CONFIG).resolve():
        raise KitError(f"{out} is the run's own folder; name another one to pack into")
    if (out / CONFIG).exists() and not is_model_folder(out):
        raise KitError(f"{out} holds a run; name another folder to pack into")
    content = folder.weights(weights).read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    graphs = _graphs(export or out, sha256, copied=export is not None)
    imported = read_json(folder.import_file) if folder.import_file.is_file() else None
    result = imported or folder.result()
    config = replace(student.config, student=replace(student.config.student, weights=None), run_dir=f"runs/{out.name}")
    ids = {str(i): label for i, label in enumerate(student.classes)}
    record = {
        FORMAT_KEY: FORMAT,
        "name": name or out.resolve().name,
        "library_name": "trikd-mgd-kit",
        "architectures": [student.config.student.name],
        "id2label": ids,
        "label2id": {label: int(i) for i, label in ids.items()},
        "weights": {"file": WEIGHTS, "sha256": sha256, "kind": weights},
        "dataset": result["dataset"],
        "split": result.get("split"),
        "protocol": result.get("protocol"),
        "scores": _scores(folder, result, weights),
        "pretrained": result.get("pretrained", {}).get("student"),
        "trained": {
            "method": result.get("method"),
            "steps": result.get("steps"),
            "seed": result.get("seed"),
            "imported_from": imported and imported["source"],
        },  # fmt: skip
        "licence": licence,
        "cost": _cost(folder),
        "config": to_dict(config),
        **provenance(),
    }
    json.dumps(record, allow_nan=False)  # refused here, before anything is written
    export_record = json.loads(graphs[RECORD]) if RECORD in graphs else None
    shown = PICTURE if PICTURE in (pictures or {}) else None
    card = model_card(record, student, export_record, shown)
    out.mkdir(parents=True, exist_ok=True)
    for file in set(GRAPHS) - graphs.keys() if graphs else ():  # of an earlier model, such as its graph in 8 bits
        (out / file).unlink(missing_ok=True)
    for file, value in {**graphs, **(pictures or {}), WEIGHTS: content, CARD: card.encode()}.items():
        write_bytes(out / file, value)
    write_json(out / CONFIG, record)
    return record


def _graphs(folder: Path, sha256: str, copied: bool) -> dict[str, bytes]:
    """Files of an export in a folder. KitError if they are of other weights, or there are none although `copied`."""
    found = {name: (folder / name).read_bytes() for name in GRAPHS if (folder / name).is_file()}
    if GRAPH not in found or RECORD not in found:
        if copied:
            raise KitError(f"{folder} holds no export ({GRAPH} and {RECORD}); make one: python -m kit export")
        return {}
    record = json.loads(found[RECORD])
    if "weights_sha256" not in record:
        raise KitError(f"{folder} holds a graph of --logits, which is not packed; export without it, or pack elsewhere")
    if record["weights_sha256"] != sha256:
        raise KitError(
            f"the graphs in {folder} were made from other weights; export this model again (python -m kit export RUN "
            f"--out {folder}), or pack into a folder without them"
        )
    return found


def _scores(folder: RunFolder, result: dict, weights: str) -> dict | None:
    """Scores of a run with these weights; for "best", those of a later evaluation with all counts if there is one, else
    the mean IoU of the evaluation during training, which keeps no more."""
    full = folder.scores(weights).with_suffix(".json")
    found = read_json(full) if weights == "best" and full.is_file() else result.get(weights)
    if weights == "best" and found:
        found = {"images": result["last"]["images"], **found}
    return {key: value for key, value in found.items() if key in KEPT} if found else None


def _cost(folder: RunFolder) -> dict | None:
    """The student's part of a run's efficiency card, with size and device; None without a card."""
    if not folder.card_file.is_file():
        return None
    card = read_json(folder.card_file)
    student = next(net for net in card["networks"] if net["role"] == "student")
    kept = {key: student[key] for key in ("parameters", "flops", "timing")}
    return {"size": card["size"], "device": card["device"], **kept}
