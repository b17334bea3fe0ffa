import pytest

from kit.errors import KitError
from kit.figures.tables import run_scores


def run(method="trikd", seed=0, miou=0.5, split="a", name="camvid", **changes):
    iou = {"road": 0.9, "sign": miou, "train": None}
    scores = {"miou": miou, "iou": iou, "pixel_accuracy": 0.8, "images": 3}
    return {
        "method": method,
        "seed": seed,
        "path": f"runs/{method}_{seed}",
        "config": {"pretrained": method != "supervised", "seed": seed, "run_dir": f"runs/{method}_{seed}"},
        "dataset": {"name": name, "classes": list(iou), "palette": [[0, 0, 0]] * 3, "rare": ["sign", "train"]},
        "split": {"name": f"1_8 {split}", "labelled_sha256": split, "unlabelled_sha256": split},
        "protocol": "whole image",
        "last": scores,
        "average": {**scores, "miou": miou / 2},
        "student_parameters": 1234567,
        "seconds": {"train": 61.4, "evaluate": 1.0},
        **changes,
    }


def test_rows_hold_plain_values():
    (row,) = run_scores.rows([run()])
    assert row == {
        "method": "TriKD", "start": "pretrained", "mIoU last": 0.5, "mIoU average": 0.25,
        "IoU sign": 0.5, "IoU train": None,
        "student parameters": 1234567, "train seconds": 61.4, "split": "1_8 a", "seed": 0,
    }  # fmt: skip


def test_markdown_writes_percent_and_absent():
    head, rule, line = run_scores.as_markdown(run_scores.rows([run()])).splitlines()
    assert head.startswith("| method | start | mIoU last [%] | mIoU average [%] | IoU sign [%] | IoU train [%] |")
    assert rule.startswith("| --- | --- | ---: | ---: | ---: | ---: |")
    assert line == "| TriKD | pretrained | 50.00 | 25.00 | 50.00 | absent | 1,234,567 | 61 | 1_8 a | 0 |"


def test_text_lines_up():
    head, rule, *lines = run_scores.as_text(run_scores.rows([run(), run("supervised", seed=3)])).splitlines()
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
def test_splits_are_told_apart_by_what_is_in_them(which):
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
    assert "| – |" in run_scores.as_markdown([first])


def test_no_runs_no_table():
    with pytest.raises(KitError, match="no runs"):
        run_scores.rows([])


def test_bars_leave_absent_classes_out():
    ax = run_scores.class_bars([run("supervised", miou=0.25), run()]).axes[0]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["mean", "road", "sign", "train"]
    heights = [[bar.get_height() for bar in group] for group in ax.containers]
    assert heights == [[25, 90, 25], [50, 90, 50]]
    assert [text.get_text() for text in ax.texts] == ["absent"]


def test_a_class_absent_in_one_run_is_named_there():
    other = run("supervised")
    other["last"] = {**other["last"], "iou": {**other["last"]["iou"], "sign": None}}
    ax = run_scores.class_bars([other, run()]).axes[0]
    sign, train = sorted(text.get_position()[0] for text in ax.texts)
    assert sign < 2 < train == 3


def test_seeds_share_a_bar():
    fig = run_scores.class_bars([run(seed=0, miou=0.4), run(seed=1, miou=0.6), run("supervised")])
    ax = fig.axes[0]
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["TriKD, 2 seeds", "Supervised only"]
    assert ax.containers[0][0].get_height() == pytest.approx(50)
    assert len(ax.lines[0].get_xdata()) == 2 * 4  # a dot per seed at the mean and at each class
