"""Drawn scenes and the smallest networks, from random weights: for trying the machinery, and for tests."""

from kit.settings.ablations import official
from kit.settings.recipes.parts import method_settings, plain_network, renamed
from kit.settings.run import DataConfig, EvalConfig, MethodConfig, ModelConfig, OptimConfig, RunConfig, TrainConfig


def tiny(method: str) -> RunConfig:
    """Drawn street scenes and the smallest networks, from random weights: for trying the machinery, and for tests."""
    return RunConfig(
        recipe="tiny",
        method=_small_method(method),
        student=_small("tinyvit_demo"),
        pretrained=False,
        data=DataConfig(dataset="synthetic", root="data/synthetic", split="splits/synthetic/1_16",
                        base_size=(96, 192), crop=(96, 96), scale=(0.75, 1.5), jitter=0.1,
                        labelled=8, unlabelled=8, cache=True, observe=True),
        optim=OptimConfig(name="adamw", lr=3e-3, weight_decay=0.01, warmup=20, clip=5.0),
        train=TrainConfig(steps=300, log_every=10, eval_every=100, checkpoint_every=50, ema_decay=0.98,
                          keep_views=True),
        evaluate=EvalConfig(batch=4),
        run_dir=f"runs/tiny/{method}",
    )  # fmt: skip


def tiny_official(method: str) -> RunConfig:
    """`tiny` with every switch as in the code of TriKD's authors."""
    grid = {"method.vit.grid": [6, 6]} if method == "trikd" else {}
    return renamed(tiny(method), "tiny_official", official(method) | grid)


def _small(name: str) -> ModelConfig:
    # A fixed radius of 10 bins passes nearly everything on maps this small; with so few channels, dropout would hurt.
    return plain_network(name, d0_relative=True)


def _small_method(name: str) -> MethodConfig:
    """Settings of a method for the smallest networks.

    The weights of losses on unlabelled images ramp up over the first half of a run, because pseudo labels from randomly
    initialised networks are useless at first. Methods with finished teachers need no ramp. TriKD's weights are the
    published ones; CPS's published 1.5 is for pretrained networks and is lowered.
    """
    everywhere = {"ohem_min_kept": 28_000, "ramp": 0.5, "teacher_cps_weight": 0.2, "teacher_ramp": 0.5,
                  "deep_net": plain_network("deeplab_deep_demo"),
                  "wide_net": plain_network("deeplab_wide_demo")}  # fmt: skip
    return method_settings(name, everywhere, cps={"cps_weight": 0.2}, distill={"ramp": 0.0}, mgd={"ramp": 0.0},
                           trikd={"cnn": _small("resnet_demo"), "vit": _small("deit_demo")})  # fmt: skip
