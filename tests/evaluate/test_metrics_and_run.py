import json

import numpy as np
import pytest
import torch
from torch import nn

from kit.data.catalog import DATASETS
from kit.evaluate.predict import predict_logits
from kit.evaluate.run import count
from kit.evaluate.scores.metrics import confusion_matrix, scores_of
from kit.settings.run import EvalConfig
from kit.types import IGNORE, SegOutput


def test_counts_by_hand():
    truth = torch.tensor([[0, 0, 1], [1, 2, IGNORE]])
    prediction = torch.tensor([[0, 1, 1], [1, 0, 2]])
    matrix = confusion_matrix(prediction, truth, 4)
    assert matrix.tolist() == [[1, 1, 0, 0], [0, 2, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    scores = scores_of(matrix, ("a", "b", "c", "d"), images=1)
    assert scores.iou == {"a": pytest.approx(1 / 3), "b": pytest.approx(2 / 3), "c": 0.0, "d": None}
    assert scores.miou == pytest.approx((1 / 3 + 2 / 3 + 0) / 3)  # d is absent: neither 0 nor 1
    assert scores.pixel_accuracy == pytest.approx(3 / 5)
    json.dumps(scores.record(), allow_nan=False)


def test_one_matrix_for_the_whole_set_is_not_a_mean_of_images():
    a = confusion_matrix(torch.tensor([0, 0, 0, 0]), torch.tensor([0, 0, 0, 1]), 2)
    b = confusion_matrix(torch.tensor([1]), torch.tensor([1]), 2)
    both = scores_of(a + b, ("x", "y"), 2).miou
    assert both == pytest.approx((3 / 4 + 1 / 2) / 2)
    assert both != pytest.approx((scores_of(a, ("x", "y"), 1).miou + scores_of(b, ("x", "y"), 1).miou) / 2)


class Painter(nn.Module):
    """A "network" that reads the class from the red channel and needs multiples of 8."""

    multiple = 8

    def __init__(self, classes):
        super().__init__()
        self.classes, self.weight, self.sizes = classes, nn.Parameter(torch.zeros(1)), []

    def forward(self, images, scores=False):
        self.sizes.append(tuple(images.shape))
        ids = images[:, 0].round().long().clamp(0, self.classes - 1)
        logits = nn.functional.one_hot(ids, self.classes).permute(0, 3, 1, 2).float()
        return SegOutput(logits, [], None, logits)


def test_images_of_any_size_are_padded_for_the_network_and_cut_again():
    net = Painter(3)
    images = torch.randint(0, 3, (2, 3, 13, 22)).float()
    logits = predict_logits(net, images)
    assert net.sizes == [(2, 3, 16, 24)] and torch.equal(logits.argmax(1), images[:, 0].long())
    assert predict_logits(net, images, (26, 44)).shape == (2, 3, 26, 44)


def test_every_image_is_counted_once_whatever_the_batch():
    spec = DATASETS["camvid"]
    rng = np.random.default_rng(0)
    items = []
    for i, size in enumerate([(8, 8), (8, 8), (8, 8), (16, 8), (8, 8)]):
        mask = torch.from_numpy(rng.integers(0, 11, size)).to(torch.uint8)
        image = mask.float().expand(3, -1, -1).clone()
        image[0, 0] = 0  # a row of mistakes
        items.append((str(i), image, mask))
    for batch in (1, 2, 4):
        net = Painter(11).train()
        scores = count(net, items, spec, EvalConfig(batch=batch)).scores(spec.classes)
        assert not net.training and scores.images == 5 and sum(s[0] for s in net.sizes) == 5
        truth = torch.cat([m.flatten() for _, _, m in items]).long()
        guess = torch.cat([i[0].flatten() for _, i, _ in items]).long()
        assert scores.pixel_accuracy == pytest.approx((truth == guess).double().mean().item())
