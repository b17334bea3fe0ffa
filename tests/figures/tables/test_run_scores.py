import pytest
from run_records import run

from kit.errors import KitError
from kit.figures.tables import run_scores
from kit.figures.tables.formats import as_markdown, as_text


def test_rows_hold_plain_values():
    (row,) = run_scores.rows([run()])
    assert row == {
        "method": "TriKD", "start": "pretrained", "mIoU last": 0.5, "mIoU average": 0.25,
        "IoU sign": 0.5, "IoU train": None,
        "student parameters": 1234567, "train seconds": 61.4, "split": "1_8 a", "seed": 0,
    }  # fmt: skip


def test_markdown_writes_percent_and_absent():
    head, rule, line = as_markdown(run_scores.rows([run()])).splitlines()
    assert head.startswith("| method | start | mIoU last [%] | mIoU average [%] | IoU sign [%] | IoU train [%] |")
    assert rule.startswith("| --- | --- | ---: | ---: | ---: | ---: |")
    assert line == "| TriKD | pretrained | 50.00 | 25.00 | 50.00 | absent | 1,234,567 | 61 | 1_8 a | 0 |"


def test_text_lines_up():
    head, rule, *lines = as_text(run_scores.rows([run(), run("supervised", seed=3)])).splitlines()
    assert len({len(line) for line in (head, rule, *lines)}) == 1
    assert lines[1].startswith("Supervised only  random") and lines[1].endswith("3")


@pytest.mark.parametrize(
    "other, word",
    [
        (run(split="b"), "split"),
        (run(name="cityscapes"), "data set"),
        (run(protocol="sliding window"), "protocol"),
        (run(last={**run()["last"], "images": 2}), "protocol"),
    ],
)
def test_unlike_runs_share_no_table(other, word):
    with pytest.raises(KitError, match=word):
        run_scores.rows([run(), other])
    assert len(run_scores.rows([run(), other], mixed=True)) == 2


@pytest.mark.parametrize("which", ["labelled_sha256", "unlabelled_sha256", "extra_sha256"])
def test_splits_are_distinguished_by_their_content(which):
    first, other = run(), run(seed=1)
    other["split"] = {**other["split"], which: "other", "name": "1_8 a"}  # the name is the same
    with pytest.raises(KitError, match="differ in split .1_8 a, digests a a; 1_8 a, digests .*other"):
        run_scores.rows([first, other])


def test_one_split_may_have_two_names():
    other = run(seed=1)
    other["split"] = {**other["split"], "name": "lists mine", "extra": 0, "extra_sha256": None}
    assert [row["split"] for row in run_scores.rows([run(), other])] == ["1_8 a", "lists mine"]


def test_rare_classes_of_other_data_sets_are_left_open():
    other = run(name="cityscapes", dataset={**run()["dataset"], "rare": ["rider"]})
    first, _ = run_scores.rows([run(), other], mixed=True)
    assert first["IoU rider"] == run_scores.UNKNOWN
    assert "| – |" in as_markdown([first])


def test_no_runs_no_table():
    with pytest.raises(KitError, match="no runs"):
        run_scores.rows([])
