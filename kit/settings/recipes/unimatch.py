"""UniMatch's published settings, and every other method in the same setting; listed in `kit.settings.recipes`."""

from functools import partial

from kit.settings.checks import require_choice
from kit.settings.fields import replace_fields
from kit.settings.recipes.parts import plain_network, published_method, published_run, steps_of_four_gpus, switches_for
from kit.settings.run import ModelConfig, OptimConfig, RunConfig

SPLITS = {
    "voc": {"92": 10490, "183": 10399, "366": 10216, "732": 9850, "1464": 9118, "1_16": 9920, "1_8": 9259, "1_4": 7936,
            "u2pl_1_16": 9920, "u2pl_1_8": 9259, "u2pl_1_4": 7936},
    "cityscapes": {"1_30": 2875, "1_16": 2789, "1_8": 2603, "1_4": 2231, "1_2": 1487},
}  # fmt: skip
"""Data set -> the authors' name of a split -> number of its unlabelled images."""

OFFICIAL = {
    "method.partner_pass": "eval",
    "method.feature_images": "all",
    "optim.lag": 1,
    "optim.decay_all": True,
}
"""Settings of the authors' code that differ from this kit's defaults."""


def unimatch_voc(split: str = "732", method: str = "unimatch") -> RunConfig:
    """UniMatch on Pascal VOC: crops of 321, SGD at 0.001 and ten times that for the head, 80 epochs, plain cross
    entropy, pseudo labels with a probability of at least 0.95, whole images in evaluation.

    DeepLabv3+ on ResNet-101 with the deep stem at output stride 16, eight labelled and eight unlabelled images per
    step (the authors: two and two on each of four GPUs), every switch as in the authors' code (`OFFICIAL`).

    Known differences. The authors' head starts from torch's default weights (here from Kaiming's), and their padding is
    black (here the mean colour). They do not pad in evaluation; here an image is padded to a multiple of 16, for
    example a window of 801 to 816. Their last window at the edge of an image is narrower; here it is flush with the
    edge. Their supervised row has twice as many labelled images per step; here all rows have the same.

    Args:
        split: the authors' name of their lists, a key of `SPLITS["voc"]`. They are looked for in
            `splits/voc/unimatch_SPLIT`, where `python -m kit splits import` writes them.
        method: any key of `METHOD_CONFIGS`, for other rows of the same table.
    """
    return _published("voc", split, method)


def unimatch_cityscapes(split: str = "1_16", method: str = "unimatch") -> RunConfig:
    """UniMatch on Cityscapes: crops of 801, SGD at 0.005 for the whole network (in the authors' configuration the head
    has no separate rate), 240 epochs, OHEM that keeps 800,000 pixels per step (200,000 on each of four GPUs), pseudo
    labels of any probability, windows of 801 with averaged probabilities. The rest, and the arguments, as in
    `unimatch_voc`."""
    return _published("cityscapes", split, method)


def _published(dataset: str, split: str, method: str) -> RunConfig:
    require_choice(tuple(SPLITS[dataset]), split=split)
    city = dataset == "cityscapes"
    student = plain_network("deeplab_resnet101")
    # TriKD's own CNN would need sides that are multiples of 32, and so would its ViT without `input_scale`.
    trikd = {"high_weight": 0.0, "ohem_min_kept": 800_000, "cnn": student,
             "vit": ModelConfig(name="deit_b", input_scale=1.0)}  # fmt: skip
    cfg = published_run(
        f"unimatch_{dataset}_{split}",
        published_method(method, dataset, 800_000 if city else 0, trikd=trikd),
        student,
        OptimConfig(name="sgd", lr=0.005 if city else 0.001, decoder_lr=1.0 if city else 10.0, weight_decay=1e-4),
        dataset=dataset, split=f"splits/{dataset}/unimatch_{split}", crop=801 if city else 321, batch=8,
        steps=steps_of_four_gpus(240 if city else 80, SPLITS[dataset][split]),
    )  # fmt: skip
    return replace_fields(cfg, switches_for(cfg, OFFICIAL))


UNIMATCH_RECIPES = {
    f"{make.__name__}_{split}": partial(make, split)
    for make, dataset in ((unimatch_voc, "voc"), (unimatch_cityscapes, "cityscapes"))
    for split in SPLITS[dataset]
}
"""Name -> function of a method: "unimatch_voc_732", "unimatch_cityscapes_1_16"."""
