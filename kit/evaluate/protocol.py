"""What was asked of a network to get a number: in words that stand beside it, and as fields that can be compared."""

import math

from kit.settings.run import EvalConfig

WHOLE = EvalConfig()
"""Whole images, one scale, no flip."""


def sentence(cfg: EvalConfig) -> str:
    """The protocol in words; equal for two results only if they were made in the same way."""
    if cfg.mode == "whole":
        shown = "whole image"
    else:
        (height, width), (down, right) = cfg.window, stride_of(cfg)
        shown = f"sliding windows of {height} x {width}, stride {down} x {right}"
    scales = "single scale" if cfg.scales == (1.0,) else "scales " + ", ".join(f"{scale:g}" for scale in cfg.scales)
    averaged = "" if is_plain(cfg) else f"{cfg.combine} averaged, "
    averaged = averaged if cfg.precision == "fp32" else f"{cfg.precision}, {averaged}"
    shown += ", small images centred" if cfg.pad == "centre" else ""
    return f"{shown}, {scales}, {'flip' if cfg.flip else 'no flip'}, {averaged}one confusion matrix"


def record(cfg: EvalConfig) -> dict:
    """The same as plain values for JSON."""
    return {
        "mode": cfg.mode,
        "window": list(cfg.window) if cfg.window else None,
        "stride": list(stride_of(cfg)) if cfg.window else None,
        "flip": cfg.flip,
        "scales": list(cfg.scales),
        "combine": cfg.combine,
        "pad": cfg.pad,
        "precision": cfg.precision,
        "limit": cfg.limit,
        "bins": cfg.bins,
        "boundary": cfg.boundary,
        "resamples": cfg.resamples,
    }


def is_plain(cfg: EvalConfig) -> bool:
    """Whether each pixel is asked about once, so that nothing is averaged."""
    return cfg.mode == "whole" and cfg.scales == (1.0,) and not cfg.flip


def stride_of(cfg: EvalConfig) -> tuple[int, int]:
    """(height, width) from one window to the next; of whole images there is none, and the window has to be set."""
    return cfg.stride or tuple(math.ceil(side * 2 / 3) for side in cfg.window)
