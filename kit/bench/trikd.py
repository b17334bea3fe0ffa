"""`python -m kit bench trikd`: TriKD's training step, and its parts, against the plain form of the same networks.

Both sides have the same random weights and images, and their losses are compared before anything is timed. On both,
batch norm uses its running statistics and dropout is off: only then does a joint pass equal two separate ones, and the
pooled branches work on one image. Peak memory of each side is measured in a separate process.

On CPUs with bfloat16, the step is also timed in it, against the plain form in float32. First its loss is compared with
that of the kit's step in float32 over some steps, at a rate at which the networks learn.
"""

import argparse
import copy
import sys
from collections.abc import Callable
from functools import partial
from statistics import median

import torch
from timm.layers import DropPath
from torch import Tensor, nn

from kit.bench.bf16 import compare_learning, measured_here, peak_memory
from kit.bench.plain.trikd import fourier_descriptor, plain, plain_step, sorted_ohem
from kit.bench.timing import environment, speedup
from kit.bench.training import CLASSES, make_batch, progress, sgd_step
from kit.errors import KitError
from kit.losses.supervised import ohem_cross_entropy
from kit.methods.build import build_method
from kit.models.decoders.frequency import FrequencySelect
from kit.models.layers.fold_norm import fold_batch_norm
from kit.settings.checks import require_positive
from kit.settings.recipes import configure
from kit.system.turns import interleaved
from kit.types import Batch

PARTS = ("step", "split", "ohem", "inference")
RECIPES = {"official": "trikd_official_cityscapes", "default": "trikd_cityscapes"}
"""Recipe that sets the switches: those of the authors' code, or the kit's own."""
SIDES = {"ours": "", "bf16": ", bfloat16", "recomputed": ", encoders recomputed"}
"""Side measured against the plain form -> suffix of its row; parts other than "step" have only the first side."""
RECOMPUTED = {f"{net}.recompute": True for net in ("student", "method.cnn", "method.vit")}
"""Settings of "recomputed": less memory, at the cost of one more forward pass of the encoders."""
LEARNING_RATE = 0.005
"""The published rate, for the steps whose losses are compared; in timed steps the weights hardly change."""
OHEM_THRESHOLD = 0.7
TOLERANCE = 1e-6
"""Largest difference of a loss term in float32, relative to the larger of the term and a hundredth of the whole loss: a
divergence between nearly equal tables is a small difference of large numbers."""


def bench_trikd(arguments: list[str]) -> None:
    """Read the options, compare, time in turns, write the table; the last line is the first requested part's ratio.

    Raises: KitError if the two sides do not agree.
    """
    parser = argparse.ArgumentParser(prog="python -m kit bench trikd", description=__doc__.split("\n\n")[0])
    parser.add_argument("--size", choices=("21m", "11m", "demo"), default="21m", help="the student (default: 21m); "
                        "demo: three small networks")  # fmt: skip
    parser.add_argument("--crop", type=int, default=512, help="side of the square images (default: 512)")
    parser.add_argument("--repeats", type=int, default=3, help="timed runs of each side (default: 3)")
    parser.add_argument("--part", choices=(*PARTS, "all"), default="all", help="part to measure (default: all)")
    parser.add_argument("--recipe", choices=tuple(RECIPES), default="official",
                        help="recipe that sets the switches (default: official)")  # fmt: skip
    parser.add_argument("--steps", type=int, default=20, help="training steps to compare the losses in bf16 and fp32 "
                        "(default: 20)")  # fmt: skip
    parser.add_argument("--no-memory", action="store_true", help="do not measure peak memory (two more steps)")
    options = parser.parse_args(arguments)
    require_positive(**{f"--{name}": getattr(options, name) for name in ("crop", "repeats", "steps")})

    say = sys.stdout.write
    say(f"{options.size}, crop {options.crop}, one labelled and one unlabelled image, float32\n"
        f"median of {options.repeats} runs in turns, {torch.get_num_threads()} threads, "
        f"{environment()}\n\n")  # fmt: skip
    options.sides = [side for side in SIDES if side != "bf16" or (options.part in ("step", "all") and measured_here())]
    if "bf16" in options.sides:
        compare_learning(make_step, {"fp32": "ours", "bf16": "bf16"}, options, LEARNING_RATE)
    say(f"{'':<42}{'plain':>10}{'ours':>10}{'ratio':>8}  switches\n")
    ratios = {}
    for part in PARTS if options.part == "all" else (options.part,):
        if part == "step" and not options.no_memory:  # before this process holds the networks of all sides
            peaks = {side: [peak_memory(make_step, side, options)] for side in ("plain", *options.sides)}
            _write_rows("peak memory", "GB", peaks, _switches(part, options))
        for chosen in _variants(part, options):
            seconds = interleaved(MEASURES[part](chosen), options.repeats, warmup=0)  # the comparison ran each once
            ratios.setdefault(part, speedup(seconds["plain"], seconds["ours"]))
            _write_rows(part, "s", seconds, _switches(part, chosen))
    say(f"\nratio={next(iter(ratios.values())):.2f}\n")


def _write_rows(name: str, unit: str, measured: dict[str, list[float]], switches: str) -> None:
    """Write a row for each measured side, with the plain form beside it."""
    reference = measured["plain"]
    for side, label in SIDES.items():
        if ours := measured.get(side):
            values = f"{median(reference):>10.3f}{median(ours):>10.3f}{speedup(reference, ours):>8.2f}"
            sys.stdout.write(f"{f'{name}{label}, {unit}':<42}{values}  {switches}\n")
    sys.stdout.flush()


def _variants(part: str, options: argparse.Namespace) -> list[argparse.Namespace]:
    """The options a part is measured with: those given and, for "split", also those with the other recipe's filter."""
    others = [name for name in RECIPES if name != options.recipe] if part == "split" and options.size != "demo" else []
    return [argparse.Namespace(**{**vars(options), "recipe": name}) for name in (options.recipe, *others)]


def _switches(part: str, options: argparse.Namespace) -> str:
    """What a part was run with, in words."""
    if part == "ohem":
        return f"threshold {OHEM_THRESHOLD}, at least {_kept(options.crop)} pixels kept"
    recipe = "tiny" if options.size == "demo" else RECIPES[options.recipe]
    if part != "split":
        return recipe
    return f"{recipe}, filter {configure('trikd', _recipe(options), {'pretrained': False}).student.filter_centre}"


def _recipe(options: argparse.Namespace) -> str:
    return "tiny" if options.size == "demo" else f"{RECIPES[options.recipe]}_{options.size}_1_8"


def _kept(crop: int) -> int:
    """Least number of pixels that OHEM keeps: the published 200 000 at crop 512, scaled to the area of `crop`."""
    return crop**2 * 200_000 // 512**2


def make_method(options: argparse.Namespace, side: str = "plain") -> nn.Module:
    """The method with random weights, in train mode except for batch norm, dropout and drop path."""
    overrides = {"pretrained": False, **(RECOMPUTED if side == "recomputed" else {})}
    if options.size == "demo":
        overrides |= {"method.ohem_min_kept": options.crop**2 // 2, "method.ramp": 0.0}
    torch.manual_seed(0)
    method = build_method(configure("trikd", _recipe(options), overrides), CLASSES)
    for module in method.modules():
        if isinstance(module, (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd, DropPath)):
            module.eval()
    return method


def losses_of(method: nn.Module, batch: Batch, plainly: bool) -> Callable[[], tuple[Tensor, dict[str, Tensor]]]:
    """Function that returns the loss of a step and its terms before weighting, for either side; changes `method`."""
    if plainly:
        plain(method)

        def losses() -> tuple[Tensor, dict[str, Tensor]]:
            parts = plain_step(method, batch)
            return sum(method.weights[name] * part for name, part in parts.items()), parts
    else:
        method.to(memory_format=torch.channels_last)

        def losses() -> tuple[Tensor, dict[str, Tensor]]:
            out = method(batch, progress())
            return out.loss, out.parts

    return losses


def make_step(side: str, options: argparse.Namespace, lr: float = 1e-9) -> Callable[[], dict[str, float]]:
    """A training step of one side, "plain" or one of SIDES, which returns the terms of the loss before weighting."""
    method, plainly = make_method(options, side), side == "plain"
    losses = losses_of(method, make_batch(options.crop, 1, 1), plainly)
    return sgd_step(method, losses, lr, plainly, "bf16" if side == "bf16" else "fp32")


def _steps(options: argparse.Namespace) -> dict[str, Callable]:
    steps = {side: make_step(side, options) for side in ("plain", *options.sides)}
    losses = {side: step() for side, step in steps.items()}
    expected = losses.pop("plain")
    losses.pop("bf16", None)  # of another precision
    whole = sum(expected.values())
    off = max(
        abs(ours[k] - value) / max(value, whole / 100) for ours in losses.values() for k, value in expected.items()
    )
    if off > TOLERANCE:
        raise KitError(f"losses differ from the plain form's: {losses} and {expected}")
    sys.stdout.write(f"losses agree to {off:.0e}: {', '.join(f'{k} {v:.5g}' for k, v in expected.items())}\n")
    return steps


def _splits(options: argparse.Namespace) -> dict[str, Callable]:
    """Descriptors of two images at all frequency-selecting laterals of the three networks, forward and backward."""
    method = make_method(options)
    laterals, maps = [], []
    for net in (method.student, method.cnn, method.vit):
        for lateral, stride in zip(net.decoder.laterals, net.encoder.strides, strict=True):
            if isinstance(lateral, FrequencySelect):
                side = round(options.crop / stride)
                laterals.append(lateral)
                maps.append(torch.rand(2, lateral.attend.in_channels, side, side, requires_grad=True))

    def plainly(lateral: FrequencySelect, x: Tensor) -> Tensor:
        return fourier_descriptor(x, lateral.band, lateral.radius(*x.shape[-2:]), lateral.official)

    def run(describe: Callable) -> list[Tensor]:
        pooled = [describe(lateral, x) for lateral, x in zip(laterals, maps, strict=True)]
        torch.autograd.grad([p.sum() for p in pooled], maps)
        return pooled

    runs = {"plain": partial(run, plainly), "ours": partial(run, FrequencySelect.descriptor)}
    return require_equal("a descriptor", runs, 1e-4)  # single channels; their errors do not cancel as a loss's do


def _ohem(options: argparse.Namespace) -> dict[str, Callable]:
    batch, make = make_batch(options.crop, 1, 1), torch.Generator().manual_seed(2)
    logits = 3 * torch.randn(1, CLASSES, options.crop, options.crop, generator=make)
    logits.requires_grad_()

    def run(loss: Callable) -> list[Tensor]:
        value = loss(logits, batch.masks, OHEM_THRESHOLD, _kept(options.crop))
        torch.autograd.grad(value, logits)
        return [value]

    runs = {"plain": partial(run, sorted_ohem), "ours": partial(run, ohem_cross_entropy)}
    return require_equal("OHEM", runs, TOLERANCE)


def _inference(options: argparse.Namespace) -> dict[str, Callable]:
    """The student on one image; ours with batch norm folded into convolutions."""
    student = make_method(options).student.eval()
    images = make_batch(options.crop, 1, 1).images
    reference = plain(copy.deepcopy(student))
    ours = fold_batch_norm(student, images[..., :64, :64]).to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def run(net: nn.Module, images: Tensor) -> list[Tensor]:
        return [net(images).logits]

    fast = partial(run, ours, images.to(memory_format=torch.channels_last))
    return require_equal("logits", {"plain": partial(run, reference, images), "ours": fast}, 1e-4)


MEASURES = {"step": _steps, "split": _splits, "ohem": _ohem, "inference": _inference}


def require_equal(what: str, runs: dict[str, Callable], tolerance: float) -> dict[str, Callable]:
    """Return `runs`; KitError if norm of the difference over norm of the reference is more than `tolerance`."""
    for reference, ours in zip(runs["plain"](), runs["ours"](), strict=True):
        reference, ours = reference.detach().double(), ours.detach().double()
        off = ((ours - reference).norm() / reference.norm().clamp(min=1e-12)).item()
        if not off <= tolerance:
            raise KitError(f"{what} differs from the plain form by {off:.1e} (allowed: {tolerance:.0e})")
    return runs
