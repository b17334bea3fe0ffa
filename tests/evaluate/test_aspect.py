"""Photographs of several shapes in one data set: training, evaluation, `kit.load` and the explorer agree on them."""

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image

import kit
from kit.evaluate.reevaluate import val_images
from kit.evaluate.run import count
from kit.evaluate.scores.metrics import confusion_matrix
from kit.explore.explorer import Explorer
from kit.explore.view_request import ViewRequest
from kit.train.prepare import prepare

SHAPES = {"a": (90, 120), "b": (120, 90), "c": (64, 160), "d": (90, 120), "e": (90, 120), "f": (120, 90)}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Configuration of a finished run on lying, upright and wide photographs, bright on the right."""
    root = tmp_path_factory.mktemp("mixed")
    (root / "classes.yaml").write_text("classes: [left, right]\n")
    rng = np.random.default_rng(0)
    for part in ("train", "val"):
        for folder in ("images", "labels"):
            (root / folder / part).mkdir(parents=True)
        for name, size in SHAPES.items():
            image = 120 * truth_of(size)[..., None] + rng.integers(0, 100, (*size, 3), np.uint8)
            Image.fromarray(image).save(root / f"images/{part}/{part}_{name}.png")
            Image.fromarray(truth_of(size)).save(root / f"labels/{part}/{part}_{name}.png")
    small = {"data.crop": (64, 64), "data.base_size": (48, 64), "data.cache": False, "train.log_every": 4,
             "evaluate.resamples": 10, "student.d0_relative": True}  # fmt: skip
    cfg = kit.configure("supervised", "folder", small, student="tinyvit_demo", pretrained=False, steps=8, eval_every=8,
                        data_root=str(root), run_dir=str(root / "run"))  # fmt: skip
    kit.fit(cfg)
    return cfg


def truth_of(size):
    mask = np.zeros(size, np.uint8)
    mask[:, size[1] // 2 :] = 1
    return mask


def photo(run, name):
    return f"{run.data.root}/images/val/val_{name}.png"


def test_own_images_keep_their_aspect_in_training_and_wherever_the_student_is_used(run):
    assert run.data.keep_aspect
    parts, student = prepare(run), kit.load(run.run_dir)
    loaded = {name: image for name, image, _ in (parts.val[i] for i in range(len(parts.val)))}
    again = {name: image for name, image, _ in (item for item in val_images(student))}
    for name, (height, width) in SHAPES.items():
        scale = 48 / min(height, width)
        expected = (round(height * scale), round(width * scale))
        image, mask = parts.batches.files.pair(f"train_{name}")
        assert image.shape[1:] == mask.shape == loaded[f"val_{name}"].shape[1:] == expected
        assert torch.equal(loaded[f"val_{name}"], student.prepare(photo(run, name))[0])
        assert torch.equal(loaded[f"val_{name}"], again[f"val_{name}"])


@pytest.mark.parametrize("protocol", [{}, {"mode": "slide", "window": (64, 64)}], ids=["whole", "slide"])
def test_scores_are_those_of_predictions_at_full_size(run, protocol):
    """A batch holds images of one size, and padding is cut before anything is compared."""
    student = kit.load(run.run_dir)
    cfg = dataclasses.replace(student.config.evaluate, **protocol)
    student.config = dataclasses.replace(student.config, evaluate=cfg)
    images = val_images(student)
    counts = count(student.net, images, images.files.spec, cfg)
    for name, matrix in zip(SHAPES, counts.matrices, strict=True):
        prediction, truth = student.predict(photo(run, name)), truth_of(SHAPES[name])
        assert prediction.shape == truth.shape and matrix.sum() == truth.size
        expected = confusion_matrix(torch.from_numpy(prediction).long(), torch.from_numpy(truth).long(), 2).numpy()
        assert np.abs(expected - matrix).sum() <= 0.002 * truth.size  # one by one, ties may fall otherwise


def test_the_explorer_shows_what_the_student_predicts(run):
    student, explorer = kit.load(run.run_dir), Explorer([run.run_dir])
    for name in "abc":
        scene = explorer.scene(ViewRequest(run=run.run_dir, image=f"val_{name}", view="prediction"))
        assert scene.image.shape[:2] == scene.layer.values.shape == SHAPES[name]
        assert (scene.layer.values == student.predict(photo(run, name))).mean() > 0.99
        band = explorer.scene(ViewRequest(run=run.run_dir, image=f"val_{name}", view="low frequencies"))
        height, width = SHAPES[name]
        scale, multiple = 48 / min(height, width), student.net.multiple
        padded = [-(-round(side * scale) // multiple) * multiple for side in (height, width)]
        assert band.layer.covers == pytest.approx([side / scale for side in padded], rel=0.03)


def test_a_student_says_how_it_sees_photographs(run):
    assert "images resized to a shorter side of 48, whole image" in str(kit.load(run.run_dir))
