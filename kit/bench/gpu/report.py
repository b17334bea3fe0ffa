"""What `python -m kit bench gpu` has measured, as tables for a terminal or a README."""


def as_markdown(record: dict) -> str:
    """Device, tables of steps, latency and loader, what was checked, what failed, what was left out.

    Args:
        record: content of the JSON file.
    """
    parts = {kind: [row for row in record["parts"] if row["part"] == kind] for kind in _KINDS}
    parts["steps"] += parts.pop("compiled")
    sections = [_head(record), *(_KINDS[kind](rows, parts) for kind, rows in parts.items() if rows)]
    if record["out_of_memory"]:
        sections.append(f"out of memory: {'; '.join(record['out_of_memory'])}")
    sections += [f"failed: {name}: {reason}" for name, reason in record["failed"].items()]
    if record["left_out"]:
        sections.append(f"left out for lack of time: {'; '.join(record['left_out'])}")
    return "\n\n".join(sections) + "\n"


def _head(record: dict) -> str:
    device = record["device"]
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items() if version)
    memory = f", {device['memory'] / 1e9:.0f} GB, CUDA {device['cuda']}" if "memory" in device else ""
    return (f"{device['name']}{memory}, {record['cores']} cores, Python {record['python']}, {versions}, "
            f"commit {record['commit']}, {record['date']}")  # fmt: skip


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _steps(rows: list[dict], parts: dict) -> str:
    plain = {(r["network"], r["images"]): r["images_per_second"] for r in rows if r["form"] == "plain, float32"}
    cells = []
    for row in sorted(rows, key=lambda row: (row["network"], int(row["images"].split()[0]))):
        reference = plain.get((row["network"], row["images"]))
        ratio = f"{row['images_per_second'] / reference:.2f}" if reference else "-"
        form = row["form"] if row["form"].startswith("plain, float32") else f"{row['form']}, {row['precision']}"
        cells.append([f"{row['network']}, {row['images']}", form, f"{row['images_per_second']:.1f}", ratio,
                      _gigabytes(row), f"{row['first_seconds']:.1f}"])  # fmt: skip
    return _table(["a step of", "form", "images/s", "ratio", "peak GB", "first step, s"], cells)


def _latency(rows: list[dict], parts: dict) -> str:
    cells = [[row["network"], row["size"], row["precision"], f"{row['milliseconds']:.2f}",
              f"{row['images_per_second']:.1f}", _gigabytes(row)] for row in rows]  # fmt: skip
    return _table(["student, one image", "size", "precision", "ms", "images/s", "peak GB"], cells)


def _loader(rows: list[dict], parts: dict) -> str:
    """Crops per second, and whether they keep up with the fastest step of each network."""
    fastest = {}
    for row in parts["steps"]:
        fastest[row["network"]] = max(fastest.get(row["network"], 0.0), row["images_per_second"])
    cells = [[row["source"], str(row["workers"]), f"{row['images_per_second']:.0f}",
              *("yes" if row["images_per_second"] >= rate else "no" for rate in fastest.values())]
             for row in rows]  # fmt: skip
    names = [f"keeps up with {name} ({rate:.0f}/s)" for name, rate in fastest.items()]
    return _table(["crops from", "loader processes", "crops/s", *names], cells)


def _resume(rows: list[dict], parts: dict) -> str:
    (row,) = rows
    same = "the same bits" if row["same_bits"] else f"weights that differ by {row['largest_difference']:.1e} at most"
    return f"killed after step {row['killed_after']} and started again: {same}"


def _tests(rows: list[dict], parts: dict) -> str:
    (row,) = rows
    return f"device tests: {row['passed']} of {row['tests']} passed"


def _gigabytes(row: dict) -> str:
    return "-" if row["peak_memory"] is None else f"{row['peak_memory'] / 1e9:.2f}"


_KINDS = {"steps": _steps, "latency": _latency, "loader": _loader, "resume": _resume, "tests": _tests,
          "compiled": _steps}  # fmt: skip
