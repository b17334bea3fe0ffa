"""Which formats a run computes in, and what is the same on every device there is."""

from pathlib import Path

import numpy as np
import pytest
import torch

from kit.errors import KitError
from kit.evaluate.scores.calibration import calibration_counts
from kit.losses.supervised import kth_smallest, selected
from kit.models.decoders.frequency import band_mean
from kit.settings.run import EvalConfig, TrainConfig
from kit.system import precision
from kit.types import IGNORE

DEVICES = [
    "cpu",
    *(pytest.param(name, marks=pytest.mark.gpu) for name in ("cuda", "mps") if getattr(torch, name).is_available()),
]
"""Those of this machine."""


@pytest.fixture
def no_gpu(monkeypatch):
    """Torch's answers on a machine without a GPU."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


def cpu_says(monkeypatch, avx512_bf16: bool | None, amx: bool | None) -> None:
    """Replace torch's probes; None: a torch without that probe."""
    answers = {"_is_avx512_bf16_supported": avx512_bf16, "_is_amx_tile_supported": amx}
    for name, answer in answers.items():
        monkeypatch.setattr(torch.cpu, name, lambda answer=answer: answer, raising=False)
        if answer is None:
            monkeypatch.delattr(torch.cpu, name)


@pytest.mark.parametrize(
    ("avx512_bf16", "amx", "expected"),
    [(True, False, "bf16"), (False, True, "bf16"), (False, False, "fp32"), (True, None, "bf16"), (None, None, "fp32")],
)
def test_auto_is_bfloat16_on_cpus_that_support_it(monkeypatch, no_gpu, avx512_bf16, amx, expected):
    cpu_says(monkeypatch, avx512_bf16, amx)
    assert precision.resolve("auto") == expected
    assert [precision.resolve(named) for named in ("fp32", "bf16")] == ["fp32", "bf16"]
    with pytest.raises(KitError, match='"fp16" needs a CUDA GPU'):
        precision.resolve("fp16")


def test_a_mac_with_a_gpu_stays_in_float32(monkeypatch, no_gpu):
    cpu_says(monkeypatch, True, True)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert precision.resolve("auto") == "fp32"


def test_the_probes_agree_with_the_cpu_flags_of_linux():
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    flags = next((line for line in lines if line.startswith("flags")), "").split()
    assert precision.cpu_has_bfloat16() == any(flag in flags for flag in ("avx512_bf16", "amx_tile"))


def test_wrong_names_raise_with_the_choices():
    with pytest.raises(KitError, match=r"train.precision.*auto, fp32, bf16, fp16"):
        TrainConfig(precision="half")
    with pytest.raises(KitError, match=r"evaluate.precision.*fp32, bf16"):
        EvalConfig(precision="auto")


def test_copies_of_weights_made_without_gradient_are_not_cached():
    layer, x = torch.nn.Linear(3, 2), torch.randn(4, 3)
    with torch.autocast("cpu", torch.bfloat16):
        with precision.no_gradient():
            assert not torch.is_grad_enabled() and not torch.is_autocast_cache_enabled()
            layer(x)
        assert torch.is_grad_enabled() and torch.is_autocast_cache_enabled()
        layer(x).sum().backward()
    assert layer.weight.grad.abs().sum() > 0


def test_a_gpu_computes_float32_in_float32_and_its_settings_are_restored():
    cudnn, products = torch.backends.cudnn, torch.backends.cuda.matmul

    def settings():
        return cudnn.benchmark, cudnn.allow_tf32, products.allow_tf32

    before = settings()
    for one_size in (True, False):
        with precision.gpu_settings(torch.device("cuda"), one_size):
            assert settings() == (one_size, False, False)
        with precision.gpu_settings(torch.device("cpu"), one_size):
            assert settings() == before
    assert settings() == before


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("k", [1, 2, 400, 600, 1000])
def test_the_kth_smallest_on_every_device(device, k):
    values = torch.randn(1000).masked_fill(torch.arange(1000) == 500, float("nan"))
    expected = values.sort().values[k - 1]
    for found in (kth_smallest(values.to(device), k), selected(values, k)):
        assert torch.equal(found.cpu(), expected) if k < 1000 else not found.isfinite()


@pytest.mark.parametrize("device", DEVICES)
def test_bands_and_calibration_on_every_device(device):
    x = torch.randn(2, 3, 8, 6)
    mean = band_mean(x.to(device), "high", (2.0, 3.0), official=True)
    torch.testing.assert_close(mean.cpu().double(), band_mean(x.double(), "high", (2.0, 3.0), True), rtol=1e-5, atol=0)
    p, truth = x.softmax(1), torch.randint(0, 3, (2, 8, 6))
    truth[:, :2] = IGNORE
    counts = calibration_counts(p.to(device), truth.to(device), 5)
    confidence, prediction = p.max(1)
    kept = (truth != IGNORE).numpy()
    assert counts.device.type == "cpu" and counts.dtype == torch.float64
    expected = (kept.sum(), confidence.numpy()[kept].sum(dtype=np.float64), (prediction == truth).numpy()[kept].sum())
    assert counts.sum(0).tolist() == pytest.approx(expected, rel=1e-12 if device == "cpu" else 1e-5)
