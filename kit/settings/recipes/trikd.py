"""TriKD's published settings (Li et al., IEEE TMM 2025), and every other method in the same setting."""

import math
from functools import partial

from kit.settings.ablations import official
from kit.settings.checks import require_choice
from kit.settings.recipes.parts import published_method, published_run, renamed, steps_of_four_gpus
from kit.settings.run import ModelConfig, OptimConfig, RunConfig

SIZES, SHARES = ("11m", "21m"), ("1_16", "1_8", "1_4", "1_2")


def trikd_cityscapes(size: str = "21m", share: str = "1_8", method: str = "trikd") -> RunConfig:
    """TriKD on Cityscapes with this kit's corrections: 300 epochs over the unlabelled images, crops of 512, SGD at
    0.005, eight labelled and eight unlabelled images per step (the authors: two and two on each of four GPUs).

    OHEM keeps 800,000 pixels of a step, where the authors keep 200,000 on each GPU. The split is the kit's own draw;
    for the lists of a paper, name their folder in `data.split`.

    Args:
        size: size of the student, "11m" or "21m".
        share: labelled share, "1_16", "1_8", "1_4" or "1_2".
        method: any key of `METHOD_CONFIGS`, for other rows of the same table.
    """
    return _published("cityscapes", 2975, 300, size, share, method)


def trikd_official_cityscapes(size: str = "21m", share: str = "1_8", method: str = "trikd") -> RunConfig:
    """`trikd_cityscapes` with every switch as in the authors' code (`kit.settings.ablations.OFFICIAL`), and windows
    combined by logits, as in their eval.py."""
    cfg = trikd_cityscapes(size, share, method)
    changes = {**official(method), "evaluate.combine": "logits"}
    return renamed(cfg, f"trikd_official_cityscapes_{size}_{share}", changes)


def trikd_voc(size: str = "21m", share: str = "1_8", method: str = "trikd") -> RunConfig:
    """TriKD on Pascal VOC's 10,582 training images. The authors published settings only for Cityscapes; this uses
    them with 80 epochs, which are customary on VOC. Arguments as in `trikd_cityscapes`."""
    return _published("voc", 10582, 80, size, share, method)


def _published(dataset: str, images: int, epochs: int, size: str, share: str, method: str) -> RunConfig:
    require_choice(SIZES, size=size)
    require_choice(SHARES, share=share)
    labelled = math.ceil(images / int(share.removeprefix("1_")))
    steps = steps_of_four_gpus(epochs, images - labelled)
    own = {"cps": {}, "trikd": {"low_weight": {"11m": 0.9, "21m": 0.5}[size]}}  # CPS without CutMix, as in the paper
    return published_run(
        f"trikd_{dataset}_{size}_{share}",
        published_method(method, dataset, 800_000, **own),
        ModelConfig(name=f"tinyvit_{size}"),
        OptimConfig(name="sgd", lr=0.005, weight_decay=1e-4),
        dataset=dataset, split=share, crop=512, batch=8, steps=steps, eval_every=steps // 30,
    )  # fmt: skip


TRIKD_RECIPES = {
    f"{f.__name__}_{size}_{share}": partial(f, size, share)
    for f in (trikd_cityscapes, trikd_official_cityscapes, trikd_voc)
    for size in SIZES
    for share in SHARES
}
