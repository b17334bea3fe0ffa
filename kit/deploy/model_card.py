"""README.md of a model folder: front matter that the hub reads, and what a person should know before using a model."""

import yaml

from kit.data.reading.sizes import size_text
from kit.evaluate.student import Student

TASK = "image-segmentation"

SCORES = {"miou": "mean IoU", "pixel_accuracy": "pixel accuracy", "boundary_miou": "boundary mean IoU",
          "calibration_error": "expected calibration error"}  # fmt: skip
"""Key -> label of the scores in a card's first table."""


def model_card(record: dict, student: Student, export: dict | None, picture: str | None) -> str:
    """The card, in Markdown with front matter.

    Args:
        record: config.json of the folder (`kit.deploy.pack.pack`).
        student: the model.
        export: record of its graphs, if there are any.
        picture: file of a picture of predictions in the folder.
    """
    parts = [
        _about(record, student),
        picture and f"![Predictions on val images of {record['dataset']['name']}, drawn at random]({picture})",
        _scores(record),
        _cost(record),
        _graphs(export),
        _use(record, export),
        _training(record),
        _limits(record, student),
        _origin(record),
    ]
    return f"---\n{_front_matter(record)}---\n\n" + "\n\n".join(part for part in parts if part) + "\n"


def _front_matter(record: dict) -> str:
    """YAML that the hub reads: licence, library, task, data set, metrics, base model, results."""
    data, scores, first = record["dataset"]["name"], record["scores"], record["pretrained"] or {}
    content: dict[str, object] = {"license": record["licence"] or "unknown", "library_name": record["library_name"],
                                  "pipeline_tag": TASK}  # fmt: skip
    content["tags"] = ["semantic-segmentation", "semi-supervised", "lightweight", record["architectures"][0]]
    content["datasets"] = [data]
    content["metrics"] = ["mean_iou"]
    if first.get("source") not in (None, "random", "file", "model folder", "run"):
        content["base_model"] = f"timm/{first['network']}"
    if scores:
        metrics = [{"type": kind, "name": label, "value": round(100 * scores[kind_in], 2)}
                   for kind, label, kind_in in (("mean_iou", "mean IoU [%]", "miou"),
                                                ("accuracy", "pixel accuracy [%]", "pixel_accuracy"))
                   if scores.get(kind_in) is not None]  # fmt: skip
        result = {"task": {"type": TASK}, "dataset": {"name": data, "type": data, "split": "val"}, "metrics": metrics}
        content["model-index"] = [{"name": record["name"], "results": [result]}]
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def _about(record: dict, student: Student) -> str:
    data, split = record["dataset"]["name"], record["split"]
    labels = "" if not split else f", from {split['labelled']} labelled and {split['unlabelled']} unlabelled images"
    trained = record["trained"]
    how = f"imported from {trained['imported_from']}" if trained["imported_from"] else (
        f"trained by {trained['method'].replace('_', ' ')} for {trained['steps']:,} steps{labels}")  # fmt: skip
    classes = ", ".join(student.classes)
    parameters = sum(p.numel() for p in student.net.parameters())
    return (
        f"# {record['name']}\n\nA network for semantic segmentation: it says for every pixel of a photograph which of "
        f"{len(student.classes)} classes it shows. It is a {record['architectures'][0]} of {parameters / 1e6:.2f} "
        f"million parameters, {how}, on {data}.\n\n**Classes:** {classes}."
    )


def _scores(record: dict) -> str:
    """Scores with intervals, and a line for each class."""
    scores = record["scores"]
    if not scores:
        return "## Scores\n\nNone are known: the weights were imported and not evaluated."
    intervals = scores.get("intervals") or {}
    lines = [f"## Scores\n\nOn the {scores['images']} val images of {record['dataset']['name']}; {record['protocol']}.",
             "", "| | value | 95 % over images |", "| --- | ---: | ---: |"]  # fmt: skip
    for key, label in SCORES.items():
        if scores.get(key) is not None:
            lines.append(f"| {label} | {scores[key]:.2%} | {_range(intervals.get(key))} |")
    by_class = scores.get("iou") or {}  # evaluations during training keep the mean alone
    lines += ["", "| class | IoU | 95 % over images |", "| --- | ---: | ---: |"] if by_class else []
    for name, value in by_class.items():
        of_class = (intervals.get("iou") or {}).get(name)
        lines.append(f"| {name} | {'absent' if value is None else f'{value:.2%}'} | {_range(of_class)} |")
    return "\n".join(lines)


def _range(edges: list | None) -> str:
    return "" if not edges or None in edges else f"{edges[0]:.2%} to {edges[1]:.2%}"


def _cost(record: dict) -> str:
    cost = record["cost"]
    if not cost:
        return ""
    device = cost["device"]
    threads = f", {device['threads']} threads" if "threads" in device else ""
    lines = [f"## Cost\n\nMeasured with PyTorch in float32 at {size_text(cost['size'])} on {device['name']}{threads}: "
             f"{cost['parameters'] / 1e6:.2f} million parameters, {cost['flops'] / 1e9:.2f} GFLOPs an image.", "",
             "| images at a time | milliseconds | images a second | peak memory |",
             "| ---: | ---: | ---: | ---: |"]  # fmt: skip
    for batch, time in cost["timing"].items():
        lines.append(f"| {batch} | {1e3 * time['median']:.1f} | {time['throughput']:.1f} | "
                     f"{time['peak_memory'] / 1e6:.0f} MB |")  # fmt: skip
    return "\n".join(lines)


def _graphs(export: dict | None) -> str:
    """What the ONNX files are, and how fast."""
    if not export:
        return ""
    size = "any size" if export["size"] is None else size_text(export["size"])
    seen = "images of noise" if export["check"].get("noise") else "pictures"
    text = (
        f"## Graphs\n\n`student.onnx` takes uint8 RGB pictures (B, H, W, 3) of {size} and gives the class id of every "
        "pixel; resizing and normalisation are inside. It has the class of the PyTorch model on "
        f"{export['check']['agreement']:.2%} of the pixels of {export['check']['images']} {seen}. `student.pt2` "
        "is the same as an exported program of PyTorch."
    )
    int8 = export.get("int8")
    if not int8:
        return text
    if not int8["kept"]:
        return f"{text} There is no graph in 8 bits: {int8['reason']}."
    left, about = len(int8["float_layers"]), int8["latency"]["float"]
    layers = f"{int8['layers'] - left} of {int8['layers']}" if left else f"all {int8['layers']}"
    latency = f"ms a picture of {size_text(about['size'])}, {about['threads']} threads"
    lines = [f"{text}\n\n`student_int8.onnx` computes {layers} layers in 8 bits.", "",
             f"| graph | mean IoU on val | {latency} | size |",
             "| --- | ---: | ---: | ---: |"]  # fmt: skip
    for form, label in (("float", "float32"), ("int8", "8 bits")):
        lines.append(f"| {label} | {int8['miou'][form]:.2%} | {int8['latency'][form]['p50']:.1f} | "
                     f"{int8['bytes'][form] / 1e6:.1f} MB |")  # fmt: skip
    return "\n".join(lines)


def _use(record: dict, export: dict | None) -> str:
    text = ("## Use\n\nWith the kit, from this folder or from its name on the hub:\n\n```python\nimport kit\n\n"
            f'student = kit.load("{record["name"]}")\nmask = student.predict("photo.jpg")  # uint8 (H, W), class ids\n'
            'overlay = student.predict("photo.jpg", overlay=True)\n```')  # fmt: skip
    if export:
        text += ("\n\nWithout it, with NumPy, Pillow and ONNX Runtime alone:\n\n```\npython example.py photo.jpg "
                 "overlay.png\n```")  # fmt: skip
    start = f'{{"student.weights": "{record["name"]}", "student.name": "{record["architectures"][0]}"}}'
    return (f"{text}\n\nA new run can start from it (`overrides={start}`), and it can teach another student "
            f'(`method.deep` or `method.wide` of the method "mgd").')  # fmt: skip


def _training(record: dict) -> str:
    split, trained, first = record["split"], record["trained"], record["pretrained"] or {}
    if not split:
        return ""
    start = f"{first.get('network')}, {first.get('source')}" if first else "not recorded"
    digest, drawn = split["labelled_sha256"][:16], f" ({split['protocol']})" if split.get("protocol") else ""
    config = record["config"]
    return (
        "## Training\n\n| | |\n| --- | --- |\n"
        f"| data set | {record['dataset']['name']} |\n"
        f"| split | {split['name']}{drawn}, {split['labelled']} labelled, {split['unlabelled']} "
        f"unlabelled; sha256 of the labelled list begins with {digest} |\n"
        f"| method | {trained['method']}, {trained['steps']:,} steps, seed {trained['seed']} |\n"
        f"| optimiser | {config['optim']['name']}, rate {config['optim']['lr']:g} |\n"
        f"| crops | {size_text(config['data']['crop'])}, {config['data']['labelled']} labelled a step |\n"
        f"| encoder's first weights | {start} |\n"
        f"| weights | {record['weights']['kind']}, sha256 {record['weights']['sha256']} |"
    )


def _limits(record: dict, student: Student) -> str:
    """What the model cannot do, as far as its record says."""
    scores = record["scores"] or {}
    known = {name: value for name, value in (scores.get("iou") or {}).items() if value is not None}
    poor = [f"{name} ({value:.0%})" for name, value in sorted(known.items(), key=lambda item: item[1]) if value < 0.3]
    data, base = record["dataset"]["name"], student.config.data.base_size
    lines = [
        f"- It knows photographs like those of {data} and no others: every pixel of any picture gets one of its "
        "classes, and there is none for what it has never seen.",
        "- Scores are of one run; another seed may differ by more than the interval over images.",
    ]
    if base:
        how = f"with a shorter side of {min(base)}" if student.config.data.keep_aspect else f"at {size_text(base)}"
        lines.append(f"- It sees pictures {how}; what is smaller than a few pixels there is lost.")
    if poor:
        lines.append(f"- It is poor at {', '.join(poor)} (IoU).")
    lines.append("- It was made for research. It was not tested for decisions about people.")
    return "## Limits\n\n" + "\n".join(lines)


def _origin(record: dict) -> str:
    commit = f", commit {record['commit']}" if record["commit"] else ""
    licence = record["licence"] or "not stated"
    return (
        f"## Licence and origin\n\nLicence of the weights: {licence}. The data set has terms of its own.\n\n"
        f"Packed on {record['date'][:10]} by trikd-mgd-kit{commit}, torch {record['versions']['torch']}.\n\n"
        f"To put this folder on the hub: `hf upload OWNER/{record['name'].replace(' ', '-')} .`"
    )
