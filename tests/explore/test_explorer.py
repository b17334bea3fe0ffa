import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.tensorboard import SummaryWriter

import kit
from kit.errors import KitError
from kit.evaluate import uncertainty
from kit.explore.attention import attention, has_attention
from kit.explore.explorer import LONGEST, Explorer
from kit.explore.history import History
from kit.explore.networks import load_view, networks, untrained
from kit.explore.view_request import PHOTO, VIEWS, ViewRequest
from kit.methods.build import METHODS
from kit.train.prepare import prepare
from kit.types import IGNORE


@pytest.fixture(scope="module")
def runs(scenes, tmp_path_factory):
    """Folders of a supervised run and of TriKD with its views, two steps each."""
    out = tmp_path_factory.mktemp("runs")
    small = {"data.crop": (64, 64), "data.base_size": None, "data.labelled": 2, "data.unlabelled": 2,
             "data.cache": False, "train.log_every": 1}  # fmt: skip
    for method in ("supervised", "trikd"):
        kit.fit(kit.configure(method=method, recipe="tiny", steps=2, eval_every=1, split="1_2", overrides=small,
                              data_root=str(scenes), run_dir=str(out / method)))  # fmt: skip
    return [str(out / "supervised"), str(out / "trikd")]


@pytest.fixture(scope="module")
def explorer(runs):
    return Explorer(runs)


def view_of(explorer, **changes):
    return ViewRequest(**{"run": explorer.runs[1], "image": explorer.images[0], **changes})


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_has_a_layer_for_its_image(explorer, view):
    scene = explorer.scene(view_of(explorer, view=view))
    assert scene.image.shape == (64, 128, 3) and scene.words.startswith("row 32, column 64: truth ")
    if scene.layer.palette:
        assert scene.layer.values.shape == (64, 128)
        assert set(np.unique(scene.layer.values)) <= {*range(len(scene.layer.palette)), IGNORE}
    else:
        low, high = scene.layer.scale
        assert np.isfinite(scene.layer.values).all() and low < high


def test_a_title_names_a_class_only_where_it_matters(explorer):
    titles = [explorer.scene(view_of(explorer, view=view, cls="road")).title for view in ("error", "entropy")]
    assert titles == [f"error · road · {explorer.images[0]}", f"entropy · {explorer.images[0]}"]


def test_thumbnails_begin_with_the_worst_image(explorer, runs):
    ranking = explorer.ranking(runs[1])
    assert sorted(name for name, _ in ranking) == sorted(explorer.images)
    assert [miou for _, miou in ranking] == sorted(miou for _, miou in ranking)
    first, second = explorer.thumbnails(runs[1], 1, 5)
    assert (first.name, first.miou) == ranking[1] and second.name == ranking[2][0]
    assert first.short == explorer.short[first.name] and first.scene.layer.names == ("wrong",)
    assert Explorer(runs, "best").ranking(runs[1]) == []  # no counts are kept of those
    with pytest.raises(KitError, match="thumbnails must be 0 or more, got -1"):  # not all images but one
        explorer.thumbnails(runs[1], 0, -1)


def test_masks_are_what_the_network_predicts(explorer, runs):
    image, truth = explorer.pair(explorer.images[0])
    student = kit.load(runs[1])
    prediction = student.predict(image)
    shown = explorer.scene(view_of(explorer, view="prediction")).layer.values
    assert (shown == prediction).mean() > 0.999  # kept in half precision: ties may fall otherwise
    errors = explorer.scene(view_of(explorer, view="error")).layer.values
    assert ((errors == 0) == ((shown != truth) & (truth != IGNORE))).all()


def test_errors_of_a_class_are_missed_or_claimed(explorer):
    _, truth = explorer.pair(explorer.images[0])
    prediction = explorer.scene(view_of(explorer, view="prediction")).layer.values
    name, cls = explorer.classes[int(truth[60, 64])], int(truth[60, 64])
    found = explorer.scene(view_of(explorer, view="error", cls=name)).layer
    assert ((found.values == 0) == ((truth == cls) & (prediction != cls))).all()
    assert ((found.values == 1) == ((truth != cls) & (truth != IGNORE) & (prediction == cls))).all()
    assert found.names == (f"{name}, missed", f"taken for {name}")


def test_a_threshold_hides_what_the_network_is_less_sure_of(explorer):
    sure = explorer.scene(view_of(explorer, view="confidence")).layer.values
    limit = float(np.median(sure))
    hidden = explorer.scene(view_of(explorer, view="prediction", threshold=limit)).layer.hidden
    assert (hidden == (sure < limit)).all() and 0 < hidden.mean() < 1


def test_a_click_moves_the_attention(explorer):
    top, bottom = (explorer.scene(view_of(explorer, view="attention", network="vit", pixel=pixel)).layer.values
                   for pixel in ((0.1, 0.1), (0.9, 0.9)))  # fmt: skip
    assert top.shape == bottom.shape == (4, 8) and (top != bottom).any()
    assert top.mean() == pytest.approx(1, abs=1e-4)


def test_attention_is_the_softmax_of_the_scores(runs):
    view, image = load_view(runs[1], "vit"), np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    found = attention(view, image)
    assert found.weights.shape == (4, 6, 4, 6) and np.allclose(found.weights.sum((2, 3)), 1, atol=1e-5)
    with torch.no_grad():
        scores = view.net.encode(view.prepare(image), scores=True).scores[0]
    assert np.allclose(found.weights[1, 2], scores[:, 1, 2].flatten(1).softmax(1).mean(0).view(4, 6), atol=1e-6)
    assert found.token((0, 0)) == (0, 0) and found.token((63.9, 95.9)) == (3, 5) and found.token((999, 999)) == (3, 5)
    cnn = load_view(runs[1], "cnn")
    assert not has_attention(cnn)
    with pytest.raises(KitError, match="no attention"):
        attention(cnn, image)


def test_a_photograph_has_no_truth_and_is_shrunk(runs, tmp_path):
    explorer = Explorer(runs[:1])
    Image.new("RGB", (2 * LONGEST, LONGEST), "red").save(tmp_path / "p.png")
    with pytest.raises(KitError, match="uploaded"):
        explorer.pair(PHOTO)
    explorer.set_photo(tmp_path / "p.png")
    assert explorer.pair(PHOTO)[0].shape == (LONGEST // 2, LONGEST, 3)
    assert "truth" not in explorer.scene(ViewRequest(run=runs[0], image=PHOTO)).words
    with pytest.raises(KitError, match="no ground truth"):
        explorer.scene(ViewRequest(run=runs[0], image=PHOTO, view="error"))


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"run": "nowhere"}, "unknown run"),
        ({"image": "nothing"}, "no val image 'nothing'"),
        ({"cls": "unicorn"}, "unknown class"),
        ({"network": "partner"}, "keep_views"),
        ({"network": "cnn", "view": "attention"}, "no attention"),
        ({"view": "high frequencies", "level": 3}, "level must be one of 0, 1, 2"),
    ],
)
def test_what_is_not_there_is_said(explorer, changes, message):
    with pytest.raises(KitError, match=message):
        explorer.scene(view_of(explorer, **changes))


@pytest.mark.parametrize("wrong", [{"view": "x"}, {"threshold": 2.0}, {"pixel": (0.5, 1.5)}, {"level": -1}])
def test_a_look_is_checked_when_it_is_made(wrong):
    with pytest.raises(KitError):
        ViewRequest(**{"run": "r", "image": "i", **wrong})


def test_views_are_the_networks_as_they_were_trained(runs):
    kept = networks(runs[1])
    assert list(kept) == ["student", "cnn", "vit"] and networks(runs[0]).keys() == {"student"}
    assert kept["vit"].config.student == kept["student"].config.method.vit
    with pytest.raises(KitError, match="kept: none"):
        load_view(runs[0], "vit")


@pytest.mark.parametrize("method", [name for name, cls in METHODS.items() if not cls.teachers])
def test_untrained_is_the_student_that_a_run_starts_with(tiny, runs, method):
    cfg = tiny(method)
    student = kit.load(runs[0])
    student.config = cfg
    first = prepare(cfg).method.predictor().state_dict()
    mine = untrained(student).net.state_dict()
    assert all(torch.equal(value, mine[name]) for name, value in first.items())


def test_layers_at_their_ends():
    certain, even = np.zeros((4, 1, 1)), np.full((4, 1, 1), 0.25)
    certain[0] = 1
    other = certain[::-1]
    assert uncertainty.entropy(certain) == pytest.approx(0, abs=1e-5) and uncertainty.entropy(even) == pytest.approx(1)
    assert uncertainty.disagreement([certain, certain]) == pytest.approx(0, abs=1e-5)
    assert uncertainty.disagreement([certain, other]) == pytest.approx(1, abs=1e-5)
    assert uncertainty.disagreement([certain]) == 0 and uncertainty.confidence(even) == 0.25


def test_the_cache_drops_the_least_recently_used(runs):
    first, second, third = Explorer(runs[:1]).images[:3]
    explorer = Explorer(runs[:1], room=2 * 64 * 128 * (3 + 1))  # two images with their masks
    kept = explorer.pair(first)
    explorer.pair(second), explorer.pair(first), explorer.pair(third)
    assert explorer.pair(first)[0] is kept[0]
    explorer.pair(second), explorer.pair(third)
    assert explorer.pair(first)[0] is not kept[0] and (explorer.pair(first)[0] == kept[0]).all()
    small = Explorer(runs[:1], room=80)
    assert (small.pair(first)[0] == kept[0]).all() and small.pair(first)[0] is not small.pair(first)[0]


def test_history_holds_a_picture_per_evaluation(runs):
    pictures = History(runs[0]).pictures()
    assert list(pictures) == [1, 2] and all(len(images) == 3 for images in pictures.values())
    assert pictures[1][0].shape == (128, 3 * 256, 3) and History(runs[0] + "/nowhere").pictures() == {}


def test_a_step_whose_pictures_are_half_written_waits(tmp_path):
    with SummaryWriter(str(tmp_path / "tensorboard")) as events:
        for number, step in ((0, 1), (1, 1), (0, 2)):
            events.add_image(f"val/{number}", torch.zeros(3, 4, 12, dtype=torch.uint8), step)
    assert [(step, len(found)) for step, found in History(tmp_path).pictures().items()] == [(1, 2)]
