import pytest

from kit.errors import KitError
from kit.figures.comparisons.efficiency import UNSCORED, efficiency


def network(role="student", name="tinyvit_demo", miou=0.5, flops=2e9, seconds=0.02):
    timing = {"median": seconds, "low": 0.9 * seconds, "high": 1.2 * seconds, "throughput": 1 / seconds}
    return {"role": role, "name": name, "miou": miou, "flops": flops, "parameters": 1, "timing": {"1": timing}}


def card(method="mgd", networks=None, **changes):
    networks = networks or [network(), network("deep", "big", 0.6, 9e9, 0.1), network("wide", "x", None, 8e9)]
    return {"run": f"runs/{method}", "method": method, "size": [64, 96], "networks": networks,
            "device": {"type": "cpu", "name": "a CPU", "threads": 2}, "judged": ["camvid", "a", "whole", 3],
            **changes}  # fmt: skip


def test_every_network_is_there_and_axes_say_what_they_show():
    fig = efficiency([card(), card("trikd", [network(name="other", miou=0.4)])])
    left, right = fig.axes
    assert "64 x 96" in left.get_xlabel() and "batch of 1 (a CPU, 2 threads)" in right.get_xlabel()
    assert left.get_ylabel() == "mean IoU [%]"
    for ax in (left, right):
        assert [text.get_text() for text in ax.texts] == ["tinyvit_demo", "big", "x", "other"]
    points = [tuple(c.lines[0].get_xydata()[0]) for c in left.containers]
    assert points == [pytest.approx((2, 50)), pytest.approx((9, 60)), pytest.approx((2, 40))]
    low, high = right.containers[0].lines[2][0].get_segments()[0][:, 0]
    assert (low, high) == (pytest.approx(18), pytest.approx(24))
    assert [text.get_text() for text in fig.legends[0].texts] == ["MGD", "TriKD", "deep", UNSCORED]


@pytest.mark.parametrize("costs, ticks", [((2e9, 9e9), ["1", "2", "5"]), ((8e9, 1e10), ["8", "9", "10"])])
def test_the_cost_axis_is_labelled_with_plain_numbers(costs, ticks):
    fig = efficiency([card("cps", [network(flops=flops) for flops in costs])])
    fig.draw_without_rendering()
    shown = {label.get_text() for label in fig.axes[0].get_xticklabels(which="both")}
    assert set(ticks) <= shown and all(text == "" or float(text) for text in shown)


@pytest.mark.parametrize(
    "other, word",
    [
        ({"size": [32, 32]}, "size"),
        ({"device": {"name": "a GPU"}}, "device"),
        ({"judged": ["camvid", "b", "whole", 3]}, "different data, splits or protocols"),
    ],
)
def test_what_was_measured_otherwise_is_not_drawn_beside(other, word):
    with pytest.raises(KitError, match=word):
        efficiency([card(), card("cps", **other)])
    with pytest.raises(KitError, match="no cards"):
        efficiency([])


def test_names_are_written_once_and_cover_neither_marks_nor_each_other():
    methods = ("supervised", "cps", "fixmatch", "trikd")
    students = [card(method, [network(miou=0.3 + i / 500)]) for i, method in enumerate(methods)]
    beside = [("deep", "deeplab_resnet101", 0.372, 4.1e10), ("wide", "deeplab_wide_resnet", 0.369, 5.5e10),
              ("cnn", "first", None, 1e10), ("vit", "second", None, 1.1e10)]  # fmt: skip
    teachers = card(networks=[network(*about) for about in beside])
    fig = efficiency([*students, teachers])
    ax = fig.axes[0]
    assert sorted(text.get_text() for text in ax.texts) == [
        "deeplab_resnet101", "deeplab_wide_resnet", "first", "second", "tinyvit_demo"]  # fmt: skip
    fig.draw_without_rendering()
    boxes = [text.get_window_extent() for text in ax.texts]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    marks = [ax.transData.transform(c.lines[0].get_xydata()[0]) for c in ax.containers]
    assert not any(box.contains(*mark) for box in boxes for mark in marks)
