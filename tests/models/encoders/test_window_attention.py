import copy

import pytest
import torch
import torch.nn.functional as F
from timm.models.tiny_vit import Attention, TinyVitBlock
from torch.utils.flop_counter import FlopCounterMode

from kit.models.build import build_model
from kit.models.encoders import window_attention as windowed
from kit.models.encoders.window_attention import window_attention
from kit.settings.run import ModelConfig


def some(resolution=(3, 4), grid=(9, 8), heads=2, dtype=torch.float64):
    """timm's module with parameters that do something, and two maps for it."""
    attention = Attention(heads * 6, 6, heads, 1, resolution).to(dtype)
    for parameter in (attention.attention_biases, attention.norm.bias, attention.qkv.bias):
        torch.nn.init.normal_(parameter)
    return attention, torch.randn(2, *grid, heads * 6, dtype=dtype, requires_grad=True)


def padded(attention, x):
    """What timm does: pad the map, cut it into windows, attend, cut the padding off."""
    (h, w), (height, width) = attention.resolution, x.shape[1:3]
    x = F.pad(x, (0, 0, 0, -width % w, 0, -height % h))
    tall, wide = x.shape[1] // h, x.shape[2] // w
    windows = x.view(2, tall, h, wide, w, -1).transpose(2, 3).reshape(-1, h * w, x.shape[-1])
    x = attention(windows).view(2, tall, wide, h, w, -1).transpose(2, 3).reshape(x.shape)
    return x[:, :height, :width]


GRIDS = {
    "windows fit": ((3, 4), (9, 8)),
    "wide ones": ((1, 5), (3, 10)),
    "one place": ((1, 1), (2, 3)),
    "they overhang at the right": ((3, 4), (9, 9)),
    "below": ((3, 4), (7, 8)),
    "at both": ((4, 4), (11, 9)),
    "one window, larger than the map": ((6, 5), (2, 3)),
}


@pytest.mark.parametrize("entries", [1, 300, 10_000])
@pytest.mark.parametrize(("resolution", "grid"), GRIDS.values(), ids=GRIDS)
def test_value_and_gradients_are_timms_however_many_are_worked_on_together(resolution, grid, entries, monkeypatch):
    monkeypatch.setattr(windowed, "CHUNK", entries)
    attention, x = some(resolution, grid)
    results = [padded(attention, x), window_attention(attention, x)]
    torch.testing.assert_close(*results, rtol=1e-12, atol=1e-12)
    toward, leaves = torch.randn_like(x), (x, *attention.parameters())
    for a, b in zip(*(torch.autograd.grad(y, leaves, toward) for y in results), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize(("resolution", "grid"), GRIDS.values(), ids=GRIDS)
def test_the_fused_kernel_gives_the_same(resolution, grid):
    attention, x = some(resolution, grid)
    attention.attention_biases.requires_grad_(False)
    results = [padded(attention, x), window_attention(attention, x)]
    torch.testing.assert_close(*results, rtol=1e-12, atol=1e-12)
    expected, result = (torch.autograd.grad(y, x, torch.ones_like(x))[0] for y in results)
    torch.testing.assert_close(result, expected, rtol=1e-11, atol=1e-11)


def test_gradients_by_finite_differences():
    attention, _ = some()
    q, k, v = (torch.randn(3, 2, n, 6, dtype=torch.float64, requires_grad=True) for n in (12, 13, 13))

    def mixed(q, k, v, biases, beyond):
        offsets = windowed._offsets(biases, attention.resolution)
        return windowed._BiasedAttention.apply(q, k, v, offsets, beyond, attention.scale)

    beyond = torch.randn(2, 12, 1, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(mixed, (q, k, v, attention.attention_biases, beyond))


def test_no_table_is_kept_for_the_backward_pass():
    attention, x = some((16, 16), (32, 48), heads=4, dtype=torch.float32)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
        window_attention(attention, x)
    assert max(kept) < 2 * 6 * 4 * 256 * 256 / 10  # heads' tables of all windows


def test_padding_costs_nothing():
    """Two maps of 80 places under a window of 1024: what is multiplied is that of 80."""
    attention, x = some((32, 32), (8, 10), dtype=torch.float32)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        window_attention(attention, x.detach())
    projections, tables = 2 * 80 * 12 * (3 + 1) * 12, 2 * 80 * 81 * 12 * 2
    assert counter.get_total_flops() < 1.05 * 2 * (projections + tables)  # a product and a sum each


def test_without_trained_biases_it_is_the_fused_kernel(monkeypatch):
    attention, x = some(dtype=torch.float32)
    monkeypatch.setattr(windowed, "_BiasedAttention", None)
    with torch.no_grad():
        expected = padded(attention, x)
        with torch.profiler.profile() as profile:
            result = window_attention(attention, x)
    torch.testing.assert_close(result, expected, rtol=1e-4, atol=1e-5)
    assert any("flash_attention" in event.name for event in profile.events())


def test_a_network_and_its_copies_attend_so_each_with_its_own_weights():
    net = build_model(ModelConfig(name="tinyvit_demo"), 3, pretrained=False).eval()
    twin, images = copy.deepcopy(net), torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        expected = net(images).logits
        for p in net.parameters():
            p.zero_()
        torch.testing.assert_close(twin(images).logits, expected)
    blocks = [m for m in twin.modules() if isinstance(m, TinyVitBlock)]
    ours = windowed._windowed_block
    assert blocks and all(m.forward.__func__ is ours and m.forward.__self__ is m for m in blocks)


@pytest.mark.parametrize("grid", [(9, 8), (7, 9)])
def test_mixed_precision_trains_the_biases(grid):
    attention, x = some(grid=grid, dtype=torch.float32)
    expected = window_attention(attention, x)
    with torch.autocast("cpu", torch.bfloat16):
        half = window_attention(attention, x)
    half.float().square().sum().backward()
    assert (half - expected).norm() < 0.02 * expected.norm() and attention.attention_biases.grad.abs().sum() > 0
