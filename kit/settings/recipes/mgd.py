"""MGD's published settings, and those of every method beside it; listed in `RECIPES`."""

from collections.abc import Callable
from functools import partial

from kit.settings.checks import require_choice
from kit.settings.recipes.parts import plain_network, published_method, published_run, renamed, switches_for
from kit.settings.run import OptimConfig, RunConfig

STUDENTS, SHARES = ("resnet18", "mobilenetv2"), ("1_16", "1_8", "1_4", "1_2")

EPOCHS = {"cityscapes": (128, 137, 160, 240), "voc": (32, 34, 40, 60)}
"""Over the longer of the two lists, by share. The authors say 137 and 34 (1/8) in their code; the others of Cityscapes
belong to this family of recipes, those of VOC keep the same proportions."""

SUM_WEIGHT = {("cityscapes", "resnet18"): 0.001, ("voc", "resnet18"): 0.002, ("voc", "mobilenetv2"): 0.0005,
              ("cityscapes", "mobilenetv2"): 0.00025}  # fmt: skip
"""Published multiplier on the image term as a sum; the last is not published, and keeps VOC's proportion."""

OF_A_PROCESS = 2
"""Images that this sum is over, besides the classes: 16 on eight GPUs, 8 on four."""

RATE = {("cityscapes", "resnet18"): 0.0025, ("voc", "resnet18"): 0.0025, ("voc", "mobilenetv2"): 0.0035,
        ("cityscapes", "mobilenetv2"): 0.0025}  # fmt: skip
"""The rate that acts in the authors' runs, for a loss that is a mean over all images; the last is not published.

Theirs is written as 0.02, 0.01 and 0.014. But they sum each loss over W processes, divide it by W and differentiate
the result, which divides a process's gradient by W before it is averaged over processes. So the gradient acts at the
written rate over W. Weight decay is not divided, so it is W times as strong beside it (`DECAY`). The kit's own form of
a recipe has these values too, because the published figures were made with them."""

DECAY = {"cityscapes": 8e-4, "voc": 4e-4}
"""Written as 1e-4; W is 8 on Cityscapes and 4 on VOC."""

TEACHER_RATE = {"cityscapes": {"deep_lr": 0.0025, "wide_lr": 0.0025}, "voc": {"deep_lr": 0.0025, "wide_lr": 0.001}}
"""Base rates of the teachers; written as 0.02, and on VOC as 0.01 and 0.004."""

TEACHER_BATCH = 8
"""The authors' for both teachers on both data sets."""

CLASSES = {"cityscapes": 19, "voc": 21}

IMAGES = {"cityscapes": 2975, "voc": 10582}
"""For training."""

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
"""What the authors' code does where this kit's default is something else; their image weight, twice as many unlabelled
images (for halves), as many epochs for teachers of a smaller batch, and on VOC windows of 512 come with it in
`mgd_official_*`."""


def mgd_cityscapes(student: str = "resnet18", share: str = "1_8", method: str = "mgd") -> RunConfig:
    """MGD on Cityscapes: crops of 800, SGD at the rate that acts in the authors' runs (`RATE`), 16 labelled and 16
    unlabelled images a step.

    OHEM keeps 800,000 pixels of a step, where the authors keep 100,000 on each of eight GPUs. Scales are uniform in
    0.5..2.0, where the authors draw from six of them. Teachers, if they have to be trained, get the student's batch,
    where theirs had 8. The split is the kit's own draw; for a paper's lists, name their folder in `data.split`.

    Args:
        student: "resnet18" or "mobilenetv2" (whose setting on Cityscapes is not published).
        share: labelled share, "1_16", "1_8", "1_4" or "1_2".
        method: any key of `METHOD_CONFIGS`, for other rows of the same table.
    """
    return _published("cityscapes", IMAGES["cityscapes"], student, share, method)


def mgd_voc(student: str = "resnet18", share: str = "1_8", method: str = "mgd") -> RunConfig:
    """MGD on Pascal VOC's 10,582 training images: crops of 512, eight labelled and eight unlabelled images a step.
    Evaluation shows whole images (the authors pad them to 512 x 512). Arguments as of `mgd_cityscapes`."""
    return _published("voc", IMAGES["voc"], student, share, method)


def mgd_voc_classic(student: str = "resnet18", share: str = "1_8", method: str = "mgd") -> RunConfig:
    """`mgd_voc` on the lists that its authors call PseudoSeg's: shares of VOC's own 1,464 images, the rest of them
    unlabelled.

    The lists are looked for in `splits/voc/pseudoseg_SHARE`, where users put them; the authors' files name
    one image in both lists, which has to be taken out of the unlabelled one. Arguments as of `mgd_cityscapes`.
    """
    cfg = _published("voc", 1464, student, share, method)
    return renamed(cfg, f"mgd_voc_classic_{student}_{share}", {"data.split": f"splits/voc/pseudoseg_{share}"})


def official(recipe: Callable[..., RunConfig], student: str = "resnet18", share: str = "1_8",
             method: str = "mgd") -> RunConfig:  # fmt: skip
    """A recipe of this file with every switch as MGD's authors have it; for other methods, those of the same name.

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
    """Of the published epochs over the unlabelled images, the longer list."""
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
"""Name -> function of a method: "mgd_voc_resnet18_1_8" as this kit has it, "mgd_official_voc_..." as its authors do."""
