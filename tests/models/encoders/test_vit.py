"""Vision transformers of other patches, with prefix tokens and with rotary positions."""

import pytest
import timm
import torch
from torch import nn

from kit.models.build import build_model
from kit.models.encoders.attention_scores import vit_scores
from kit.models.encoders.vit import ViTEncoder
from kit.settings.run import ModelConfig

TINY = {"depth": 4, "embed_dim": 32, "num_heads": 2}
NAMES = ("vit_small_patch14_dinov2", "vit_small_patch14_reg4_dinov2", "vit_small_patch16_dinov3")


class First(nn.Module):
    """In a neck's place: the block's own output."""

    def forward(self, maps, size):
        return maps[0]


@pytest.mark.parametrize("name", NAMES)
def test_with_prefix_tokens_blocks_give_what_timms_network_gives(name):
    encoder = ViTEncoder(name, pretrained=False, prefix_tokens="kept", **TINY).eval()
    net = timm.create_model(name, num_classes=0, dynamic_img_size=True, **TINY).eval()
    with torch.no_grad():
        for token in (net.cls_token, getattr(net, "reg_token", None), net.pos_embed):
            if token is not None:
                token.normal_()
        net.blocks.load_state_dict(encoder.blocks.state_dict())
        net.patch_embed.load_state_dict(encoder.patch_embed.state_dict())
        tokens = torch.cat([t for t in (net.cls_token, getattr(net, "reg_token", None)) if t is not None], 1)
        if net.pos_embed is not None:
            first = 0 if net.no_embed_class else 1
            encoder.pos_embed.copy_(net.pos_embed[:, first:])
            tokens = tokens + net.pos_embed[:, :first] if first else tokens
        encoder.prefix.copy_(tokens)
    encoder.reduce, encoder.smooth = nn.ModuleList([nn.Identity()] * 4), nn.ModuleList([First()] * 4)
    side = encoder.grid[0] * encoder.multiple // 2  # the pretrained grid: no embedding is resized
    images = torch.rand(1, 3, side, side) if net.pos_embed is not None else torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        for ours, theirs in zip(encoder(images).maps, net.forward_intermediates(images)[1], strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_rotary_scores_are_those_the_block_softmaxes():
    encoder = ViTEncoder("vit_small_patch16_dinov3", pretrained=False, prefix_tokens="dropped", **TINY).eval()
    block, tokens = encoder.blocks[0], torch.randn(1, 6, 32)
    with torch.no_grad():
        turn = encoder.rope.get_embed(shape=(2, 3))
        table = vit_scores(block, tokens, (2, 3), turn).flatten(4).flatten(2, 3)
        values = block.attn.qkv(block.norm1(tokens)).unflatten(-1, (3, 2, 16))[:, :, 2].transpose(1, 2)
        attended = (table.softmax(-1) @ values).transpose(1, 2).flatten(2)
        torch.testing.assert_close(block.attn.proj(attended), block.attn(block.norm1(tokens), rope=turn))
        assert not torch.allclose(table, vit_scores(block, tokens, (2, 3)).flatten(4).flatten(2, 3))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kept", ["kept", "dropped"])
def test_maps_have_the_strides_they_state(name, kept):
    encoder = ViTEncoder(name, pretrained=False, prefix_tokens=kept, **TINY)
    patch = encoder.patch_embed.patch_size[0]
    assert encoder.strides == [patch / 4, patch / 2, patch, 2 * patch] and encoder.multiple == 2 * patch
    maps, scores = encoder(torch.rand(1, 3, 4 * patch, 6 * patch), True)
    assert [tuple(m.shape[-2:]) for m in maps] == [(16, 24), (8, 12), (4, 6), (2, 3)]
    assert scores.shape == (1, 2, 4, 6, 4, 6)
    assert (encoder.prefix is None) == (kept == "dropped")


def test_prefix_tokens_are_kept_by_default_only_beside_register_tokens():
    prefixed = {name: ViTEncoder(name, pretrained=False, **TINY).prefix is not None for name in NAMES}
    assert list(prefixed.values()) == [False, True, True]


def test_an_input_scale_gives_a_finer_grid_and_takes_any_size():
    cfg = ModelConfig(name="timm/vit_small_patch14_reg4_dinov2", input_scale=1.75, widths=(8, 8, 8, 8))
    net = build_model(cfg, 3, False).eval()
    out = net(torch.rand(1, 3, 64, 50), True)  # 112 x 84 pixels for the encoder, the nearest multiples of 28
    assert out.logits.shape == (1, 3, 64, 50) and out.scores.shape[2:4] == (8, 6)
    assert net.multiple == 1
