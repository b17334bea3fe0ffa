"""The protocol of an evaluation: as a sentence beside a score, and as fields that can be compared."""

import math
from dataclasses import asdict

from kit.settings.run import EvalConfig

WHOLE = EvalConfig()
"""Whole images, one scale, no flip."""


def sentence(cfg: EvalConfig) -> str:
    """The protocol in words; equal for two results only if they were computed in the same way."""
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
    """The protocol as plain values for JSON, with the stride that "slide" uses, and without `batch` and `windows`,
    which change only the speed."""
    plain = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(cfg).items()}
    plain["stride"] = list(stride_of(cfg)) if cfg.window else None
    return {name: value for name, value in plain.items() if name not in ("batch", "windows")}


def is_plain(cfg: EvalConfig) -> bool:
    """Whether each pixel is predicted once, so that nothing is averaged."""
    return cfg.mode == "whole" and cfg.scales == (1.0,) and not cfg.flip


def stride_of(cfg: EvalConfig) -> tuple[int, int]:
    """(height, width) from one window to the next, for a protocol with a window."""
    return cfg.stride or tuple(math.ceil(side * 2 / 3) for side in cfg.window)
