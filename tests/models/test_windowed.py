import copy

import pytest
import torch
from timm.models.tiny_vit import Attention

from kit.config import ModelConfig
from kit.models import windowed
from kit.models.build import build_model
from kit.models.windowed import window_attention


def some(resolution=(3, 4), windows=5, heads=2, dtype=torch.float64):
    """timm's module with biases that are not zero, and windows for it."""
    attention = Attention(heads * 6, 6, heads, 1, resolution).to(dtype)
    torch.nn.init.normal_(attention.attention_biases)
    return attention, torch.randn(windows, resolution[0] * resolution[1], heads * 6, dtype=dtype, requires_grad=True)


@pytest.mark.parametrize("entries", [1, 300, 10_000])
@pytest.mark.parametrize("resolution", [(3, 4), (1, 5), (4, 4), (1, 1)])
def test_value_and_gradients_are_timms_however_many_are_worked_on_together(resolution, entries, monkeypatch):
    monkeypatch.setattr(windowed, "CHUNK", entries)
    attention, x = some(resolution)
    results = [attention(x), window_attention(attention, x)]
    toward, leaves = torch.randn_like(x), (x, *attention.parameters())
    torch.testing.assert_close(*results, rtol=1e-12, atol=1e-12)
    for a, b in zip(*(torch.autograd.grad(y, leaves, toward) for y in results), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-11)


def test_gradients_by_finite_differences():
    attention, _ = some()
    q, k, v = (torch.randn(3, 2, 12, 6, dtype=torch.float64, requires_grad=True) for _ in range(3))

    def mixed(q, k, v, biases):
        offsets = windowed._offsets(biases, attention.resolution)
        return windowed._BiasedAttention.apply(q, k, v, offsets, attention.scale)

    assert torch.autograd.gradcheck(mixed, (q, k, v, attention.attention_biases))


def test_no_table_is_kept_for_the_backward_pass():
    attention, x = some((16, 16), heads=4, dtype=torch.float32)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
        window_attention(attention, x)
    assert max(kept) < 5 * 4 * 256 * 256 / 10  # heads' tables of five windows


def test_without_trained_biases_it_is_the_fused_kernel(monkeypatch):
    attention, x = some(dtype=torch.float32)
    monkeypatch.setattr(windowed, "_BiasedAttention", None)
    with torch.no_grad():
        expected = attention(x)
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
    attended = [m for m in twin.modules() if isinstance(m, Attention)]
    assert attended and all(m.forward.__func__ is window_attention and m.forward.__self__ is m for m in attended)


def test_mixed_precision_trains_the_biases():
    attention, x = some(dtype=torch.float32)
    expected = window_attention(attention, x)
    with torch.autocast("cpu", torch.bfloat16):
        half = window_attention(attention, x)
    half.float().square().sum().backward()
    assert (half - expected).norm() < 0.02 * expected.norm() and attention.attention_biases.grad.abs().sum() > 0
