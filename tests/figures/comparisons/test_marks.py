from kit.figures.comparisons.marks import LETTER, LINE, label_offsets, set_limits
from kit.figures.style import new_figure


def test_names_too_long_for_the_axes_keep_apart_too():
    marks, names = [(100.0, 90.0), (101.0, 87.0)], ["a row of a long name, first", "a row of a long name, other"]
    (x1, y1, first), (x2, y2, second) = label_offsets(marks, names, 105, 150)
    assert (first, second) == ("right", "right") and LETTER * len(names[0]) > 105 > 100 + x1  # it cannot fit
    assert abs((90 + y1) - (87 + y2)) >= LINE - 1


def test_a_name_is_beside_its_mark_where_there_is_room():
    assert label_offsets([(10.0, 50.0), (90.0, 50.0)], ["left", "right"], 100, 100) == [
        (5, 2, "left"),
        (-5, 2, "right"),
    ]


def test_a_single_cost_is_not_rounded():
    for cost, text in ((2975, "2,975"), (371, "371"), (2.3456, "2.35")):
        ax = new_figure().add_subplot()
        set_limits(ax, [cost, cost], [50.0, 60.0])
        assert [label.get_text() for label in ax.get_xticklabels()] == [text]


def test_names_of_marks_of_one_cost_stand_in_the_order_of_the_marks():
    marks, names = [(60.0, y) for y in (50.0, 56.0, 48.0, 53.0)], ["a" * 8, "b" * 8, "c" * 8, "d" * 8]
    places = label_offsets(marks, names, 100, 150)
    for side in ("left", "right"):
        on_side = [(y, y + up) for (_, y), (_, up, align) in zip(marks, places, strict=True) if align == side]
        assert [low for _, low in sorted(on_side)] == sorted(low for _, low in on_side)
