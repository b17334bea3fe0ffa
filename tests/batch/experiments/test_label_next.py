"""The simulated loop of labelling: by hand-made numbers, and in its notebook."""

import json

import pytest
from in_process import run_code

from kit.__main__ import main
from kit.batch.cell import Cell, run_notebook
from kit.batch.experiments import label_next
from kit.batch.experiments.label_next import Loop, collect, next_round, rounds_so_far, saving, spread
from kit.batch.finished import is_finished
from kit.errors import KitError
from kit.figures.charts.label_curve import curve_rows, label_figure
from kit.system.paths import PROJECT

SMALL = {"data.crop": [64, 64], "data.base_size": None, "data.labelled": 2, "train.log_every": 1, "data.cache": False,
         "train.precision": "fp32", "train.eval_every": 0, "train.keep_views": False}  # fmt: skip


def simulation(seed, **curves):
    return {"seed": seed, "strategies": {
        name: [{"labelled": 6 * (i + 1), "miou": miou, "images": []} for i, miou in enumerate(mious)]
        for name, mious in curves.items()}}  # fmt: skip


def test_curves_over_seeds_and_the_labels_that_are_saved():
    curves = spread([simulation(0, random=(0.2, 0.3, 0.4), cover=(0.2, 0.4, 0.5), margin=(0.2, 0.2, 0.3)),
                     simulation(1, random=(0.4, 0.5, 0.6), cover=(0.4, 0.6, 0.7), margin=(0.4, 0.4, 0.5))])  # fmt: skip
    assert curves["random"][1] == {"labelled": 12, "mean": 0.4, "sd": pytest.approx(0.02**0.5), "n": 2}
    assert saving(curves, "cover") == pytest.approx(1 - 12 / 18) and saving(curves, "margin") is None
    assert saving(curves, "random") == pytest.approx(0)
    half = {"random": [{"labelled": 6, "mean": 0.0}, {"labelled": 12, "mean": 0.5}],
            "cover": [{"labelled": 6, "mean": 0.0}, {"labelled": 12, "mean": 1.0}]}  # fmt: skip
    assert saving(half, "cover") == pytest.approx(1 - 9 / 12)  # straight between two rounds
    rows = curve_rows(curves, {"cover": 1 / 3, "margin": None, "random": 0})
    assert [row["labels saved"] for row in rows] == ["-", "33%", "none"] and rows[0]["12 labels"] == "40.0 ± 14.1"
    one, two = (label_figure(dict.fromkeys(methods, curves)).axes for methods in (["cps"], ["supervised", "cps"]))
    assert [len(axes.containers) for axes in (*one, *two)] == [3, 3, 3] and one[0].get_xlabel() == "Labelled images"
    assert [axes.get_title() for axes in (*one, *two)] == ["", "Supervised only", "CPS"]
    both = {name: curves[name] for name in ("random", "cover")}
    fig = label_figure({"cps": {"random": curves["random"]}, "mgd": both})
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["Random", "Cover"]
    with pytest.raises(KitError, match="differ in their strategies or rounds"):
        spread([simulation(0, random=(0.1,)), simulation(1, random=(0.1, 0.2))])


def test_the_table_in_the_readme_is_that_of_the_results():
    results = json.loads((PROJECT / "notebooks/results/label_next.json").read_text())
    readme = (PROJECT / "notebooks/README.md").read_text()
    for found in results.values():
        for row in curve_rows(found["curves"], found["saved"]):
            assert " | ".join(value for key, value in row.items() if key.endswith(" labels")) in readme, row


def test_the_notebook_simulates_the_loop_and_is_not_run_again(scenes, tmp_path, capsys):
    parameters = {"recipe": "tiny", "data_root": str(scenes), "strategies": ["cover"], "start": 2, "add": 2,
                  "rounds": 1, "steps": 2, "warm_steps": 1, "overrides": SMALL,
                  "run_dir": str(tmp_path / "sim")}  # fmt: skip
    cell = Cell(PROJECT / "notebooks/label_next.ipynb", tmp_path / "s.ipynb", parameters)
    run_notebook(cell)
    assert is_finished(cell) and not is_finished(Cell(cell.notebook, cell.executed, {**parameters, "seed": 1}))
    record = json.loads((tmp_path / "sim/result.json").read_text())
    cover, random = record["strategies"]["cover"], record["strategies"]["random"]
    assert [p["labelled"] for p in cover] == [2, 4] and cover[0] == random[0] and len(set(cover[1]["images"])) == 2
    warm = json.loads((tmp_path / "sim/cover_1/run/result.json").read_text())
    assert warm["pretrained"]["student"]["source"] == "run" and warm["steps"] == 1 and warm["split"]["labelled"] == 4
    assert main(["labels", "curve", str(tmp_path / "sim"), "--out", str(tmp_path / "out/next.json")]) == 0
    assert collect(tmp_path / "sim")["supervised"]["seeds"] == [0] and "supervised, seeds 0" in capsys.readouterr().out
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"next.json", "next.png", "next.pdf"}


@pytest.mark.parametrize("other", [{"seed": 1, "steps": 9}, {"seed": 0, "steps": 5}])
def test_simulations_of_several_settings_are_not_seeds_of_one(tmp_path, other):
    for place, each in enumerate(({"seed": 0, "steps": 5}, other)):
        record = {"parameters": {"trained_by": "cps", **each}, **simulation(each["seed"], random=(0.2, 0.3))}
        (tmp_path / str(place)).mkdir()
        (tmp_path / str(place) / "result.json").write_text(json.dumps(record))
    with pytest.raises(KitError, match="the simulations of cps differ in more than their seed"):
        collect(tmp_path)


def test_a_simulated_round_trains_the_teachers_of_its_method(tiny, tmp_path, monkeypatch):
    trained = []
    monkeypatch.setattr("kit.train.teachers.launch", lambda cfg: trained.append(cfg.run_dir))
    monkeypatch.setattr(label_next, "launch", lambda cfg: {"teachers": [cfg.method.deep, cfg.method.wide]})
    found = label_next._round(tiny("mgd"), ["a"], ["a", "b"], tmp_path / "start", "")
    assert found["teachers"] == trained and len(trained) == 2


def test_more_labels_than_there_are_and_folders_without_simulations_are_refused(tiny, tmp_path):
    from kit.batch.experiments.label_next import simulate

    with pytest.raises(KitError, match="the last round needs 36 labelled images, but only 8"):
        simulate(tiny(split="all"), Loop(), ["cover"], tmp_path)
    with pytest.raises(KitError, match="strategy must be one of"):
        simulate(tiny(split="all"), Loop(), ["best"], tmp_path)
    with pytest.raises(KitError, match="no finished simulation"):
        collect(tmp_path)


@pytest.mark.parametrize("wrong", [{"strategy": "best"}, {"count": 0}, {"draft": "paint"}, {"sure": 2.0}])
def test_wrong_parameters_stop_the_loop_by_hand_before_it_trains(scenes, tmp_path, wrong):
    given = {"recipe": "tiny", "dataset": "synthetic", "data_root": str(scenes), "split": "count_3", "steps": 2,
             "overrides": SMALL, "out": str(tmp_path / "loop"), "interactive": False, **wrong}  # fmt: skip
    with pytest.raises(KitError, match="must be one of|must be above|must lie between"):
        run_code(PROJECT / "notebooks/label.ipynb", given)
    assert not (tmp_path / "loop").exists()


def test_the_notebook_of_the_loop_by_hand(scenes, tmp_path, tiny):
    parameters = {"method": "distill", "recipe": "tiny", "dataset": "synthetic", "data_root": str(scenes),
                  "split": "count_3", "steps": 2, "overrides": SMALL, "count": 2, "strategy": "cover", "draft": "png",
                  "out": str(tmp_path / "loop"), "interactive": False}  # fmt: skip
    notebook = PROJECT / "notebooks/label.ipynb"
    executed = run_notebook(Cell(notebook, tmp_path / "l.ipynb", parameters))
    rounds = json.loads((tmp_path / "loop/rounds.json").read_text())
    (point,) = rounds["rounds"]
    assert point["labelled"] == 3 and len(rounds["suggested"]["suggested"]) == 2
    drafts = tmp_path / "loop" / point["run"].rsplit("/", 1)[-1] / "suggest/png/SegmentationClass"
    assert len(list(drafts.iterdir())) == 2 and "Contact sheet" in executed.read_text()
    cfg = next_round(tiny(split="count_4"), tmp_path / "loop")
    assert cfg.start == point["run"] and "labels_0004_" in cfg.run_dir
    assert next_round(tiny(split="count_3"), tmp_path / "loop").start == ""  # the round that is there
    assert len(rounds_so_far(tmp_path / "loop")) == 1
