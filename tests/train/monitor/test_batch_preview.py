import numpy as np
import pytest
import torch

from kit.figures.pictures.batch import batch_figure
from kit.train.monitor.batch_preview import shown_batch
from kit.train.prepare import prepare
from kit.types import Progress


@pytest.mark.parametrize(
    ("method", "overrides", "views"),
    [
        ("supervised", {}, []),
        ("trikd", {}, ["weak"]),
        ("cps", {"method.cutmix": True}, ["weak", "mixed"]),
        ("unimatch", {"method.cutmix": 1.0}, ["weak", "strong 1", "strong 2", "mixed 1", "mixed 2"]),
    ],
)
def test_the_batch_that_is_shown_is_the_one_that_is_trained_on(tiny, tmp_path, method, overrides, views):
    cfg = tiny(method, {"data.unlabelled": 4, **overrides})
    shown = shown_batch(cfg, step=1)
    assert not (tmp_path / "run").exists()
    expected = prepare(cfg).batches[1]
    assert all(torch.equal(a, b) for a, b in zip(shown.batch, expected, strict=True))
    source = expected.strong.flatten(0, 1) if expected.strong.shape[1] else expected.weak
    for images in shown.mixed:  # every pixel is one of the batch, and most images show two
        pixels = {tuple(pixel) for pixel in source.permute(0, 2, 3, 1).reshape(-1, 3).tolist()}
        assert {tuple(pixel) for pixel in images.permute(0, 2, 3, 1).reshape(-1, 3).tolist()} <= pixels
        assert not torch.equal(images, source[: len(images)])
    fig = batch_figure(shown.batch, shown.mixed, shown.spec.classes, shown.spec.palette)
    names = [text.get_text().replace("unlabelled,\n", "") for text in fig.texts]
    assert names == ["labelled", "labels", *views]
    pictures = [ax.images[0].get_array() for ax in fig.axes]
    assert len(pictures) == 2 * 2 + 4 * len(views)
    assert np.array_equal(pictures[0], (shown.batch.images[0].permute(1, 2, 0) * 255).round().byte().numpy())


@pytest.mark.parametrize(
    ("method", "overrides"),
    [
        ("mean_teacher", {}),
        ("cps", {"method.cutmix": True}),
        ("fixmatch", {"method.labels_from": "average"}),
        ("trikd", {"method.unlabelled_view": "strong", "data.keep_aspect": True}),
    ],
)
def test_pasted_classes_are_shown_as_the_student_sees_them(tiny, method, overrides):
    cfg = tiny(method, {"data.unlabelled": 4, "method.class_paste": "half", **overrides})
    shown, parts, seen = shown_batch(cfg, step=2), prepare(cfg), []
    parts.method.student.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    parts.method(parts.batches[2], Progress(2, cfg.train.steps, np.random.default_rng([cfg.seed, 2, 3, 0])))
    assert torch.equal(shown.mixed[0], seen[-1][-4:])
    assert not torch.equal(shown.mixed[0], shown.batch.weak)
