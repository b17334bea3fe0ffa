"""Transformer blocks on a convolutional network."""

import pytest
import torch

from kit.errors import KitError
from kit.models.build import build_model
from kit.models.encoders.attention_scores import vit_scores
from kit.models.encoders.hybrid import HybridEncoder
from kit.settings.run import ModelConfig

SMALL = {"blocks": 2, "block_width": 64, "widths": (8, 8, 8, 8)}


@pytest.mark.parametrize("stride", [16, 32])
@pytest.mark.parametrize("size", [(64, 64), (64, 160)])
def test_four_maps_and_scores_at_any_size(stride, size):
    net = build_model(ModelConfig(name="hybrid/resnet10t", stem_stride=stride, **SMALL), 3, False)
    out = net(torch.rand(2, 3, *size), True)
    assert [(size[0] // m.shape[2], size[1] // m.shape[3]) for m in out.maps] == [(s, s) for s in (4, 8, 16, 32)]
    assert [m.shape[1] for m in out.maps] == net.encoder.channels
    grid = size[0] // stride, size[1] // stride
    assert out.scores.shape == (2, 2, *grid, *grid)
    assert torch.equal(net.eval()(torch.ones(1, 3, *size)).logits, net(torch.ones(1, 3, *size), True).logits)


def test_every_weight_learns_and_detached_scores_carry_no_gradient():
    net = build_model(ModelConfig(name="hybrid/resnet10t", stem_stride=16, **SMALL), 3, False)
    out = net(torch.rand(2, 3, 64, 64), True)
    assert out.scores.requires_grad and not net(torch.rand(2, 3, 64, 64), "detached").scores.requires_grad
    out.logits.square().mean().backward()
    assert all(p.grad is not None for p in net.parameters())


@pytest.mark.parametrize("qk_norm", [False, True])
def test_scores_are_those_the_last_block_softmaxes(qk_norm):
    encoder = HybridEncoder("resnet10t", pretrained=False, blocks=1, block_width=64, qk_norm=qk_norm).eval()
    block, tokens = encoder.blocks[0], torch.randn(1, 6, 64)
    values = block.attn.qkv(block.norm1(tokens)).unflatten(-1, (3, 2, 32))[:, :, 2].transpose(1, 2)
    table = vit_scores(block, tokens, (2, 3)).flatten(4).flatten(2, 3)
    attended = (table.softmax(-1) @ values).transpose(1, 2).flatten(2)
    torch.testing.assert_close(block.attn.proj(attended), block.attn(block.norm1(tokens)))


def test_normalised_queries_and_keys_bound_the_scores():
    """Cauchy-Schwarz: two vectors of 32 numbers with variance 1, times 32 ** -0.5."""
    for qk_norm in (True, False):
        encoder = HybridEncoder("resnet10t", pretrained=False, blocks=1, block_width=64, qk_norm=qk_norm).eval()
        torch.nn.init.normal_(encoder.blocks[0].attn.qkv.weight, std=3.0)
        scores = vit_scores(encoder.blocks[0], torch.randn(1, 6, 64), (2, 3))
        assert bool(scores.abs().max() <= 32**0.5) == qk_norm


def test_below_the_blocks_stands_the_network_without_its_last_stage():
    deep, cut = (HybridEncoder("resnet10t", pretrained=False, stem_stride=s) for s in (32, 16))
    assert "layer4" in deep.stem.net and "layer4" not in cut.stem.net
    assert len(HybridEncoder("mobilenetv2_050", pretrained=False, stem_stride=16).stem.net.blocks) == 5  # of seven
    assert cut.channels == [*deep.channels[:2], 192, 192] and cut.multiple == deep.multiple == 32


def test_positions_tell_places_of_a_flat_map_apart():
    encoder = HybridEncoder("resnet10t", pretrained=False).eval()
    flat = torch.ones(1, 192, 5, 6)
    placed = (flat + encoder.position(flat))[0]
    torch.testing.assert_close(placed[:, 1:-1, 1:-1], placed[:, 1:2, 1:2].expand(-1, 3, 4))  # the inside is alike
    assert len({tuple(placed[:, y, x].tolist()) for y in (0, 2, 4) for x in (0, 2, 5)}) == 9  # edges and corners not


def test_settings_that_do_not_fit_are_refused():
    for settings, words in (({"block_width": 50}, "multiple of 32, got 50"), ({"stem_stride": 8}, "stem_stride")):
        with pytest.raises(KitError, match=words):
            build_model(ModelConfig(name="hybrid/resnet10t", **settings), 3, False)
    with pytest.raises(KitError, match="no setting 'blocks' .* only a HybridEncoder"):
        build_model(ModelConfig(name="timm/resnet10t", blocks=2), 3, False)
