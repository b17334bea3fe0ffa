import pytest
import timm
import torch
from timm.layers import convert_sync_batchnorm

from kit.errors import KitError
from kit.models.build import MODELS, build_model, encoder_class
from kit.models.encoders.attention_scores import tinyvit_scores, vit_scores
from kit.models.encoders.timm_encoder import TimmEncoder
from kit.models.encoders.vit import regrid
from kit.models.followers import Averaged
from kit.settings.run import ModelConfig

SMALL = [name for name in MODELS if name.endswith("_demo")]


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("size", [(64, 64), (32, 96)])
def test_shapes_gradients_and_the_same_record_in_both_modes(name, size):
    net = build_model(ModelConfig(name=name), num_classes=3, pretrained=False)
    attend = net.encoder.heads > 0
    images = torch.randn(2, 3, *size)
    for mode in (True, False):
        out = net.train(mode)(images, attend)
        assert out.logits.shape == (2, 3, *size)
        strides = [(size[0] // m.shape[2], size[1] // m.shape[3]) for m in out.maps]
        assert strides == [(s, s) for s in net.encoder.strides] and net.encoder.strides[:3] == [4, 8, 16]
        assert [m.shape[1] for m in out.maps] == net.encoder.channels
        assert (out.scores is not None) == attend
        assert out.features.shape == (2, net.decoder.out_channels, size[0] // 4, size[1] // 4)
    net.train()(images).logits.square().mean().backward()
    unused = [n for n, p in net.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert not unused


def test_sizes_that_do_not_fit_are_refused_with_one_that_does():
    net = build_model(ModelConfig(name="tinyvit_demo"), 3, False)
    with pytest.raises(KitError, match="multiples of 32; try 128 x 96"):
        net(torch.zeros(1, 3, 100, 96))


def test_vit_scores_are_those_the_block_softmaxes():
    net = timm.create_model("deit_tiny_patch16_224", depth=1, embed_dim=32, num_heads=2, num_classes=0).eval()
    block = net.blocks[0]
    tokens = torch.randn(2, 6, 32)
    scores = vit_scores(block, tokens, (2, 3))
    assert scores.shape == (2, 2, 2, 3, 2, 3)
    values = block.attn.qkv(block.norm1(tokens)).unflatten(-1, (3, 2, 16))[:, :, 2].transpose(1, 2)
    attended = (scores.flatten(4).flatten(2, 3).softmax(-1) @ values).transpose(1, 2).flatten(2)
    torch.testing.assert_close(block.attn.proj(attended), block.attn(block.norm1(tokens)))


def test_tinyvit_scores_are_those_of_one_window_that_covers_the_map():
    net = build_model(ModelConfig(name="tinyvit_demo"), 3, False).eval()
    block = net.encoder.stages[-1].blocks[-1]  # windows of 3 x 3; its position bias starts at zero
    x = torch.randn(2, 3, 3, block.dim)
    scores = tinyvit_scores(block, x)
    heads = block.num_heads
    values = block.attn.qkv(block.attn.norm(x.flatten(1, 2))).unflatten(-1, (heads, -1))[..., 2 * block.attn.key_dim :]
    attended = scores.flatten(4).flatten(2, 3).softmax(-1) @ values.transpose(1, 2)
    expected = block.attn(x.flatten(1, 2))
    torch.testing.assert_close(block.attn.proj(attended.transpose(1, 2).flatten(2)), expected)


def test_scores_do_not_change_the_network():
    net = build_model(ModelConfig(name="tinyvit_demo"), 3, False).eval()
    images = torch.randn(1, 3, 64, 64)
    assert torch.equal(net(images, True).logits, net(images).logits)


def test_position_embeddings_are_resized_and_kept_where_the_grid_fits():
    net = build_model(ModelConfig(name="deit_demo"), 3, False).eval()
    grid = net.encoder.patch_embed.grid_size
    assert net.encoder.pos_embed.shape == (1, grid[0] * grid[1], 96)  # class and distillation tokens are gone
    assert net(torch.randn(1, 3, 32, 160), True).scores.shape == (1, 4, 2, 10, 2, 10)


@pytest.mark.parametrize(
    ("name", "encoder", "whole"),
    [("tinyvit_11m", 10_547_076, 18_288_647), ("tinyvit_21m", 20_689_968, 29_103_795),
     ("resnet101", 42_623_936, 71_717_971), ("deit_b", None, 101_523_715)],
)  # fmt: skip
def test_published_sizes_in_parameters(name, encoder, whole):
    """The authors' networks, counted; of their DeiT-B without a class token and its position (1,536), which no block
    sees. Their student also holds the two projections, here in the method."""
    with torch.device("meta"):
        net = build_model(ModelConfig(name=name, grid=(32, 32) if name == "deit_b" else None), 19, False)
    assert sum(p.numel() for p in net.parameters()) == whole
    assert encoder is None or sum(p.numel() for p in net.encoder.parameters()) == encoder


@pytest.mark.parametrize("name", ["mobilenetv3_small_050", "swin_tiny_patch4_window7_224", "vit_tiny_patch16_224"])
def test_any_timm_network_in_the_same_decoder(name):
    net = build_model(ModelConfig(name=f"timm/{name}", widths=(8, 8, 8, 8)), 3, False).eval()
    out = net(torch.randn(1, 3, 64, 96), net.encoder.heads > 0)
    assert out.logits.shape == (1, 3, 64, 96)
    assert [(m.shape[1], 64 // m.shape[2], 96 // m.shape[3]) for m in out.maps] == [
        (c, s, s) for c, s in zip(net.encoder.channels, (4, 8, 16, 32), strict=True)
    ]


def test_settings_that_a_network_does_not_have_are_refused():
    for name, settings in (("resnet_demo", {"last_block": "global"}), ("tinyvit_demo", {"grid": (6, 6)}),
                           ("resnet_demo", {"pyramid": "official"}), ("deeplab_demo", {"d0": 5.0}),
                           ("lite_fast", {"d0": 5.0})):  # fmt: skip
        with pytest.raises(KitError, match=f"{name} has no setting"):
            build_model(ModelConfig(name=name, **settings), 3, False)


def test_positions_are_kept_at_the_grid_that_is_asked_for():
    net = build_model(ModelConfig(name="deit_demo", grid=(2, 6)), 3, False).eval()
    assert net.encoder.pos_embed.shape == (1, 12, 96)
    flat = build_model(ModelConfig(name="deit_demo"), 3, False).eval()
    with torch.no_grad():
        flat.encoder.pos_embed.copy_(torch.arange(14.0).repeat_interleave(14)[None, :, None])  # a slope down the grid
    resized = regrid(flat.encoder.pos_embed, (14, 14), (3, 5))[0, :, 0].reshape(3, 5)
    torch.testing.assert_close(resized, torch.tensor([0.0, 6.5, 13.0])[:, None].expand(3, 5))


def test_any_timm_network_with_a_pyramid_will_do_and_others_say_why_not():
    encoder = TimmEncoder("mobilenetv2_050", pretrained=False)
    assert encoder.strides == [4, 8, 16, 32] and len(encoder(torch.zeros(1, 3, 64, 64)).maps) == 4
    with pytest.raises(KitError, match="no attention scores"):
        encoder(torch.zeros(1, 3, 64, 64), scores=True)
    assert encoder_class("deit_base_distilled_patch16_384").__name__ == "ViTEncoder"
    assert encoder_class("tiny_vit_21m_512").__name__ == "TinyViTEncoder"
    with pytest.raises(KitError, match="unknown model 'tinyvit'; choose one of: deeplab/NAME"):
        build_model(ModelConfig(name="tinyvit"), 3, False)


def test_the_average_follows_by_its_formula_and_forgets_stale_biases():
    net = build_model(ModelConfig(name="tinyvit_demo"), 3, False)
    average = Averaged(net, decay=0.9)
    images = torch.randn(1, 3, 64, 64)
    average(images)  # TinyViT remembers its position biases in eval mode
    before = net.classify.weight.detach().clone()
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.1)
    average.update(net, updates=1000)
    torch.testing.assert_close(average.net.classify.weight, before + 0.01)
    assert average.train().training is False and not any(p.requires_grad for p in average.parameters())
    bias_cached = average.eval()(images).logits
    fresh = build_model(ModelConfig(name="tinyvit_demo"), 3, False)
    fresh.load_state_dict(average.net.state_dict())
    torch.testing.assert_close(bias_cached, fresh.eval()(images).logits)
    Averaged(net, 0.99).update(net, updates=0)


def test_buffers_are_averaged_or_copied():
    net = torch.nn.BatchNorm2d(1)
    average = Averaged(net, decay=0.5)
    net.running_mean.fill_(4.0)
    net.num_batches_tracked.fill_(7)
    average.update(net, updates=100)
    assert average.net.running_mean.item() == 2.0 and average.net.num_batches_tracked.item() == 7


def test_synchronised_batch_norm_keeps_activations():
    net = build_model(ModelConfig(name="deeplab_mobilenetv2"), 3, pretrained=False).eval()
    images = torch.randn(1, 3, 64, 64)
    before = net(images).logits
    converted = convert_sync_batchnorm(net).eval()
    assert any(isinstance(module, torch.nn.SyncBatchNorm) for module in converted.modules())
    torch.testing.assert_close(converted(images).logits, before)
