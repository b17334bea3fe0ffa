"""`python -m kit bench mgd`: MGD's training step against the plain form of the same networks.

The kit's step has two forms. "gradient" has every switch as in the authors' code; the student's gradient equals that of
the plain step, which is checked in float64 before anything is timed. "fixed" is the kit's default, with frozen
teachers, a partner from the same batch and joint passes; its gradient differs by design. Both are channels-last.

On CPUs with bfloat16, both forms are also timed in it, against the plain step in float32. First the losses of "fixed"
in both formats are compared over some steps, at a rate at which the student learns. Peak memory of each row is measured
in a separate process.
"""

import argparse
import copy
import sys
from collections.abc import Callable
from statistics import median

import torch
from torch import Tensor, nn

from kit.bench.bf16 import CHECKED, compare_learning, measured_here, peak_memory
from kit.bench.plain.mgd import Images, Nets, plain_loss
from kit.bench.timing import environment, speedup
from kit.bench.training import CLASSES, Side, make_batch, progress, sgd_step
from kit.errors import KitError
from kit.methods.build import build_method
from kit.methods.mgd import MGD
from kit.methods.unlabelled.cutmix import french_cutmix
from kit.models.build import build_model
from kit.settings.checks import require_positive
from kit.settings.recipes import configure
from kit.settings.run import RunConfig
from kit.system.turns import interleaved
from kit.types import Batch

FORMS = ("gradient", "fixed")
IN_BF16 = {f"{form}, bfloat16": form for form in FORMS}
"""Row in bfloat16 -> its form."""
TOLERANCE = 1e-9
"""Largest difference of the student's gradient in float64, relative to its norm."""

LEARNING_RATE = 0.0025
"""For the steps whose losses are compared; the rate of timed steps is so small that weights hardly change."""

SIZES = {
    "resnet18": {},
    "mobilenetv2": {"student.name": "deeplab_mobilenetv2"},
    "demo": {"student.name": "deeplab_demo", "method.wide_net.name": "deeplab_wide_demo",
             "method.deep_net.name": "deeplab_deep_demo"},
}  # fmt: skip


def bench_mgd(arguments: list[str]) -> None:
    """Read the options, compare gradients, time in turns, write the table; the last line is the ratio of "gradient".

    Raises: KitError if the gradients do not agree.
    """
    parser = argparse.ArgumentParser(prog="python -m kit bench mgd", description=__doc__.split("\n\n")[0])
    parser.add_argument("--size", choices=tuple(SIZES), default="resnet18", help="the student (default: resnet18); "
                        "demo: three small networks")  # fmt: skip
    parser.add_argument("--crop", type=int, default=512, help="side of the square images (default: 512)")
    parser.add_argument("--batch", type=int, default=2, help="labelled images, and as many mixed ones (default: 2)")
    parser.add_argument("--repeats", type=int, default=3, help="timed runs of each (default: 3)")
    parser.add_argument("--steps", type=int, default=20, help="training steps to compare the losses in bf16 and fp32 "
                        "(default: 20)")  # fmt: skip
    parser.add_argument("--no-memory", action="store_true", help="do not measure peak memory (two more steps)")
    options = parser.parse_args(arguments)
    require_positive(**{f"--{name}": getattr(options, name) for name in ("crop", "batch", "repeats", "steps")})

    say = sys.stdout.write
    say(f"{options.size}, crop {options.crop}, {options.batch} labelled and {options.batch} mixed images, float32, "
        f"median of {options.repeats} runs in turns, {torch.get_num_threads()} threads\n{environment()}\n")  # fmt: skip
    off = gradient_difference(options.size, min(options.crop, CHECKED), options.batch)
    if not off <= TOLERANCE:
        raise KitError(f"the student's gradient differs from the plain form's by {off:.1e} (allowed: {TOLERANCE:.0e})")
    say(f"gradients agree to {off:.0e} (float64, crop {min(options.crop, CHECKED)})\n")
    rows = ["plain", *FORMS]
    if measured_here():
        compare_learning(make_step, {"fp32": "fixed", "bf16": "fixed, bfloat16"}, options, LEARNING_RATE)
        rows += IN_BF16
    say("\n")
    sys.stdout.flush()

    seconds = interleaved({row: make_step(row, options) for row in rows}, options.repeats)
    peaks = {} if options.no_memory else {row: peak_memory(make_step, row, options) for row in rows}
    say(f"{'':<20}{'s':>8}{'ratio':>8}{'GB':>8}{'ratio':>8}\n")
    ratios = {row: speedup(seconds["plain"], seconds[row]) for row in rows}
    for row, ratio in ratios.items():
        memory = f"{peaks[row]:>8.2f}{peaks['plain'] / peaks[row]:>8.2f}" if peaks else ""
        say(f"{row:<20}{median(seconds[row]):>8.2f}{ratio:>8.2f}{memory}\n")
    say(f"\nratio={ratios['gradient']:.2f}\n")


def make_config(size: str, crop: int, batch: int, form: str) -> RunConfig:
    """Settings of one form. Both leave out the student's passes on unmixed images, which carry no gradient."""
    switches = "official_" if form == "gradient" else ""
    recipe = f"mgd_{switches}cityscapes_resnet18_1_8"
    nets = {f"{net}.{field}": "official" for net in ("student", "method.wide_net", "method.deep_net")
            for field in ("head", "encoder")}  # fmt: skip
    kept = 50_000 * batch * crop**2 // 800**2
    changes = {"pretrained": False, "method.unmixed_passes": False, "method.ohem_min_kept": kept, **nets, **SIZES[size]}
    return configure("mgd", recipe, changes)


def make_nets(cfg: RunConfig) -> Nets:
    """Student and teachers, with the same random weights at every call."""
    torch.manual_seed(0)
    return Nets(*(build_model(c, CLASSES, False) for c in (cfg.student, cfg.method.wide_net, cfg.method.deep_net)))


def make_method(cfg: RunConfig, nets: Nets) -> MGD:
    """The method in train mode, with copies of these networks."""
    teachers = {"wide": copy.deepcopy(nets.wide), "deep": copy.deepcopy(nets.deep)}
    method = build_method(cfg, CLASSES, teachers)
    method.student.load_state_dict(nets.student.state_dict())
    return method.train()


def plain_side(nets: Nets, batch: Batch, cfg: RunConfig) -> Side:
    """A step of the plain form, with copies of these networks and the boxes that a method draws with `progress()`."""
    nets = Nets(*(copy.deepcopy(net).to(batch.images) for net in nets)).plain()
    paste = french_cutmix(batch.weak, progress().rng, cfg.method.overlap, cfg.method.partner)
    inside = paste.inside[:, None].to(batch.weak.dtype)
    shown = Images(batch.images, batch.masks, *paste.pair(batch.weak), inside)
    return Side(nets.student, lambda: plain_loss(nets, shown, cfg.method))


def our_side(nets: Nets, batch: Batch, cfg: RunConfig) -> Side:
    """A step of the kit, with copies of these networks."""
    method = make_method(cfg, nets).to(batch.images).to(memory_format=torch.channels_last)
    return Side(method, lambda: method(batch, progress()).loss)


def gradient_difference(size: str, crop: int, batch: int) -> float:
    """Norm of the difference between both gradients of the student, over the norm of the plain one, in float64."""
    cfg = make_config(size, crop, batch, "gradient")
    nets, shown = make_nets(cfg), make_batch(crop, batch, 2 * batch, torch.float64)
    reference, method = plain_side(nets, shown, cfg), make_method(cfg, nets).double()
    reference.loss().backward()
    method(shown, progress()).loss.backward()
    expected, ours = (nn.utils.parameters_to_vector(p.grad for p in net.parameters())
                      for net in (reference.trained, method.student))  # fmt: skip
    return ((ours - expected).norm() / expected.norm()).item()


def make_step(row: str, options: argparse.Namespace, lr: float = 1e-9) -> Callable[[], dict[str, float]]:
    """A training step that returns its loss; every call starts from the same weights.

    Args:
        row: "plain", one of FORMS, or a key of IN_BF16.
        options: with "size", "crop" and "batch".
    """
    official, form = make_config(options.size, options.crop, options.batch, "gradient"), IN_BF16.get(row, row)
    nets, unlabelled = make_nets(official), options.batch if form == "fixed" else 2 * options.batch
    batch = make_batch(options.crop, options.batch, unlabelled)
    if row == "plain":
        student, loss = plain_side(nets, batch, official)
    else:
        method, loss = our_side(nets, batch, make_config(options.size, options.crop, options.batch, form))
        student = method.student

    def losses() -> tuple[Tensor, dict[str, Tensor]]:
        value = loss()
        return value, {"loss": value}

    return sgd_step(student, losses, lr, row == "plain", "bf16" if row in IN_BF16 else "fp32")
