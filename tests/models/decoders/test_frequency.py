import math

import pytest
import torch

from kit.errors import KitError
from kit.models.decoders import frequency
from kit.models.decoders.frequency import (
    FrequencySelect,
    band_magnitude,
    band_mean,
    gaussian_circulant,
    gaussian_split,
    official_split,
)


def low_by_fft(x, radius_h, radius_w):
    """The definition: multiply the spectrum with the Gaussian around its exact zero frequency."""
    h, w = x.shape[-2:]
    v = torch.fft.fftfreq(h, 1 / h, dtype=torch.float64)[:, None] / radius_h
    u = torch.fft.fftfreq(w, 1 / w, dtype=torch.float64) / radius_w
    return torch.fft.ifft2(torch.fft.fft2(x) * torch.exp(-(u**2 + v**2) / 2)).real


SIZES = [(16, 16), (15, 8), (1, 9), (32, 64)]
on_both_paths = pytest.mark.parametrize("path", ["matmul", "fft"])


@on_both_paths
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("d0", [1.0, 10.0, 100.0])
def test_either_path_equals_the_fourier_filter(size, d0, path):
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    low, high = gaussian_split(x, (d0, 2 * d0), path)
    torch.testing.assert_close(low, low_by_fft(x, d0, 2 * d0), rtol=0, atol=1e-12)
    torch.testing.assert_close(low + high, x)


def bands_as_the_authors_have_them(x, d0):
    """Shift the spectrum, multiply with a Gaussian around ((H - 1) // 2, (W - 1) // 2), shift and transform back."""
    h, w = x.shape[-2:]
    v, u = (torch.arange(n, dtype=torch.float64) - (n - 1) // 2 for n in (h, w))
    gaussian = torch.exp(-(v[:, None] ** 2 + u**2) / (2 * d0**2))
    spectrum = torch.fft.fftshift(torch.fft.fft2(x), dim=(-2, -1))
    return [torch.fft.ifft2(torch.fft.ifftshift(spectrum * g, dim=(-2, -1))) for g in (gaussian, 1 - gaussian)]


@on_both_paths
@pytest.mark.parametrize("size", SIZES)
def test_the_official_centre_is_the_authors(size, path):
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    for part, expected in zip(official_split(x, (3.0, 3.0), path), bands_as_the_authors_have_them(x, 3.0), strict=True):
        torch.testing.assert_close(part, expected, rtol=0, atol=1e-12)


@on_both_paths
@pytest.mark.parametrize("split", [gaussian_split, official_split])
def test_an_infinite_radius_lets_everything_pass_as_low(split, path):
    x = torch.randn(1, 2, 6, 8)
    low, high = split(x, (math.inf, math.inf), path)
    torch.testing.assert_close(low.abs(), x.abs())
    assert high.abs().max() < 1e-6
    assert not gaussian_split(x, (math.inf, math.inf), path)[1].any()


@on_both_paths
@pytest.mark.parametrize("centre", ["exact", "official"])
@pytest.mark.parametrize("band", ["low", "high"])
def test_gradients_through_the_selection(centre, path, band):
    select = FrequencySelect(2, 3, band, d0=1.5, centre=centre, path=path).double()
    assert torch.autograd.gradcheck(select, torch.randn(1, 2, 4, 6, dtype=torch.float64, requires_grad=True))
    flat = torch.zeros(1, 2, 4, 6, dtype=torch.float64, requires_grad=True)  # the magnitude has a corner there
    select(flat).sum().backward()
    assert flat.grad.isfinite().all()


def test_the_path_goes_by_size_unless_it_is_named(monkeypatch):
    monkeypatch.setattr(frequency, "LARGEST_PRODUCT", 8)
    monkeypatch.setattr(torch.fft, "rfft2", None)
    x = torch.randn(1, 1, 8, 8)
    gaussian_split(x, (1.0, 1.0))
    gaussian_split(torch.randn(1, 1, 8, 9), (1.0, 1.0), "matmul")
    with pytest.raises(TypeError):
        gaussian_split(torch.randn(1, 1, 8, 9), (1.0, 1.0))
    with pytest.raises(KitError, match="auto, matmul, fft, got 'fast'"):
        gaussian_split(x, (1.0, 1.0), "fast")


def test_of_a_non_negative_map_the_low_part_keeps_sign_and_mean():
    x = torch.rand(2, 3, 24, 24, dtype=torch.float64)
    low, high = gaussian_split(x, (4.0, 4.0))
    assert low.min() >= -1e-9
    torch.testing.assert_close(low.mean((2, 3)), x.mean((2, 3)))
    torch.testing.assert_close(high.mean((2, 3)), torch.zeros(2, 3, dtype=torch.float64), atol=1e-12, rtol=0)


def test_share_of_white_noise_that_passes():
    # 67 % of white noise passes 10 bins on a 16 x 16 map: nearly all-pass.
    matrix = gaussian_circulant(16, 10.0, torch.device("cpu"), torch.float64)
    passed = (matrix**2).sum() / 16
    assert passed.item() ** 2 == pytest.approx(0.67, abs=0.02)


def test_half_precision_is_split_in_float32():
    x = torch.randn(1, 2, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        low, high = gaussian_split(x.bfloat16(), (2.0, 2.0))
    assert low.dtype == high.dtype == torch.float32
    torch.testing.assert_close(low + high, x.bfloat16().float())


def test_a_matrix_made_in_inference_mode_can_be_trained_with():
    with torch.inference_mode():
        gaussian_split(torch.ones(1, 1, 11, 11), (3.21, 3.21))
    x = torch.randn(1, 1, 11, 11, requires_grad=True)
    gaussian_split(x, (3.21, 3.21))[0].sum().backward()
    assert x.grad is not None


@pytest.mark.parametrize("band", ["low", "high"])
def test_selection_weighs_channels_by_their_band(band):
    select = FrequencySelect(2, 5, band, d0=1.0)
    flat = torch.ones(1, 1, 16, 16)
    checks = torch.ones(1, 1, 16, 16)
    checks[..., ::2] = -1  # the highest frequency there is
    with torch.no_grad():
        select.attend.weight.copy_(torch.eye(2).view(2, 2, 1, 1))
    a = select.channel_attention(torch.cat([flat, checks], 1)).detach().flatten()
    inside, outside = (a[0], a[1]) if band == "low" else (a[1], a[0])
    assert inside == pytest.approx(torch.sigmoid(torch.tensor(1.0)).item(), abs=1e-3)
    assert outside == pytest.approx(0.5, abs=1e-3)
    x = torch.randn(3, 2, 16, 16)
    expected = select.project(x * (1 + select.channel_attention(x)))
    torch.testing.assert_close(select(x), expected)
    assert select(x).shape == (3, 5, 16, 16)


def test_a_relative_radius_is_ten_bins_at_the_published_crop_and_follows_the_map():
    fixed, relative = (FrequencySelect(2, 2, "low", 10.0, side) for side in (None, 32))
    assert fixed.radius(6, 12) == (10.0, 10.0)
    assert relative.radius(32, 32) == (10.0, 10.0) and relative.radius(6, 12) == (1.875, 3.75)


@on_both_paths
@pytest.mark.parametrize("split", [gaussian_split, official_split])
@pytest.mark.parametrize("size", SIZES)
def test_magnitudes_are_those_of_the_split(split, size, path):
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    for band, part in zip(("low", "high"), split(x, (3.0, 2.0), path), strict=True):
        magnitude = band_magnitude(x, band, (3.0, 2.0), split is official_split, path)
        torch.testing.assert_close(magnitude, part.abs(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("pixels", [1, 100, 10_000])
@pytest.mark.parametrize("radius", [(3.0, 2.0), (math.inf, math.inf)])
@pytest.mark.parametrize("official", [False, True])
@pytest.mark.parametrize("band", ["low", "high"])
def test_means_and_their_gradients_however_many_are_worked_on_together(
    band, official, radius, pixels, layout, monkeypatch
):
    monkeypatch.setitem(frequency.CHUNK, "cpu", pixels)
    x = torch.randn(2, 5, 6, 8, dtype=torch.float64).contiguous(memory_format=layout).requires_grad_()
    before, toward = x.detach().clone(), torch.randn(2, 5, 1, 1, dtype=torch.float64)
    means = [
        band_mean(x, band, radius, official),
        band_magnitude(x, band, radius, official).mean((2, 3), keepdim=True),
    ]
    torch.testing.assert_close(*means, rtol=1e-12, atol=1e-12)
    if band == "low" or radius[0] < math.inf:  # else it is a corner of the magnitude, or beside it
        torch.testing.assert_close(*(torch.autograd.grad(mean, x, toward)[0] for mean in means), rtol=1e-11, atol=1e-13)
    with torch.no_grad():
        torch.testing.assert_close(band_mean(x, band, radius, official), means[0].detach(), rtol=0, atol=0)
    assert torch.equal(x, before)


@on_both_paths
@pytest.mark.parametrize("official", [False, True])
@pytest.mark.parametrize("band", ["low", "high"])
def test_gradients_of_means_by_finite_differences(band, official, path):
    x = torch.randn(2, 2, 4, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: band_mean(x, band, (1.5, 1.0), official, path), x)


@pytest.mark.parametrize("official", [False, True])
def test_one_map_is_kept_for_the_backward_pass_and_none_without_one(official):
    x, kept = torch.randn(2, 3, 8, 8, requires_grad=True), []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(tuple(t.shape)) or t, lambda t: t):
        band_mean(x, "high", (2.0, 2.0), official)
        assert kept == [(2, 3, 8, 8)]
        with torch.no_grad():
            band_mean(x, "high", (2.0, 2.0), official)
    assert len(kept) == 1


@pytest.mark.parametrize("centre", ["exact", "official"])
def test_a_captured_graph_answers_the_same(centre):
    select, x = FrequencySelect(3, 4, "high", d0=2.0, centre=centre).eval(), torch.randn(2, 3, 8, 8)
    exported = torch.export.export(select, (x,)).module()
    torch.testing.assert_close(exported(x), select(x), rtol=1e-5, atol=1e-6)
