import pytest
from run_records import run

from kit.figures.charts.class_iou import class_bars


def test_bars_leave_absent_classes_out():
    ax = class_bars([run("supervised", miou=0.25), run()]).axes[0]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["mean", "road", "sign", "train"]
    heights = [[bar.get_height() for bar in group] for group in ax.containers]
    assert heights == [[25, 90, 25], [50, 90, 50]]
    assert [text.get_text() for text in ax.texts] == ["absent"]


def test_a_class_absent_in_one_run_is_named_there():
    other = run("supervised")
    other["last"] = {**other["last"], "iou": {**other["last"]["iou"], "sign": None}}
    ax = class_bars([other, run()]).axes[0]
    sign, train = sorted(text.get_position()[0] for text in ax.texts)
    assert sign < 2 < train == 3


def test_names_of_many_classes_have_room():
    classes = [f"class {i}" for i in range(150)]
    of_many = run(dataset={"name": "own", "classes": classes})
    of_many["last"] = {**of_many["last"], "iou": dict.fromkeys(classes, 0.5)}
    assert class_bars([of_many]).get_figwidth() > 150 * 0.15 and class_bars([run()]).get_figwidth() == 7


def test_seeds_share_a_bar():
    fig = class_bars([run(seed=0, miou=0.4), run(seed=1, miou=0.6), run("supervised")])
    ax = fig.axes[0]
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["TriKD, 2 seeds", "Supervised only"]
    assert ax.containers[0][0].get_height() == pytest.approx(50)
    assert len(ax.lines[0].get_xdata()) == 2 * 4  # a dot per seed at the mean and at each class


def test_long_names_stay_within_the_page():
    long = [run(path=f"runs/a_folder_with_a_rather_long_name_{i}", config={"pretrained": True, "train": {"steps": i}})
            for i in range(4)]  # fmt: skip
    fig = class_bars(long)
    fig.draw_without_rendering()
    legend = fig.legends[0].get_window_extent()
    assert legend.x0 >= 0 and legend.x1 <= fig.bbox.x1
