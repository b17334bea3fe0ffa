import pytest
import torch

from kit.errors import KitError
from kit.models.build import build_model
from kit.models.decoders.fast import FastFrequencyDecoder, HaarSelect, haar_mean
from kit.models.segmenter import cells, of_cells
from kit.settings.network import ModelConfig


def test_bands_of_blocks():
    flat = torch.full((1, 1, 4, 4), -3.0)
    assert haar_mean(flat, "low").item() == 3 and haar_mean(flat, "high").item() == 0
    board = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(2, 2)[None, None]
    assert haar_mean(board, "low").item() == 0 and haar_mean(board, "high").item() == 1


def test_channels_are_weighed_by_their_band():
    select = HaarSelect(2, 3, "high").eval()
    torch.nn.init.eye_(select.attend.weight.data[:, :, 0, 0])
    x = torch.zeros(1, 2, 4, 4)
    x[0, 1] = 9 * torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(2, 2)
    assert select.channel_attention(x).flatten().tolist() == pytest.approx([0.5, 1.0], abs=1e-3)
    assert select(x).shape == (1, 3, 4, 4)


@pytest.mark.parametrize("selection", ["frequency", "swapped", "plain"])
def test_the_decoder_has_the_size_of_the_finest_map(selection):
    decoder = FastFrequencyDecoder([4, 6, 8, 10], width=12, fine=5, selection=selection)
    maps = [torch.randn(2, c, 32 // 2**i, 64 // 2**i) for i, c in enumerate([4, 6, 8, 10])]
    assert decoder(maps).shape == (2, 5, 32, 64) and decoder.out_channels == 5


def test_pixels_of_a_cell_have_one_class_and_odd_sizes_fit():
    assert cells((5, 8), 2) == (3, 4)
    values = torch.arange(12.0).reshape(1, 1, 3, 4)
    wide = of_cells(values, (5, 8), 2)
    assert wide.shape == (1, 1, 5, 8) and wide[0, 0, 4].tolist() == [8, 8, 9, 9, 10, 10, 11, 11]


def test_a_fast_student_learns_and_its_mean_logits_are_the_mean_of_its_logits():
    net = build_model(ModelConfig(name="lite_fast", dropout=0.0), 5, pretrained=False).eval()
    images = torch.rand(2, 3, 64, 96)
    out = net(images)
    assert out.logits.shape == (2, 5, 64, 96)
    assert torch.equal(out.logits[..., ::2, ::2], out.logits[..., 1::2, 1::2])
    torch.testing.assert_close(net.predict_mean(out.features, (64, 96)), out.logits.mean((2, 3)))
    out.logits.square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.decoder.parameters())


def test_settings_of_other_decoders_are_refused():
    with pytest.raises(KitError, match="'widths'"):
        build_model(ModelConfig(name="lite_fast", widths=(8, 8, 8, 8)), 5, pretrained=False)
