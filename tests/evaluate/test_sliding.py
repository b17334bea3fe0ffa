import math
from dataclasses import replace

import pytest
import torch

from kit.bench.plain.sliding import slide
from kit.errors import KitError
from kit.evaluate import protocol
from kit.evaluate.predict import Predictor, fast_copy
from kit.evaluate.reevaluate import slug
from kit.evaluate.sliding import sliding_scores, window_starts
from kit.models.build import build_model
from kit.settings.recipes import RECIPES
from kit.settings.run import EvalConfig, ModelConfig
from kit.types import SegOutput


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
    given_back = sliding_scores(lambda x: x, images, window, stride, batch)
    torch.testing.assert_close(given_back, images, rtol=0, atol=1e-6)


def test_overlapping_answers_are_averaged_by_how_often_a_pixel_is_seen():
    calls = iter(range(1, 100))
    numbered = sliding_scores(lambda x: torch.full_like(x[:, :1], next(calls)), torch.zeros(1, 3, 4, 10), (4, 4),
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


class TwoWindows(torch.nn.Module):
    """Says the first of `LOGITS` everywhere in one window, the second in the next."""

    LOGITS = torch.tensor([[2.0, 0.0, 0.0], [0.0, 3.0, 2.9]])
    multiple = 1

    def __init__(self):
        super().__init__()
        self.calls, self.unused = 0, torch.nn.Parameter(torch.zeros(()))

    def forward(self, images):
        self.calls += 1
        logits = self.LOGITS[self.calls - 1, :, None, None]
        return SegOutput(logits.expand(1, 3, *images.shape[-2:]), [], None, None)


@pytest.mark.parametrize("combine", ["probabilities", "logits"])
def test_overlapping_windows_are_combined_by_probabilities_or_by_logits(combine):
    cfg = EvalConfig(mode="slide", window=(4, 4), stride=(4, 2), windows=1, combine=combine)
    by = {"probabilities": TwoWindows.LOGITS.softmax(1).mean(0), "logits": TwoWindows.LOGITS.mean(0).softmax(0)}
    assert [by[way].argmax().item() for way in ("probabilities", "logits")] == [0, 1]
    answers = Predictor(TwoWindows(), cfg).probabilities(torch.zeros(1, 3, 4, 6), (4, 6))
    torch.testing.assert_close(answers[0, :, 0, 3], by[combine])  # where both windows look
    torch.testing.assert_close(answers[0, :, 0, 0], TwoWindows.LOGITS[0].softmax(0))
    torch.testing.assert_close(answers.sum(1), torch.ones(1, 4, 6))
    scores = Predictor(TwoWindows(), cfg).scores(torch.zeros(1, 3, 4, 6), (4, 6))
    assert scores[0, :, 0, 3].argmax() == by[combine].argmax()


def test_small_images_may_be_centred_in_their_window(pixelwise):
    images, shown = torch.rand(1, 3, 5, 8) + 1, []

    def position(windows):
        shown.append(windows)
        return windows

    for pad, (top, left) in {"end": (0, 0), "centre": (1, 4)}.items():  # 3 rows and 8 columns are added
        given_back = sliding_scores(position, images, (8, 16), (6, 11), pad=pad)
        assert torch.equal(given_back, images)
        inside = shown[-1][0, :, top : top + 5, left : left + 8]
        assert torch.equal(inside, images[0]) and (shown[-1] < 1).sum() == 3 * (8 * 16 - 5 * 8)
    large = torch.rand(1, 3, 20, 30)
    torch.testing.assert_close(sliding_scores(position, large, (8, 16), (6, 11), pad="centre"), large)
    cfg = EvalConfig(mode="slide", window=(8, 16), pad="centre", combine="logits")
    torch.testing.assert_close(Predictor(pixelwise, cfg).scores(images, (5, 8)), images)


def test_scales_are_averaged_at_the_size_that_is_wanted(pixelwise):
    images = torch.randn(1, 3, 1, 1).expand(1, 3, 16, 32).contiguous()  # flat, so that every size is the same
    predictor = Predictor(pixelwise, EvalConfig(scales=(0.5, 1.0, 1.75), flip=True))
    answers = predictor.probabilities(images, (32, 64))
    torch.testing.assert_close(answers, images.softmax(1)[..., :1, :1].expand(1, 3, 32, 64), rtol=0, atol=1e-6)
    assert [shape[-2:] for shape in pixelwise.shapes] == [(8, 16)] * 2 + [(16, 32)] * 2 + [(32, 56)] * 2


def test_each_protocol_has_its_own_words():
    slide = {"mode": "slide", "window": (8, 8)}
    settings = [{}, {"precision": "bf16"}, {"flip": True}, {"scales": (1.0, 1.5)}, slide, {**slide, "stride": (4, 4)},
                {**slide, "window": (9, 8)}, {**slide, "combine": "logits"}, {**slide, "pad": "centre"},
                {"flip": True, "combine": "logits"}]  # fmt: skip
    protocols = [EvalConfig(**given) for given in settings]
    assert len({protocol.sentence(cfg) for cfg in protocols}) == len({slug(cfg) for cfg in protocols}) == len(protocols)
    assert protocol.sentence(EvalConfig()) == "whole image, single scale, no flip, one confusion matrix"
    assert protocol.sentence(protocols[1]) == "whole image, single scale, no flip, bf16, one confusion matrix"
    shown = "sliding windows of 512 x 512, stride 342 x 342{}, single scale, no flip, {} averaged, one confusion matrix"
    windows = EvalConfig(mode="slide", window=(512, 512))
    assert protocol.sentence(windows) == shown.format(
        "", "probabilities"
    )  # as in results from before there was a choice
    theirs = replace(windows, combine="logits", pad="centre")
    assert protocol.sentence(theirs) == shown.format(", small images centred", "logits")
    assert [protocol.record(theirs)[name] for name in ("combine", "pad")] == ["logits", "centre"]
    assert protocol.record(protocols[4])["stride"] == [6, 6] and protocol.record(protocols[0])["window"] is None


@pytest.mark.parametrize(
    "wrong, word",
    [({"mode": "tiles"}, "whole, slide"), ({"mode": "slide"}, "needs evaluate.window"), ({"window": (8, 8)}, "belong"),
     ({"mode": "slide", "window": (8, 8), "stride": (9, 8)}, "gaps"), ({"scales": ()}, "scales"),
     ({"scales": (1.0, 1.0)}, "scales"), ({"scales": (0.0,)}, "above 0"), ({"bins": 0}, "bins"),
     ({"combine": "votes"}, "probabilities, logits"), ({"pad": "left"}, "end, centre"),
     ({"pad": "centre"}, "evaluate.pad belong")],
)  # fmt: skip
def test_protocols_that_make_no_sense_are_refused(wrong, word):
    with pytest.raises(KitError, match=word):
        EvalConfig(**wrong)


def test_published_settings_evaluate_as_their_authors_do():
    for name, make in RECIPES.items():
        cfg, city, mgd = make("supervised").evaluate, "cityscapes" in name, name.startswith("mgd_official")
        sizes = {"mgd": (800, 800), "unimatch": (801, 801)}
        window = sizes.get(name.split("_")[0], (512, 512)) if city else (512, 512) if mgd and "voc" in name else None
        assert (cfg.mode, cfg.window) == ("slide" if window else "whole", window), name
        by_logits = mgd or name.startswith("trikd_official")
        assert cfg.combine == ("logits" if by_logits else "probabilities"), name
        assert cfg.pad == ("centre" if mgd else "end"), name
