"""Suspicious labels in `python -m kit doctor`: labels that runs trained on other labels disagree with."""

import argparse
import sys
from pathlib import Path

from kit.commands import chosen_device
from kit.errors import KitError
from kit.system.console import show_line


def check_options(options: argparse.Namespace) -> None:
    """Raise KitError for wrong options, before any file is read."""
    from kit.settings.checks import require_non_negative, require_share

    require_share(sure=options.sure)
    require_non_negative(show=options.show, fold_steps=options.fold_steps)
    if options.folds is not None and len(options.runs) > 1:
        raise KitError("--folds trains runs like one given run; name only one with --run")
    if options.folds is not None and options.folds < 2:
        raise KitError(f"--folds is {options.folds}; give 2 or more")


def suspicions(options: argparse.Namespace, out: Path) -> dict:
    """Print the table of suspicious labels, draw their contact sheet beside `out`, and return the record."""
    from kit.figures.pictures.suspicious import suspicion_sheet
    from kit.figures.style import save
    from kit.figures.tables.formats import as_text
    from kit.label.out_of_fold import crops, rows, suspicious_labels
    from kit.train.folds import fold_runs

    runs = list(options.runs)
    if options.folds:
        runs = fold_runs(runs[0], options.folds, steps=options.fold_steps, say=show_line, data_root=str(options.root))
    found = suspicious_labels(runs, options.sure, data_root=str(options.root), device=chosen_device(options))
    table, say = rows(found, options.show), sys.stdout.write
    say(f"\nsuspicious labels: {len(found.suspicions)} regions on {found.examined} images, the first {len(table)}\n")
    if found.passed_over:
        say(f"not examined: {len(found.passed_over)} image(s) that the runs were trained on; --folds leaves each "
            "out of one run\n")  # fmt: skip
    if table:
        shown = ("rank", "image", "part", "label", "networks", "pixels", "row", "column", "score")
        say(as_text([{name: row[name] for name in shown} for row in table]))
        sheet = suspicion_sheet(table, crops(found, options.show), found.classes, found.palette)
        say("".join(f"  {path}\n" for path in save(sheet, out.with_name(f"{out.stem}_suspicious"))))
    return {"runs": [str(run) for run in runs], "sure": options.sure, "looked_at": found.examined,
            "passed_over": list(found.passed_over), "regions": len(found.suspicions), "first": table}  # fmt: skip
