"""The networks of TriKD's authors, written once more from their description, against the kit's with the same weights.

Explicit attention everywhere, complex Fourier transforms, every map enlarged before it is convolved: slow and plain.
"""

import pytest
import torch
import torch.nn.functional as F

from kit.models.build import build_model
from kit.settings.run import ModelConfig

SIZE = (64, 96)


def shaken(name, **settings):
    """A network in float64 whose norms and biases are not what they start as."""
    net = build_model(ModelConfig(name=name, **settings), 3, pretrained=False).double().eval()
    with torch.no_grad():
        for value in net.state_dict().values():
            if value.is_floating_point() and value.ndim < 3:
                value.add_(0.3 * torch.rand_like(value))
    return net


def up(x, size):
    return F.interpolate(x, size=size, mode="bilinear", align_corners=True)


def conv_bn(x, conv, bn, **options):
    x = F.conv2d(x, conv.weight, **options)
    return F.batch_norm(x, bn.running_mean, bn.running_var, bn.weight, bn.bias)


def conv_bn_relu(x, block):
    conv, bn, _ = block
    return conv_bn(x, conv, bn, padding=conv.weight.shape[-1] // 2).relu()


def band(x, which, d0=10.0):
    """|ifft2(G fft2(x))|, G a Gaussian around ((H-1)//2, (W-1)//2) of the shifted spectrum, or 1 minus it."""
    h, w = x.shape[-2:]
    v, u = torch.arange(h)[:, None] - (h - 1) // 2, torch.arange(w) - (w - 1) // 2
    low = torch.exp(-(v**2 + u**2).double() / (2 * d0**2))
    spectrum = torch.fft.fftshift(torch.fft.fft2(x), dim=(-2, -1)) * (low if which == "low" else 1 - low)
    return torch.fft.ifft2(torch.fft.ifftshift(spectrum, dim=(-2, -1))).abs()


def lateral(x, select, which):
    attention = torch.sigmoid(F.conv2d(band(x, which).mean((2, 3), keepdim=True), select.attend.weight))
    return F.conv2d(x + attention * x, select.project.weight)


def decoder(maps, uper):
    """Levels 0 and 1 by their high band, 2 by its low band, 3 by pyramid pooling; top-down; all at level 0's size."""
    levels = [lateral(x, s, b) for x, s, b in zip(maps[:3], uper.laterals[:3], ("high", "high", "low"), strict=True)]
    pyramid = [maps[3]]
    for bins, (_, block) in zip((1, 2, 3, 6), uper.laterals[3].pools, strict=True):
        pyramid.append(up(conv_bn_relu(F.adaptive_avg_pool2d(maps[3], bins), block), maps[3].shape[-2:]))
    levels.append(conv_bn_relu(torch.cat(pyramid, 1), uper.laterals[3].fuse))
    for i in (3, 2, 1):
        down = uper.down[i - 1]
        levels[i - 1] = levels[i - 1] + up(F.conv2d(levels[i], down.weight, down.bias), levels[i - 1].shape[-2:])
    levels = [conv_bn_relu(x, block) for x, block in zip(levels[:3], uper.smooth, strict=True)] + [levels[3]]
    return conv_bn_relu(torch.cat([up(x, levels[0].shape[-2:]) for x in levels], 1), uper.fuse)


def logits(maps, net):
    x = F.conv2d(decoder(maps, net.decoder), net.classify.weight, net.classify.bias)
    return up(x, SIZE)


def layer_norm(x, norm):
    return F.layer_norm(x, x.shape[-1:], norm.weight, norm.bias, norm.eps)


def linear(x, layer):
    return F.linear(x, layer.weight, layer.bias)


def last_block(x, block):
    """Attention over all without position bias, 3x3 depthwise convolution, perceptron: (B, h, w, C), scores."""
    b, h, w, c = x.shape
    heads, d = block.num_heads, c // block.num_heads
    qkv = linear(layer_norm(x.reshape(b, h * w, c), block.attn.norm), block.attn.qkv).reshape(b, h * w, heads, 3 * d)
    q, k, v = (qkv[..., i * d : (i + 1) * d].transpose(1, 2) for i in range(3))
    scores = q @ k.transpose(2, 3) * d**-0.5
    mixed = (scores.softmax(-1) @ v).transpose(1, 2).reshape(b, h * w, c)
    x = x + linear(mixed, block.attn.proj).reshape(b, h, w, c)
    x = conv_bn(x.permute(0, 3, 1, 2), block.local_conv.conv, block.local_conv.bn, padding=1, groups=c).permute(
        0, 2, 3, 1
    )
    hidden = F.gelu(linear(layer_norm(x, block.mlp.norm), block.mlp.fc1))
    return x + linear(hidden, block.mlp.fc2), scores


def neck(blocks, encoder):
    """Block by block, shallow to deep: 1x1 to the neck's width, then a half, one, two and four times the token grid."""
    maps = []
    for x, scale, reduce, smooth in zip(blocks, (0.5, 1, 2, 4), encoder.reduce, encoder.smooth, strict=True):
        size = [int(side * scale) for side in x.shape[-2:]]
        maps.append(conv_bn_relu(up(conv_bn_relu(x, reduce), size), smooth))
    return maps


def normal(net, images):
    return (images - net.mean) / net.std


def same(a, b):
    torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9 * b.abs().max().item())


def test_student():
    net = shaken("tinyvit_demo", filter_centre="official", last_block="global")
    images = torch.randn(2, 3, *SIZE, dtype=torch.float64)
    out = net(images, True)
    encoder = net.encoder
    x, maps = encoder.patch_embed(normal(net, images)), []
    for stage in encoder.stages[:-1]:
        x = stage(x)
        maps.append(x)
    last = encoder.stages[-1]
    x, scores = last_block(last.blocks[:-1](last.downsample(x).permute(0, 2, 3, 1)), last.blocks[-1])
    same(out.logits, logits([*maps, x.permute(0, 3, 1, 2)], net))
    same(out.scores.flatten(4).flatten(2, 3), scores)


def test_cnn():
    net = shaken("resnet_demo", filter_centre="official")
    images = torch.randn(2, 3, *SIZE, dtype=torch.float64)
    same(net(images).logits, logits(net.encoder(normal(net, images)).maps, net))


def test_vit():
    grid = (SIZE[0] // 16, SIZE[1] // 16)
    net = shaken("deit_demo", filter_centre="official", pyramid="official", grid=grid)
    images = torch.randn(2, 3, *SIZE, dtype=torch.float64)
    encoder, blocks = net.encoder, []
    patch = encoder.patch_embed.proj
    x = (
        F.conv2d(normal(net, images), patch.weight, patch.bias, stride=16).flatten(2).transpose(1, 2)
        + encoder.pos_embed
    )
    for block in encoder.blocks:
        b, n, c = x.shape
        heads, d = block.attn.num_heads, c // block.attn.num_heads
        qkv = linear(layer_norm(x, block.norm1), block.attn.qkv).reshape(b, n, 3, heads, d)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(2, 3) * d**-0.5
        x = x + linear((scores.softmax(-1) @ v).transpose(1, 2).reshape(b, n, c), block.attn.proj)
        x = x + linear(F.gelu(linear(layer_norm(x, block.norm2), block.mlp.fc1)), block.mlp.fc2)
        blocks.append(x.transpose(1, 2).reshape(b, c, *grid))
    out = net(images, True)
    assert out.maps[0].shape[-2:] == (2, 3) and out.maps[3].shape[-2:] == (16, 24)  # the deepest is the largest
    same(out.logits, logits(neck(blocks, encoder), net))
    same(out.scores.flatten(4).flatten(2, 3), scores)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("tinyvit_demo", {"filter_centre": "official"}),
        ("tinyvit_demo", {"last_block": "global"}),
        ("deit_demo", {"pyramid": "official"}),
        ("resnet_demo", {"selection": "swapped"}),
    ],
)
def test_each_switch_changes_the_logits(name, settings):
    plain, changed = shaken(name), shaken(name, **settings)
    changed.load_state_dict(plain.state_dict())
    images = torch.randn(1, 3, *SIZE, dtype=torch.float64)
    assert (plain(images).logits - changed(images).logits).abs().max() > 1e-6
