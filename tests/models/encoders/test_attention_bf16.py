import copy

import pytest
import torch
import torch.nn.functional as F
from timm.models.vision_transformer import Block

from kit.models.encoders import attention_bf16
from kit.models.encoders.attention_bf16 import attend, fast_attention


@pytest.mark.parametrize("room", [1, 200, 10_000])
@pytest.mark.parametrize("scale", [None, 0.3])
def test_attention_and_its_gradients_however_many_heads_at_a_time(room, scale, monkeypatch):
    monkeypatch.setattr(attention_bf16, "ROOM", room)
    torch.manual_seed(1)
    qkv, toward = torch.randn(3, 2, 3, 9, 8), torch.randn(2, 3, 9, 8)
    made = []
    for half, function in ((False, F.scaled_dot_product_attention), (True, attend)):
        x = qkv.to(torch.bfloat16 if half else torch.float32, copy=True).requires_grad_()
        mixed = function(*x.unbind(0), scale=scale)
        mixed.backward(toward.to(mixed.dtype))
        made.append((mixed, x.grad))
    for exact, ours in zip(*made, strict=True):
        assert ours.dtype == torch.bfloat16 and (ours.float() - exact).norm() < 0.015 * exact.norm()


def test_scores_far_apart_stay_finite():
    q = torch.full((1, 1, 4, 8), 100.0).bfloat16().requires_grad_()
    mixed = attend(q, q, torch.eye(4, 8).bfloat16()[None, None])
    mixed.sum().backward()
    torch.testing.assert_close(mixed.float(), torch.eye(4, 8).mean(0).expand(1, 1, 4, 8), rtol=0.01, atol=0)
    assert q.grad.isfinite().all()


def test_blocks_of_a_vit_take_it_where_autocast_computes_in_bfloat16(monkeypatch):
    block, x, calls = Block(24, 3), torch.randn(2, 10, 24), []
    fast, apply = copy.deepcopy(block), attention_bf16._ByHead.apply
    assert fast_attention(fast) == 1
    monkeypatch.setattr(attention_bf16._ByHead, "apply", lambda *arguments: calls.append(1) or apply(*arguments))
    expected = block(x)
    assert torch.equal(fast(x), expected)  # float32
    with torch.autocast("cpu", torch.bfloat16):
        with torch.no_grad():
            assert torch.equal(fast(x), block(x))
        assert not calls
        half = copy.deepcopy(fast)(x)
    half.sum().backward()
    assert len(calls) == 1 and (half - expected).norm() < 0.01 * expected.norm()


def test_larger_tables_and_masks_are_left_to_pytorch(monkeypatch):
    monkeypatch.setattr(attention_bf16._ByHead, "apply", None)
    monkeypatch.setattr(attention_bf16, "LARGEST", 8)
    q = torch.randn(1, 1, 9, 8).bfloat16().requires_grad_()
    attend(q, q, q).sum().backward()
    with attention_bf16._Attend():
        F.scaled_dot_product_attention(q[:, :, :8], q[:, :, :8], q[:, :, :8], attn_mask=torch.zeros(8, 8).bfloat16())
