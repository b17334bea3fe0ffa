import pytest

from kit.errors import KitError
from kit.figures import cost


def run(method="trikd", seed=0, miou=0.5, parameters=1000, split="a", steps=5):
    scores = {"miou": miou, "iou": {"road": miou}, "pixel_accuracy": 0.8, "images": 3}
    return {
        "method": method, "seed": seed, "path": f"runs/{method}_{seed}", "steps": steps, "date": "2026-11-22T10:00",
        "config": {"seed": seed, "run_dir": "x", "student": {"name": "tinyvit_demo"}, "parameters": parameters},
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


def test_seeds_are_one_mark_and_the_front_is_stepped():
    runs = [run(seed=0, miou=0.4), run(seed=1, miou=0.6), run("cps", miou=0.3, parameters=9000)]
    (ax,) = cost.cost_figure(runs).axes
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["TriKD, 2 seeds", "CPS"]
    assert ax.get_xscale() == "log" and ax.get_xlabel() == "parameters of the student"
    front = ax.lines[-1]
    assert list(front.get_xdata()) == [1000] and list(front.get_ydata()) == pytest.approx([50])


def test_runs_that_cannot_be_compared_have_panels_of_their_own():
    fig = cost.cost_figure([run(), run("cps"), run(split="b")], "seconds", "average")
    assert [ax.get_title() for ax in fig.axes] == ["camvid, a", "camvid, b"]
    with pytest.raises(KitError, match="cost must be one of"):
        cost.cost_figure([run()], "euros")


def test_pareto_front():
    assert cost.pareto([(3, 5), (1, 2), (2, 2), (3, 4), (4, 6)]) == [(1, 2), (3, 5), (4, 6)]


def carded(run, flops=2e9, seconds=0.02, size=(64, 128), device="cpu"):
    networks = [{"role": "student", "flops": flops, "timing": {"1": {"median": seconds}}}, {"role": "vit"}]
    return run | {"card": {"networks": networks, "size": list(size), "device": {"name": device}}}


def test_flops_and_latency_are_those_of_cards():
    runs = [carded(run()), carded(run("cps"), 4e9, 0.03)]
    (flops,), (latency,) = (cost.cost_figure(runs, of).axes for of in ("flops", "latency"))
    assert flops.get_xlabel() == "GFLOPs of an image (64 x 128)"
    assert latency.get_xlabel() == "milliseconds of an image (64 x 128, cpu)"
    places = [[float(line.get_xdata()[0]) for line in ax.lines[:2]] for ax in (flops, latency)]
    assert places == [[2, 4], [20, 30]]


def test_cards_that_are_missing_or_not_alike_are_named():
    with pytest.raises(KitError, match=r"make them: python -m kit card runs/cps_0$"):
        cost.cost_figure([carded(run()), run("cps")], "flops")
    elsewhere = [carded(run()), carded(run("cps"), device="cuda")]
    assert cost.cost_figure(elsewhere, "flops").axes
    with pytest.raises(KitError, match="another device"):
        cost.cost_figure(elsewhere, "latency")
    with pytest.raises(KitError, match="another size"):
        cost.cost_figure([carded(run()), carded(run("cps"), size=(32, 32))], "flops")


def test_labels_as_a_cost_join_the_splits_of_one_data_set():
    few, many = run(split="few"), run(split="many", miou=0.6)
    many["split"]["labelled"], many["config"]["split"] = 16, "many"
    (ax,) = cost.cost_figure([few, many], "labels").axes
    assert [float(line.get_xdata()[0]) for line in ax.lines[:2]] == [8, 16]
    assert len(cost.cost_figure([few, many], "seconds").axes) == 2


def test_seeds_of_a_method_with_trained_teachers_are_one_mark():
    runs = [run("mgd", seed=seed) for seed in range(2)]
    for seed, each in enumerate(runs):
        each["config"]["method"] = {"name": "mgd", "deep": f"teacher_deep_{seed}", "image_weight": 0.1}
        each["teachers"] = {"deep": {"run": f"teacher_deep_{seed}", "network": "x", "trained_by": "cps"}}
    (ax,) = cost.cost_figure(runs).axes
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["MGD, 2 seeds"]
    runs[1]["config"]["method"]["image_weight"] = 0.2
    assert len(cost.cost_figure(runs).axes[0].get_legend().get_texts()) == 2
