"""`python -m kit bench evaluate`: sliding windows over frames of Cityscapes' size, against one window at a time.

Both sides evaluate the same noise with the same weights, at the published windows and stride; their confusion matrices
must agree before anything is timed. The reference is the usual loop. It is timed with the plain network of published
code, which `ratio=` refers to, and with the kit's own network, which shows the gain from the windows alone.
"""

import argparse
import copy
import sys
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from kit.bench.plain.sliding import histogram, slide
from kit.bench.plain.trikd import plain
from kit.bench.timing import environment, speedup, torch_threads
from kit.data.catalog import DATASETS
from kit.errors import KitError
from kit.evaluate.run import count
from kit.models.build import build_model
from kit.settings.checks import require_positive
from kit.settings.run import EvalConfig, ModelConfig
from kit.system.turns import interleaved

SPEC = DATASETS["cityscapes"]

AGREE = 0.999
"""Least share of pixels that both sides count in the same cell of the confusion matrix; random networks have ties."""

NAMES = {"reference": "one window at a time, plain network", "same": "one window at a time, the kit's network",
         "ours": "ours"}  # fmt: skip


def bench_evaluate(arguments: list[str]) -> None:
    """Read the options, compare, time everything in turns, write the table."""
    parser = argparse.ArgumentParser(prog="python -m kit bench evaluate", description=__doc__.split("\n\n")[0])
    parser.add_argument("--model", default="tinyvit_11m", help="a student (default: tinyvit_11m)")
    parser.add_argument("--size", type=int, nargs=2, default=(1024, 2048), metavar=("H", "W"),
                        help="height and width of a frame (default: 1024 2048)")  # fmt: skip
    parser.add_argument("--window", type=int, default=512, help="side of a window (default: 512)")
    parser.add_argument("--frames", type=int, default=1, help="frames per timed run (default: 1)")
    parser.add_argument("--repeats", type=int, default=3, help="timed runs of each variant (default: 3)")
    parser.add_argument("--threads", type=int, default=2, help="torch threads, on both sides (default: 2)")
    options = parser.parse_args(arguments)
    require_positive(**{f"--{name}": getattr(options, name) for name in ("window", "frames", "repeats", "threads")})
    with torch_threads(options.threads):
        _measure(options)


def make_network(name: str) -> nn.Module:
    """A student with random weights and random batch norm statistics, so that batch norm is not the identity."""
    torch.manual_seed(0)
    net = build_model(ModelConfig(name=name), SPEC.num_classes, pretrained=False).eval()
    for part in net.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            part.running_mean.normal_(0, 0.1)
            part.running_var.uniform_(0.8, 1.2)
    return net


def make_frames(count: int, size: tuple[int, int]) -> list[tuple[str, Tensor, Tensor]]:
    """(name, noise image, random mask) of each frame."""
    random = torch.Generator().manual_seed(0)
    return [
        (str(i), torch.randn(3, *size, generator=random),
         torch.randint(0, SPEC.num_classes, size, generator=random).to(torch.uint8))
        for i in range(count)
    ]  # fmt: skip


def _plainly(net: nn.Module, frames: list, window: int) -> np.ndarray:
    """Confusion matrix of all frames, by the reference."""
    return sum(histogram(slide(net, image[None], window), mask.numpy(), SPEC.num_classes) for _, image, mask in frames)


def _ours(net: nn.Module, frames: list, window: int) -> np.ndarray:
    cfg = EvalConfig(mode="slide", window=(window, window), batch=1)
    return count(net, frames, SPEC, cfg).matrices.sum(0)


def _measure(options: argparse.Namespace) -> None:
    net, frames = make_network(options.model), make_frames(options.frames, tuple(options.size))
    sides = {
        "reference": partial(_plainly, plain(copy.deepcopy(net)), frames, options.window),
        "same": partial(_plainly, net, frames, options.window),
        "ours": partial(_ours, net, frames, options.window),
    }
    matrices = {name: run() for name, run in sides.items()}
    for name, matrix in matrices.items():
        apart = np.abs(matrix - matrices["reference"]).sum() / 2 / matrix.sum()
        if apart > 1 - AGREE:
            raise KitError(f"{NAMES[name]}: {apart:.2%} of the pixels are counted differently from the reference")
    seconds = interleaved(sides, options.repeats, warmup=0)  # each has just run once
    height, width = options.size
    say = sys.stdout.write
    say(f"{options.model}, {options.frames} frame(s) of {height} x {width}, windows of {options.window}, stride 2/3, "
        f"{options.repeats} runs in turns, {options.threads} threads\n{environment()}\n\n")  # fmt: skip
    for name, values in seconds.items():
        say(f"{NAMES[name]:<42}{sorted(values)[len(values) // 2] / options.frames:>8.2f} s a frame\n")
    say(f"\nours against the kit's network, one window at a time: {speedup(seconds['same'], seconds['ours']):.2f}\n")
    say(f"ratio={speedup(seconds['reference'], seconds['ours']):.2f}\n")
