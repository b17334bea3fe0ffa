"""The doctor's diagnosis as tables: parts, classes, findings."""

from pathlib import Path

from kit.data.doctor.diagnose import Diagnosis
from kit.data.doctor.findings import SEVERITIES, Finding
from kit.figures.tables.formats import as_text

SHOWN = 5
"""Number of files named for each kind of finding; doctor.json names all."""


def part_rows(diagnosis: Diagnosis) -> list[dict]:
    """A row per part: images, masks, pairs, images beyond the protocol, sizes."""
    return [
        {
            "part": part,
            "images": census.images,
            "masks": census.masks,
            "pairs": census.pairs,
            "extra images": census.extra,
            "height x width": _sizes(census.sizes),
        }
        for part, census in diagnosis.parts.items()
    ]


def class_rows(diagnosis: Diagnosis) -> list[dict]:
    """A row per class: for each part, its share of the counted pixels, 0..1, and the number of masks with it."""
    found = {part: census.shares() for part, census in diagnosis.parts.items()}
    return [
        {"class": name}
        | {f"share {part}": share[name] for part, share in found.items()}
        | {f"masks {part}": diagnosis.parts[part].present[name] for part in found}
        for name in (diagnosis.classes if found else ())
    ]


def findings_text(diagnosis: Diagnosis) -> str:
    """Findings grouped by kind: the first in full, further files by name."""
    groups: dict[tuple, list[Finding]] = {}
    for finding in diagnosis.findings:
        groups.setdefault((finding.severity, finding.kind, finding.part), []).append(finding)
    blocks = []
    for severity in SEVERITIES:
        for (found, kind, part), members in groups.items():
            if found != severity:
                continue
            head = f"{severity.upper()}  {kind}{f' in {part}' if part else ''}"
            lines = [head + (f": {len(members)} times" if len(members) > 1 else ""), f"  {members[0].message}"]
            others = [_below(member.file, diagnosis.root) for member in members[1:SHOWN]]
            more = len(members) - 1 - len(others)
            if others:
                lines.append(f"  also {', '.join(others)}{f' and {more} more' if more else ''}")
            blocks.append("\n".join(lines) + "\n")
    return _printable("\n".join(blocks) or "no findings\n")


def verdict(diagnosis: Diagnosis) -> str:
    """One line: data set, number of findings, number of files and seconds."""
    counts = ", ".join(f"{diagnosis.count(severity)} {severity}(s)" for severity in SEVERITIES)
    split = f", split {diagnosis.split['name']}" if diagnosis.split else ""
    took = f"{diagnosis.files} files in {diagnosis.seconds:.1f} s"
    return _printable(f"{diagnosis.dataset} in {diagnosis.root}{split}: {counts}; {took}")


def summary(diagnosis: Diagnosis) -> str:
    """All tables and findings, for a terminal."""
    tables = [as_text(rows) for rows in (part_rows(diagnosis), class_rows(diagnosis)) if rows]
    return "\n".join([*tables, findings_text(diagnosis), verdict(diagnosis) + "\n"])


def _sizes(sizes: dict[str, int]) -> str:
    """The two most frequent sizes and the number of others."""
    shown = ", ".join(f"{size} ({count})" for size, count in list(sizes.items())[:2])
    return shown + (f", {len(sizes) - 2} others" if len(sizes) > 2 else "") or "-"


def _below(file: str, root: str) -> str:
    """A path relative to the data set's folder; any other path as it is."""
    path = Path(file)
    return str(path.relative_to(root)) if path.is_relative_to(root) else file


def _printable(text: str) -> str:
    """Text with undecodable bytes of file names as \\xNN."""
    return text.encode(errors="surrogateescape").decode(errors="backslashreplace")
