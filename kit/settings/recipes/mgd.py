"""MGD's published settings, and every other method in the same setting; listed in `RECIPES`."""

from collections.abc import Callable
from functools import partial

from kit.settings.checks import require_choice
from kit.settings.recipes.parts import plain_network, published_method, published_run, renamed, switches_for
from kit.settings.run import OptimConfig, RunConfig

STUDENTS, SHARES = ("resnet18", "mobilenetv2"), ("1_16", "1_8", "1_4", "1_2")

EPOCHS = {"cityscapes": (128, 137, 160, 240), "voc": (32, 34, 40, 60)}
"""Epochs over the longer of the two lists, by share. The authors' code gives 137 and 34 (1/8); the other values for
Cityscapes belong to this family of recipes, and those for VOC keep the same proportions."""

SUM_WEIGHT = {("cityscapes", "resnet18"): 0.001, ("voc", "resnet18"): 0.002, ("voc", "mobilenetv2"): 0.0005,
              ("cityscapes", "mobilenetv2"): 0.00025}  # fmt: skip
"""Published multiplier on the image term as a sum; the last one is not published and keeps VOC's proportion."""

OF_A_PROCESS = 2
"""Images per process in this sum, which also runs over the classes: 16 on eight GPUs, 8 on four."""

RATE = {("cityscapes", "resnet18"): 0.0025, ("voc", "resnet18"): 0.0025, ("voc", "mobilenetv2"): 0.0035,
        ("cityscapes", "mobilenetv2"): 0.0025}  # fmt: skip
"""The effective rate of the authors' runs, for a loss that is a mean over all images; the last one is not published.

Their configuration says 0.02, 0.01 and 0.014. But they sum each loss over W processes, divide it by W and differentiate
the result, which divides a process's gradient by W before it is averaged over processes. The effective rate is thus the
written rate over W. Weight decay is not divided, so it is W times as strong relative to the gradient (`DECAY`). The
kit's own recipes use these values too, because the published results were obtained with them."""

DECAY = {"cityscapes": 8e-4, "voc": 4e-4}
"""Effective weight decay, written as 1e-4; W is 8 on Cityscapes and 4 on VOC."""

TEACHER_RATE = {"cityscapes": {"deep_lr": 0.0025, "wide_lr": 0.0025}, "voc": {"deep_lr": 0.0025, "wide_lr": 0.001}}
"""Effective base rates of the teachers; written as 0.02, and on VOC as 0.01 and 0.004."""

TEACHER_BATCH = 8
"""The authors' batch for both teachers on both data sets."""

CLASSES = {"cityscapes": 19, "voc": 21}

IMAGES = {"cityscapes": 2975, "voc": 10582}
"""Training images."""

OFFICIAL = {
    "method.image_reduction": "sum",
    "method.overlap": "invert",
    "method.partner": "halves",
    "method.padding": "taught",
    "method.passes": "separate",
    "method.teacher_norm": "batch",
    "method.unmixed_passes": True,
    **{
        f"{net}.{name}": value
        for net in ("student", "method.deep_net", "method.wide_net")
        for name, value in (("head", "official"), ("encoder", "official"), ("classifier", "kaiming"))
    },
    "method.teacher_batch": TEACHER_BATCH,
    "data.discrete_scales": [0.5, 0.75, 1.0, 1.5, 1.75, 2.0],
    "evaluate.combine": "logits",
    "evaluate.pad": "centre",
}
"""Settings of the authors' code that differ from this kit's defaults. `mgd_official_*` also set their image weight,
twice as many unlabelled images (for halves), the same number of epochs for teachers with a smaller batch, and on VOC
windows of 512."""


def mgd_cityscapes(student: str = "resnet18", share: str = "1_8", method: str = "mgd") -> RunConfig:
    """MGD on Cityscapes: crops of 800, SGD at the effective rate of the authors' runs (`RATE`), 16 labelled and 16
    unlabelled images per step.

    OHEM keeps 800,000 pixels of a step, where the authors keep 100,000 on each of eight GPUs. Scales are uniform in
    0.5..2.0, where the authors draw from six of them. Teachers that have to be trained use the student's batch,
    where the authors used 8. The split is the kit's own draw; for a paper's lists, name their folder in `data.split`.

    Args:
        student: "resnet18" or "mobilenetv2" (whose setting on Cityscapes is not published).
        share: labelled share, "1_16", "1_8", "1_4" or "1_2".
        method: any key of `METHOD_CONFIGS`, for other rows of the same table.
    """
    return _published("cityscapes", IMAGES["cityscapes"], student, share, method)


def mgd_voc(student: str = "resnet18", share: str = "1_8", method: str = "mgd") -> RunConfig:
    """MGD on Pascal VOC's 10,582 training images: crops of 512, eight labelled and eight unlabelled images per
    step. Evaluation uses whole images (the authors pad them to 512 x 512). Arguments as in `mgd_cityscapes`."""
    return _published("voc", IMAGES["voc"], student, share, method)


def mgd_voc_classic(student: str = "resnet18", share: str = "1_8", method: str = "mgd") -> RunConfig:
    """`mgd_voc` on the lists that the authors call PseudoSeg's: shares of VOC's own 1,464 images, the rest of which are
    unlabelled.

    Users must put the lists into `splits/voc/pseudoseg_SHARE`. The authors' files name one image in both lists; remove
    it from the unlabelled one. Arguments as in `mgd_cityscapes`.
    """
    cfg = _published("voc", 1464, student, share, method)
    return renamed(cfg, f"mgd_voc_classic_{student}_{share}", {"data.split": f"splits/voc/pseudoseg_{share}"})


def official(recipe: Callable[..., RunConfig], student: str = "resnet18", share: str = "1_8",
             method: str = "mgd") -> RunConfig:  # fmt: skip
    """A recipe of this file with every switch as in MGD's code; other methods get the switches of the same name.

    On VOC their evaluation slides windows of 512 too; VOC's images are smaller, so each is one window.
    """
    cfg = recipe(student, share, method)
    changes = switches_for(cfg, OFFICIAL)
    if "method.partner" in changes:  # halves
        changes["data.unlabelled"] = 2 * cfg.data.unlabelled
    if "method.teacher_batch" in changes and cfg.data.labelled != TEACHER_BATCH:
        changes["method.teacher_steps"] = _steps(cfg.data.dataset, IMAGES[cfg.data.dataset], share, TEACHER_BATCH)
    if cfg.evaluate.mode == "whole":
        changes |= {"evaluate.mode": "slide", "evaluate.window": cfg.data.crop}
    if method == "mgd":
        changes["method.image_weight"] = SUM_WEIGHT[cfg.data.dataset, student] * OF_A_PROCESS
    return renamed(cfg, cfg.recipe.replace("mgd_", "mgd_official_", 1), changes)


def _steps(dataset: str, images: int, share: str, batch: int) -> int:
    """Steps of the published epochs over the unlabelled images, which are the longer list."""
    unlabelled = images - images // int(share.removeprefix("1_"))
    return EPOCHS[dataset][SHARES.index(share)] * (unlabelled // batch)


def _published(dataset: str, images: int, student: str, share: str, method: str) -> RunConfig:
    require_choice(STUDENTS, student=student)
    require_choice(SHARES, share=share)
    city = dataset == "cityscapes"
    batch = 16 if city else 8
    image_weight = round(SUM_WEIGHT[dataset, student] * OF_A_PROCESS * CLASSES[dataset], 6)
    region_weight = 50.0 if student == "mobilenetv2" else 100.0
    own = {"distill": TEACHER_RATE[dataset],
           "mgd": {**TEACHER_RATE[dataset], "image_weight": image_weight, "region_weight": region_weight}}  # fmt: skip
    return published_run(
        f"mgd_{dataset}_{student}_{share}",
        published_method(method, dataset, 50_000 * batch if city else 0, **own),
        plain_network(f"deeplab_{student}"),
        OptimConfig(name="sgd", lr=RATE[dataset, student], weight_decay=DECAY[dataset]),
        dataset=dataset, split=share, crop=800 if city else 512, batch=batch,
        steps=_steps(dataset, images, share, batch),
    )  # fmt: skip


def _named(recipe: Callable[..., RunConfig]) -> dict[str, Callable[[str], RunConfig]]:
    """Both forms of a recipe, for every student and share."""
    theirs = recipe.__name__.replace("mgd_", "mgd_official_", 1)
    return {
        f"{name}_{student}_{share}": partial(make, student, share)
        for name, make in ((recipe.__name__, recipe), (theirs, partial(official, recipe)))
        for student in STUDENTS
        for share in SHARES
    }


MGD_RECIPES = _named(mgd_cityscapes) | _named(mgd_voc) | _named(mgd_voc_classic)
"""Name -> function of a method: "mgd_voc_resnet18_1_8" with this kit's settings, "mgd_official_voc_..." with the
authors'."""
