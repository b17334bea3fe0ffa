import numpy as np
import pytest
import torch

from kit.__main__ import main
from kit.bench import evaluate
from kit.bench.plain.sliding import histogram, slide

SMALL = ["--size", "64", "96", "--window", "64", "--repeats", "1", "--threads", "1"]


@pytest.mark.parametrize("model", ["tinyvit_demo", "deeplab_demo"])
def test_it_compares_and_ends_with_its_ratio(model, capsys):
    assert main(["bench", "evaluate", "--model", model, *SMALL]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert float(lines[-1].removeprefix("ratio=")) > 0 and any(line.startswith("ours ") for line in lines)


def test_other_answers_are_not_timed(monkeypatch, capsys):
    monkeypatch.setattr(evaluate, "_ours", lambda net, frames, window: np.eye(19, dtype=np.int64) * 323)
    assert main(["bench", "evaluate", "--model", "deeplab_demo", *SMALL]) == 2
    captured = capsys.readouterr()
    assert "counted differently" in captured.err and "ratio=" not in captured.out


def test_the_usual_loop_gives_back_what_depends_on_the_pixel_alone():
    class Copy(torch.nn.Module):
        def forward(self, images):
            from kit.types import SegOutput

            return SegOutput(images, [], None, images)

    image = torch.randn(1, 5, 40, 70)
    assert np.array_equal(slide(Copy(), image, 24), image.argmax(1)[0].numpy())
    truth = np.array([[0, 1], [1, 255]])
    assert histogram(np.array([[0, 0], [1, 1]]), truth, 2).tolist() == [[1, 0], [1, 1]]
