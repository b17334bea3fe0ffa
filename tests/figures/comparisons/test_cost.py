import pytest

from kit.errors import KitError
from kit.figures.comparisons import cost, marks
from kit.figures.tables.comparable import check_comparable


def run(method="trikd", seed=0, miou=0.5, parameters=1000, split="a", steps=5):
    scores = {"miou": miou, "iou": {"road": miou}, "pixel_accuracy": 0.8, "images": 3}
    return {
        "method": method, "seed": seed, "path": f"runs/{method}_{seed}", "steps": steps, "date": "2026-11-22T10:00",
        "config": {"seed": seed, "run_dir": "x", "student": {"name": "tinyvit_demo", "parameters": parameters}},
        "dataset": {"name": "camvid", "classes": ["road"], "rare": []}, "protocol": "whole image",
        "split": {"name": split, "labelled": 8, "labelled_sha256": split, "unlabelled_sha256": split},
        "last": scores, "average": scores, "student_parameters": parameters, "seconds": {"train": 61.4},
        "commit": "abc", "card": None,
    }  # fmt: skip


def test_a_row_says_what_its_numbers_are_about():
    (row,) = cost.run_rows([run()])
    assert str(row["mIoU last [%]"]) == "50.00" and row["mIoU last [%]"].number == 50
    assert (row["data set"], row["split"], row["protocol"], row["date"]) == ("camvid", "a", "whole image", "2026-11-22")
    with pytest.raises(KitError, match="no finished run"):
        cost.run_rows([])


def legend(fig):
    return [text.get_text() for text in fig.legends[0].get_texts()]


def test_seeds_are_one_mark_and_the_front_joins_what_is_clear():
    runs = [run(seed=0, miou=0.4), run(seed=1, miou=0.41), run("cps", miou=0.3, parameters=9000)]
    fig = cost.cost_figure(runs)
    (ax,) = fig.axes
    assert legend(fig) == ["TriKD, 2 seeds", "CPS", cost.OVER_SEEDS]
    assert ax.get_xscale() == "log" and ax.get_xlabel() == "parameters of the student"
    places = [float(c.lines[0].get_ydata()[0]) for c in ax.containers]
    assert places == pytest.approx([40.5, 30]) and len(ax.containers[0].lines[2]) == 1
    assert not [line for line in ax.lines if line.get_drawstyle() == "steps-post"]  # of one seed nothing is clear
    runs = [run(m, s, y + s / 1000, x) for m, x, y in (("supervised", 1000, 0.3), ("cps", 2000, 0.301),
                                                       ("trikd", 3000, 0.4)) for s in range(2)]  # fmt: skip
    (front,) = [line for line in cost.cost_figure(runs).axes[0].lines if line.get_drawstyle() == "steps-post"]
    assert front.get_xydata().tolist() == [pytest.approx((1000, 30.05)), pytest.approx((3000, 40.05))]


def test_a_front_needs_known_errors_and_clear_differences():
    assert cost.clear_front([(1, 30, 0.5), (2, 31, 0.5), (3, 33, 0.5)]) == [(1, 30), (3, 33)]
    assert cost.clear_front([(1, 30, 0.5), (2, 31, 0.5)]) == []
    assert cost.clear_front([(1, 30, 0.5), (2, 40, None)]) == []


def test_a_seed_that_was_run_twice_is_one_seed():
    def named(path, **about):
        return {**run(**about), "path": path}

    twice = [named("runs/x_a", seed=3, miou=0.4), named("runs/x_b", seed=3, miou=0.5)]
    fig = cost.cost_figure(twice)
    assert legend(fig) == ["TriKD, 2 runs of seed 3"]
    fig = cost.cost_figure([*twice, named("runs/x_c", seed=4, miou=0.55)])
    assert legend(fig) == ["TriKD, 2 seeds, 3 runs", cost.OVER_SEEDS]
    assert fig.axes[0].containers[0].lines[0].get_ydata()[0] == pytest.approx(50)  # mean of 0.45 and 0.55


def test_one_seed_has_the_interval_over_images_and_is_not_enlarged():
    runs = [run(miou=0.502), run("cps", miou=0.5)]
    bottom, top = cost.cost_figure(runs).axes[0].get_ylim()
    assert top - bottom >= marks.SPAN and bottom < 50 < 50.2 < top
    runs[0]["last"] = {**runs[0]["last"], "intervals": {"miou": [0.4, 0.6]}}
    fig = cost.cost_figure(runs)
    (bar,) = fig.axes[0].collections
    assert bar.get_segments()[0][:, 1] == pytest.approx([40, 60]) and cost.OVER_IMAGES in legend(fig)
    assert fig.axes[0].get_ylim()[0] < 40 and fig.axes[0].get_ylim()[1] > 60


def test_runs_that_cannot_be_compared_have_panels_of_their_own():
    fig = cost.cost_figure([run(), run("cps"), run(split="b")], "seconds", "average")
    assert [ax.get_title() for ax in fig.axes] == ["camvid, a", "camvid, b"]
    with pytest.raises(KitError, match="cost must be one of"):
        cost.cost_figure([run()], "euros")


def test_runs_of_unequal_steps_share_a_panel_only_where_time_is_the_cost():
    runs = [run(m, steps=steps) for steps, methods in ((300, ("trikd", "cps", "mgd")), (30, ("trikd", "cps")),
                                                       (40, ("cps",))) for m in methods]  # fmt: skip
    for each in runs:
        each["config"]["steps"] = each["steps"]
    assert [ax.get_title() for ax in cost.cost_figure(runs).axes] == [
        "camvid, a\n300 steps", "camvid, a\n30 steps", "camvid, a\n40 steps"]  # fmt: skip
    assert len(cost.cost_figure(runs, "seconds").axes) == 1
    assert cost.left_out(runs) == "" == cost.left_out(runs, "seconds", 1)
    assert cost.left_out(runs, panels=1).endswith("camvid, a, 30 steps (2); camvid, a, 40 steps (1).")


def test_runs_on_other_val_images_of_one_name_stand_apart():
    def on(images, **about):
        files = {"val images": {"sha256": images}, "val masks": {"sha256": "m"}}
        return {**run(**about), "data": {"files": files}}

    runs = [on("x"), on("x", method="cps"), on("y", method="mgd")]
    assert [len(group) for group in cost.cost_groups(runs, "parameters")] == [2, 1]
    with pytest.raises(KitError, match="differ in val images or masks"):
        check_comparable(runs)
    assert len(cost.cost_groups([*runs[:2], run("supervised")], "parameters")) == 1  # one did not record its data


def test_settings_are_distinct_and_nothing_lies_over_the_axes():
    names = [f"trikd_setting_{i}" for i in range(12)]
    runs = [{**run(miou=0.3 + 0.01 * i, parameters=2_000_000), "path": f"runs/{name}"} for i, name in enumerate(names)]
    for i, each in enumerate(runs):
        each["config"]["setting"] = i
    looks = {(c.lines[0].get_color(), c.lines[0].get_marker()) for c in cost.cost_figure(runs).axes[0].containers}
    assert len(looks) == 12
    for chosen in (runs, runs[:3], [*runs[:4], run(split="b"), run(split="c")]):
        fig = cost.cost_figure(chosen)
        fig.draw_without_rendering()
        box, page = fig.legends[0].get_window_extent(), fig.bbox
        tight = [ax.get_tightbbox() for ax in fig.axes]
        assert not any(box.overlaps(other) for other in tight)
        assert not any(a.overlaps(b) for i, a in enumerate(tight) for b in tight[:i])
        assert box.x0 >= 0 and box.x1 <= page.x1 and box.y0 >= 0 and box.y1 <= page.y1 + 1
        assert fig.axes[0].xaxis.get_offset_text().get_text() == ""
    ax = cost.cost_figure(runs).axes[0]
    assert ax.get_xlabel() == "parameters of the student [million]"
    shown = [ax.transData.inverted().transform(c.lines[0].get_transform().transform(c.lines[0].get_xydata())[0])
             for c in ax.containers]  # fmt: skip
    assert len({round(float(x), 3) for x, _ in shown}) == 12  # side by side


def test_pareto_front():
    assert cost.pareto([(3, 5), (1, 2), (2, 2), (3, 4), (4, 6)]) == [(1, 2), (3, 5), (4, 6)]


def carded(run, flops=2e9, seconds=0.02, size=(64, 128), device="cpu"):
    networks = [{"role": "student", "flops": flops, "timing": {"1": {"median": seconds}}}, {"role": "vit"}]
    return run | {"card": {"networks": networks, "size": list(size), "device": {"name": device}}}


def test_flops_and_latency_are_those_of_cards():
    runs = [carded(run()), carded(run("cps"), 4e9, 0.03)]
    (flops,), (latency,) = (cost.cost_figure(runs, of).axes for of in ("flops", "latency"))
    assert flops.get_xlabel() == "GFLOPs per image (64 x 128)"
    assert latency.get_xlabel() == "milliseconds per image (64 x 128, cpu)"
    places = [[float(line.get_xdata()[0]) for line in ax.lines[:2]] for ax in (flops, latency)]
    assert places == [[2, 4], [20, 30]]


def test_cards_that_are_missing_or_not_alike_are_named():
    with pytest.raises(KitError, match=r"make them: python -m kit card runs/cps_0$"):
        cost.cost_figure([carded(run()), run("cps")], "flops")
    elsewhere = [carded(run()), carded(run("cps"), device="cuda")]
    assert cost.cost_figure(elsewhere, "flops").axes
    with pytest.raises(KitError, match="different device"):
        cost.cost_figure(elsewhere, "latency")
    with pytest.raises(KitError, match="different size"):
        cost.cost_figure([carded(run()), carded(run("cps"), size=(32, 32))], "flops")


def test_labels_as_a_cost_join_the_splits_of_one_data_set():
    few, many = run(split="few"), run(split="many", miou=0.6)
    many["split"]["labelled"], many["config"]["split"] = 16, "many"
    (ax,) = cost.cost_figure([few, many], "labels").axes
    assert [float(line.get_xdata()[0]) for line in ax.lines[:2]] == [8, 16]
    many["steps"] = 7
    assert len(cost.cost_figure([few, many], "labels").axes) == 2
    assert len(cost.cost_figure([few, many], "seconds").axes) == 2


def test_seeds_of_a_method_with_trained_teachers_are_one_mark():
    runs = [run("mgd", seed=seed) for seed in range(2)]
    for seed, each in enumerate(runs):
        each["config"]["method"] = {"name": "mgd", "deep": f"teacher_deep_{seed}", "image_weight": 0.1}
        each["teachers"] = {"deep": {"run": f"teacher_deep_{seed}", "network": "x", "trained_by": "cps"}}
    (ax,) = cost.cost_figure(runs).axes
    assert legend(ax.figure) == ["MGD, 2 seeds", cost.OVER_SEEDS]
    runs[1]["config"]["method"]["image_weight"] = 0.2
    assert len(legend(cost.cost_figure(runs))) == 2


def test_groups_that_differ_in_protocol_or_lists_have_different_titles():
    windows = run("cps") | {"protocol": "sliding windows"}
    other = run("mgd") | {"split": {**run()["split"], "labelled_sha256": "b"}}
    for runs, told in (([run(), run("fixmatch"), windows], ["whole image", "sliding windows"]),
                       ([run(), run("fixmatch"), other], ["camvid, a #1", "camvid, a #2"])):  # fmt: skip
        titles = cost.group_titles(cost.cost_groups(runs, "parameters"), "parameters")
        assert [title.splitlines()[-1] for title in titles] == told
