import matplotlib
import numpy as np
import pytest
from IPython.display import Image

from kit.figures import style
from kit.settings.run import METHOD_CONFIGS
from kit.types import IGNORE


def run(method="trikd", seed=0, path="runs/a", **config):
    return {"method": method, "seed": seed, "path": path, "config": {"seed": seed, "run_dir": path, **config}}


def test_looks_hold_only_inside():
    before = matplotlib.rcParams["pdf.fonttype"], matplotlib.rcParams["font.size"]
    with style.looks():
        assert matplotlib.rcParams["pdf.fonttype"] == 42
    assert (matplotlib.rcParams["pdf.fonttype"], matplotlib.rcParams["font.size"]) == before


def test_save_writes_both_whole_and_embeds_fonts(tmp_path):
    fig = style.new_figure()
    fig.add_subplot().set_title("mIoU")
    png, pdf = style.save(fig, tmp_path / "new" / "v1.5")
    assert [png.name, pdf.name] == ["v1.5.png", "v1.5.pdf"]
    assert png.read_bytes().startswith(b"\x89PNG") and pdf.read_bytes().startswith(b"%PDF")
    assert b"/Type3" not in pdf.read_bytes()
    assert sorted(p.name for p in png.parent.iterdir()) == ["v1.5.pdf", "v1.5.png"]


def test_a_dollar_in_a_name_is_no_formula():
    fig = style.new_figure()
    with style.looks():
        ax = fig.add_subplot()
        legend = fig.legend(handles=[style.legend_mark("$\\b$", "black")])
        texts = [ax.set_title("price $\\sign$ and $x$"), ax.annotate("$a_", (0, 0)), *legend.texts]
    assert not any(text.get_parse_math() for text in texts)
    assert style.show(fig).data.startswith(b"\x89PNG")  # as a formula it could not be drawn


def test_show_is_a_picture_for_a_notebook():
    shown = style.show(style.new_figure(style.COLUMN, 1), "nothing")
    assert isinstance(shown, Image) and shown.data.startswith(b"\x89PNG") and shown.alt == "nothing"


def test_colour_looks_ids_up_and_refuses_others():
    mask = np.array([[0, 1], [IGNORE, 1]], np.uint8)
    picture = style.colour(mask, [(1, 2, 3), (4, 5, 6)])
    assert picture.dtype == np.uint8 and picture.tolist() == [[[1, 2, 3], [4, 5, 6]], [[0, 0, 0], [4, 5, 6]]]
    with pytest.raises(IndexError):
        style.colour(np.array([[7]], np.uint8), [(1, 2, 3), (4, 5, 6)])


def test_every_method_has_a_colour_of_its_own():
    colours = [style.method_colour(name) for name in METHOD_CONFIGS]
    assert len({*colours, "#000000"}) == len(colours) + 1


@pytest.mark.parametrize(
    "runs, labels",
    [
        ([run("supervised"), run("trikd")], ["Supervised only", "TriKD"]),
        ([run(seed=0), run(seed=1, path="runs/b")], ["TriKD, seed 0", "TriKD, seed 1"]),
        ([run(path="x/low", w=1), run(path="x/high", w=2)], ["TriKD (low)", "TriKD (high)"]),
        (
            [run(path="x/low", pretrained=True), run(path="x/high", pretrained=False)],
            ["TriKD, pretrained", "TriKD, random"],
        ),
        ([run(), run()], ["TriKD, seed 0 #1", "TriKD, seed 0 #2"]),
        ([run("own")], ["own"]),
    ],
)
def test_run_labels_tell_runs_apart(runs, labels):
    assert style.run_labels(runs) == labels


def test_runs_of_one_method_differ_in_dashes():
    assert [each["linestyle"] for each in style.run_styles([run("cps"), run(), run(seed=1)])] == ["-", "-", "--"]
