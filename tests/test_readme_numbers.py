"""The README's table of results says what the collected runs say."""

import re

import pytest

from kit.batch.experiments.collected import load_study, rows_of
from kit.batch.summary import difference, mean_sd
from kit.system.paths import PROJECT

ROWS = {
    "supervised, equal time": "supervised, equal time",
    "control:": "mean teacher, no other images",
    "TriKD,": "trikd",
    "UniMatch": "unimatch, equal time",
    "CPS,": "cps, equal time",
    "distillation": "distill, equal time",
    "FixMatch": "fixmatch, equal time",
    "mean teacher": "mean teacher, equal time",
    "MGD": "mgd, equal time",
    "supervised, all": "supervised all labels, equal time",
}
"""How a row of the README begins -> its row in the grid."""


@pytest.fixture(scope="module")
def rows():
    """Collected runs of the comparison, by row."""
    return rows_of(load_study(PROJECT / "notebooks/results/study.json"), ["study_equal"])


@pytest.mark.parametrize("begins", ROWS)
def test_differences_are_those_of_the_collected_runs(rows, begins):
    (line,) = re.findall(rf"^\| {begins}.*", (PROJECT / "README.md").read_text(), re.MULTILINE)
    score, *cells = line.replace("*", "").split("|")[3:6]
    summary = mean_sd([run["average"]["miou"] for run in rows[ROWS[begins]]])
    assert score.strip() == f"{100 * summary['mean']:.1f} ± {100 * summary['sd']:.1f} (n = {summary['n']})"
    others = ("supervised, equal time", "mean teacher, no other images")
    for cell, other in zip(cells, others, strict=True):
        if not cell.strip():
            continue
        found = difference(rows[ROWS[begins]], rows[other], "average")
        low, high = (100 * edge for edge in found["interval"])
        text = f"{100 * found['mean']:+.1f}" + (f" ({low:+.1f} to {high:+.1f})" if found["n"] > 1 else "")
        assert cell.strip() == text
