import math

import pytest
import torch

from kit.bench.sliding_reference import slide
from kit.config import EvalConfig, ModelConfig
from kit.errors import KitError
from kit.evaluate import protocol
from kit.evaluate.predict import Predictor, fast_copy
from kit.evaluate.sliding import sliding_probabilities, window_starts
from kit.models.build import build_model
from kit.recipes import RECIPES


@pytest.fixture(params=[1, 2], ids=["one thread", "two threads"])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    "length, window, stride", [(20, 8, 5), (16, 8, 8), (8, 8, 3), (5, 8, 3), (21, 7, 1), (9, 8, 8)]
)
def test_windows_cover_everything_and_end_at_the_edge(length, window, stride):
    starts = window_starts(length, window, stride)
    assert starts[0] == 0 and starts[-1] == max(0, length - window) and starts == sorted(set(starts))
    assert all(b - a <= stride for a, b in zip(starts, starts[1:], strict=False))


@pytest.mark.parametrize(
    "size, window, stride",
    [((40, 56), (16, 24), (11, 7)), ((10, 30), (16, 16), (16, 5)), ((33, 35), (32, 32), (1, 31)),
     ((16, 16), (16, 16), (3, 3))],
)  # fmt: skip
@pytest.mark.parametrize("batch", [1, 3])
def test_what_depends_on_the_pixel_alone_comes_back(size, window, stride, batch, threads):
    images = torch.randn(2, 3, *size)
    given_back = sliding_probabilities(lambda x: x, images, window, stride, batch)
    torch.testing.assert_close(given_back, images, rtol=0, atol=1e-6)


def test_overlapping_answers_are_averaged_by_how_often_a_pixel_is_seen():
    calls = iter(range(1, 100))
    numbered = sliding_probabilities(lambda x: torch.full_like(x[:, :1], next(calls)), torch.zeros(1, 3, 4, 10), (4, 4),
                                     (4, 3))  # fmt: skip
    assert numbered[0, 0, 0].tolist() == [1, 1, 1, 1.5, 2, 2, 2.5, 3, 3, 3]


@pytest.mark.parametrize("name", ["tinyvit_demo", "deeplab_demo"])
def test_the_usual_loop_says_the_same(name):
    net = build_model(ModelConfig(name=name), 5, pretrained=False).eval()
    image = torch.randn(1, 3, 96, 160)
    answers = Predictor(net, EvalConfig(mode="slide", window=(64, 64), windows=2)).probabilities(image, (96, 160))
    canvas, seen = torch.zeros(1, 5, 96, 160), torch.zeros(96, 160)
    step = math.ceil(64 * 2 / 3)
    with torch.no_grad():
        for top in (0, 32):
            for left in (0, step, 2 * step, 96):
                if left > 96 or (left != 96 and left + 64 > 160):
                    continue
                canvas[..., top : top + 64, left : left + 64] += net(
                    image[..., top : top + 64, left : left + 64]
                ).logits.softmax(1)
                seen[top : top + 64, left : left + 64] += 1
    torch.testing.assert_close(answers, canvas / seen, rtol=0, atol=1e-6)
    assert (answers.argmax(1)[0].numpy() == slide(net, image, 64)).mean() > 0.999


def test_the_copy_that_works_faster_answers_the_same_and_leaves_the_network_alone():
    net = build_model(ModelConfig(name="deeplab_resnet18"), 4, pretrained=False).eval()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    image = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        torch.testing.assert_close(fast_copy(net)(image).logits, net(image).logits, rtol=1e-3, atol=1e-4)
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())


@pytest.mark.parametrize("cfg", [EvalConfig(flip=True), EvalConfig(mode="slide", window=(16, 16), flip=True)])
def test_mirrored_images_are_mirrored_back(pixelwise, cfg):
    images = torch.randn(1, 3, 24, 40)
    answers = Predictor(pixelwise, cfg).probabilities(images, (24, 40))
    torch.testing.assert_close(answers, images.softmax(1), rtol=0, atol=1e-6)


def test_scales_are_averaged_at_the_size_that_is_wanted(pixelwise):
    images = torch.randn(1, 3, 1, 1).expand(1, 3, 16, 32).contiguous()  # flat, so that every size is the same
    predictor = Predictor(pixelwise, EvalConfig(scales=(0.5, 1.0, 1.75), flip=True))
    answers = predictor.probabilities(images, (32, 64))
    torch.testing.assert_close(answers, images.softmax(1)[..., :1, :1].expand(1, 3, 32, 64), rtol=0, atol=1e-6)
    assert [shape[-2:] for shape in pixelwise.shapes] == [(8, 16)] * 2 + [(16, 32)] * 2 + [(32, 56)] * 2


def test_each_protocol_has_its_own_words():
    slide = {"mode": "slide", "window": (8, 8)}
    settings = [{}, {"flip": True}, {"scales": (1.0, 1.5)}, slide, {**slide, "stride": (4, 4)},
                {**slide, "window": (9, 8)}]  # fmt: skip
    asked = [EvalConfig(**given) for given in settings]
    assert len({protocol.sentence(cfg) for cfg in asked}) == len(asked)
    assert protocol.sentence(EvalConfig()) == "whole image, single scale, no flip, one confusion matrix"
    assert protocol.sentence(EvalConfig(mode="slide", window=(512, 512))).startswith(
        "sliding windows of 512 x 512, stride 342 x 342, single scale"
    )
    assert protocol.record(asked[3])["stride"] == [6, 6] and protocol.record(asked[0])["window"] is None


@pytest.mark.parametrize(
    "wrong, word",
    [({"mode": "tiles"}, "whole, slide"), ({"mode": "slide"}, "needs evaluate.window"), ({"window": (8, 8)}, "belong"),
     ({"mode": "slide", "window": (8, 8), "stride": (9, 8)}, "gaps"), ({"scales": ()}, "scales"),
     ({"scales": (1.0, 1.0)}, "scales"), ({"scales": (0.0,)}, "above 0"), ({"bins": 0}, "bins")],
)  # fmt: skip
def test_protocols_that_make_no_sense_are_refused(wrong, word):
    with pytest.raises(KitError, match=word):
        EvalConfig(**wrong)


def test_published_settings_judge_cityscapes_by_windows_and_voc_whole():
    for name, make in RECIPES.items():
        for_set = make("supervised").evaluate
        city = "cityscapes" in name
        assert for_set.mode == ("slide" if city else "whole"), name
        assert for_set.window == (((800, 800) if "mgd" in name else (512, 512)) if city else None), name
