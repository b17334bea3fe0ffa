"""`python -m kit bench mgd`: MGD's training step against the plain form of the same networks.

Two forms of it: "gradient" has every switch as the authors have it and gives the student the very gradient of the plain
step, which is checked in float64 before anything is timed; "fixed" is the kit's default, with frozen teachers, a
partner from the same batch and joint passes, whose gradient is another by design. Both are channels-last.
"""

import argparse
import copy
import sys
from collections.abc import Callable
from statistics import median

import numpy as np
import torch
from torch import Tensor, nn

from kit.bench.mgd_reference import Images, Nets, plain_loss
from kit.bench.timing import environment, interleaved, speedup
from kit.checks import require_positive
from kit.config import RunConfig
from kit.errors import KitError
from kit.methods.build import build_method
from kit.methods.mgd import MGD
from kit.methods.mixing import french_cutmix
from kit.models.build import build_model
from kit.recipes import configure
from kit.types import IGNORE, Batch, Progress

CLASSES = 19
FORMS = ("gradient", "fixed")
TOLERANCE = 1e-9
"""Largest difference of the student's gradient in float64, relative to its norm."""

CHECKED = 128
"""Largest side of the images on which gradients are compared."""

SIZES = {
    "resnet18": {},
    "mobilenetv2": {"student.name": "deeplab_mobilenetv2"},
    "demo": {"student.name": "deeplab_demo", "method.wide_net.name": "deeplab_wide_demo",
             "method.deep_net.name": "deeplab_deep_demo"},
}  # fmt: skip


def bench_mgd(arguments: list[str]) -> None:
    """Read the options, compare gradients, time in turns, write the table; the last ratio is that of equal gradients.

    Raises: KitError if the gradients do not agree.
    """
    parser = argparse.ArgumentParser(prog="python -m kit bench mgd", description=__doc__.split("\n\n")[0])
    parser.add_argument("--size", choices=tuple(SIZES), default="resnet18", help="of the student (default: resnet18); "
                        "demo: three small networks")  # fmt: skip
    parser.add_argument("--crop", type=int, default=512, help="side of an image (default: 512)")
    parser.add_argument("--batch", type=int, default=2, help="labelled and mixed images each (default: 2)")
    parser.add_argument("--repeats", type=int, default=3, help="timed runs of each (default: 3)")
    options = parser.parse_args(arguments)
    require_positive(**{"--crop": options.crop, "--batch": options.batch, "--repeats": options.repeats})

    say = sys.stdout.write
    say(f"{options.size}, crop {options.crop}, {options.batch} labelled and {options.batch} mixed images, float32, "
        f"median of {options.repeats} runs in turns, {torch.get_num_threads()} threads\n{environment()}\n")  # fmt: skip
    off = gradient_difference(options.size, min(options.crop, CHECKED), options.batch)
    if not off <= TOLERANCE:
        raise KitError(f"the student's gradient differs from the plain form's by {off:.1e} (allowed: {TOLERANCE:.0e})")
    say(f"gradients agree to {off:.0e} (float64, crop {min(options.crop, CHECKED)})\n\n")
    sys.stdout.flush()

    seconds = interleaved(make_steps(options.size, options.crop, options.batch), options.repeats)
    say(f"{'':<12}{'s':>8}{'ratio':>8}\n{'plain':<12}{median(seconds['plain']):>8.2f}\n")
    ratios = {form: speedup(seconds["plain"], seconds[form]) for form in FORMS}
    for form, ratio in ratios.items():
        say(f"{form:<12}{median(seconds[form]):>8.2f}{ratio:>8.2f}\n")
    say(f"\nratio={ratios['gradient']:.2f}\n")


def make_config(size: str, crop: int, batch: int, form: str) -> RunConfig:
    """Settings of one form. The student's passes on unmixed images carry no gradient and are left out of both."""
    switches = "official_" if form == "gradient" else ""
    recipe = f"mgd_{switches}cityscapes_resnet18_1_8"
    nets = {f"{net}.{field}": "official" for net in ("student", "method.wide_net", "method.deep_net")
            for field in ("head", "encoder")}  # fmt: skip
    kept = 50_000 * batch * crop**2 // 800**2
    changes = {"pretrained": False, "method.unmixed_passes": False, "method.ohem_min_kept": kept, **nets, **SIZES[size]}
    return configure("mgd", recipe, changes)


def make_nets(cfg: RunConfig) -> Nets:
    """The same random weights at every call."""
    torch.manual_seed(0)
    return Nets(*(build_model(c, CLASSES, False) for c in (cfg.student, cfg.method.wide_net, cfg.method.deep_net)))


def make_method(cfg: RunConfig, nets: Nets) -> MGD:
    """The method over copies of these networks."""
    teachers = {"wide": copy.deepcopy(nets.wide), "deep": copy.deepcopy(nets.deep)}
    method = build_method(cfg, CLASSES, teachers)
    method.student.load_state_dict(nets.student.state_dict())
    return method.train()


def make_batch(crop: int, images: int, unlabelled: int, dtype: torch.dtype = torch.float32) -> Batch:
    """Noise to look at, and labels of a few hundred large patches, some of them ignored."""
    make = torch.Generator().manual_seed(1)
    noise = torch.randn(images + unlabelled, 3, crop, crop, generator=make).to(dtype)
    patches = torch.randint(0, CLASSES + 1, (images, 1, 16, 16), generator=make).float()
    masks = nn.functional.interpolate(patches, size=crop)[:, 0].long()
    masks[masks == CLASSES] = IGNORE
    every = torch.ones(unlabelled, crop, crop, dtype=torch.bool)
    return Batch(noise[:images], masks, noise[images:], noise.new_zeros(unlabelled, 0, 3, crop, crop), every)


def shown_plainly(batch: Batch, cfg: RunConfig) -> Images:
    """What the plain step sees where a method sees `batch` and draws its boxes with `progress()`."""
    paste = french_cutmix(batch.weak, progress().rng, cfg.method.overlap, cfg.method.partner)
    return Images(batch.images, batch.masks, *paste.pair(batch.weak), paste.inside[:, None].to(batch.weak.dtype))


def progress() -> Progress:
    """The same boxes at every call."""
    return Progress(0, 1, np.random.default_rng(0))


def gradient_difference(size: str, crop: int, batch: int) -> float:
    """Norm of the difference between both gradients of the student, over the norm of the plain one, in float64."""
    cfg = make_config(size, crop, batch, "gradient")
    nets, shown = make_nets(cfg), make_batch(crop, batch, 2 * batch, torch.float64)
    method = make_method(cfg, nets).double()
    nets = Nets(*(net.double() for net in nets)).plain()
    plain_loss(nets, shown_plainly(shown, cfg), cfg.method).backward()
    method(shown, progress()).loss.backward()
    expected, ours = (nn.utils.parameters_to_vector(p.grad for p in net.parameters())
                      for net in (nets.student, method.student))  # fmt: skip
    return ((ours - expected).norm() / expected.norm()).item()


def make_steps(size: str, crop: int, batch: int) -> dict[str, Callable[[], None]]:
    """Training steps with SGD: the plain one and both forms of the kit's."""
    official, fixed = (make_config(size, crop, batch, form) for form in FORMS)
    nets = make_nets(official)
    four, two = make_batch(crop, batch, 2 * batch), make_batch(crop, batch, batch)
    methods = {form: make_method(cfg, nets) for form, cfg in zip(FORMS, (official, fixed), strict=True)}
    for method in methods.values():
        method.to(memory_format=torch.channels_last)
    shown, plainly = shown_plainly(four, official), nets.plain()
    losses = {
        "plain": (nets.student, lambda: plain_loss(plainly, shown, official.method)),
        "gradient": (methods["gradient"].student, lambda: methods["gradient"](four, progress()).loss),
        "fixed": (methods["fixed"].student, lambda: methods["fixed"](two, progress()).loss),
    }
    return {name: _step(student, loss) for name, (student, loss) in losses.items()}


def _step(student: nn.Module, loss: Callable[[], Tensor]) -> Callable[[], None]:
    optimizer = torch.optim.SGD(student.parameters(), lr=1e-9, momentum=0.9, weight_decay=1e-4)

    def step() -> None:
        loss().backward()
        optimizer.step()
        optimizer.zero_grad()

    return step
