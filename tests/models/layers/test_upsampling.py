import pytest
import torch
import torch.nn.functional as F

from kit.models.decoders.uper import PyramidPooling
from kit.models.layers import upsampling
from kit.models.layers.upsampling import constant, conv_bn_relu, conv_resized, resize, shifted_resize


def plainly(weight, maps, size):
    """The definition: enlarge, concatenate, convolve."""
    return F.conv2d(torch.cat([resize(x, size) for x in maps], 1), weight, padding=weight.shape[-1] // 2)


def some(dtype, shapes, out=4, kernel=3):
    maps = [torch.randn(2, *shape, dtype=dtype, requires_grad=True) for shape in shapes]
    return torch.randn(out, sum(s[0] for s in shapes), kernel, kernel, dtype=dtype, requires_grad=True), maps


LEVELS = {
    "a decoder's four": [(5, 16, 24), (40, 8, 12), (60, 4, 6), (30, 2, 3)],
    "one larger than the result": [(3, 16, 24), (3, 32, 48)],
    "one pixel, one row": [(9, 1, 1), (9, 1, 24), (9, 16, 1)],
    "sides that share no factor": [(20, 7, 5), (2, 16, 24), (20, 5, 11)],
}


@pytest.fixture(params=[True, False, None], ids=["mixed first", "convolved at once", "the cheaper"])
def choice(request, monkeypatch):
    if request.param is not None:
        monkeypatch.setattr(upsampling, "_mixing_first_is_cheaper", lambda *_: request.param)


@pytest.mark.parametrize("shapes", LEVELS.values(), ids=LEVELS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_value_and_gradients_are_those_of_the_plain_form(choice, shapes, dtype, tolerance):
    weight, maps = some(dtype, shapes)
    expected, result = plainly(weight, maps, (16, 24)), conv_resized(weight, maps, (16, 24))
    toward = torch.randn_like(expected)
    wanted, got = (torch.autograd.grad(y, [weight, *maps], toward) for y in (expected, result))
    for a, b in zip([result, *got], [expected, *wanted], strict=True):
        assert (a - b).norm() <= tolerance * b.norm()


def test_float32_agrees_to_rounding():
    weight, maps = some(torch.float32, LEVELS["a decoder's four"])
    expected = plainly(weight, maps, (16, 24))
    assert (conv_resized(weight, maps, (16, 24)) - expected).norm() < 1e-6 * expected.norm()


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_gradients_by_finite_differences(choice, kernel):
    weight, maps = some(torch.float64, [(2, 4, 5), (3, 2, 3)], out=2, kernel=kernel)
    assert torch.autograd.gradcheck(lambda w, *m: conv_resized(w, list(m), (4, 5)), (weight, *maps))


def test_coarse_maps_are_mixed_at_their_size_and_fine_ones_are_not():
    cheaper = upsampling._mixing_first_is_cheaper
    weight = torch.empty(256, 256, 3, 3)
    sides = {side: cheaper(weight, torch.empty(1, 256, side, side), (128, 128)) for side in (128, 64, 32, 16)}
    assert sides == {128: False, 64: True, 32: True, 16: True}
    assert not cheaper(weight, torch.empty(1, 256, 6, 6), (12, 12))  # nothing to gain


def test_shifted_resizing_is_what_each_tap_of_a_convolution_sees():
    x = torch.randn(1, 1, 5, dtype=torch.float64)
    matrix = shifted_resize(5, 9, 3, x.device, x.dtype)
    seen = F.pad(F.interpolate(x, size=9, mode="linear", align_corners=True), (1, 1)).flatten()
    for tap in range(3):
        torch.testing.assert_close(matrix[..., tap] @ x.flatten(), seen[tap : tap + 9])


def test_layout_and_mixed_precision(choice):
    weight, maps = some(torch.float32, LEVELS["a decoder's four"])
    expected = plainly(weight, maps, (16, 24))
    last = [x.contiguous(memory_format=torch.channels_last) for x in maps]
    torch.testing.assert_close(conv_resized(weight, last, (16, 24)), expected, rtol=1e-4, atol=1e-4)
    with torch.autocast("cpu", torch.bfloat16):
        half = conv_resized(weight, maps, (16, 24))
    assert half.dtype == torch.bfloat16 and (half - expected).norm() < 0.01 * expected.norm()


def test_weights_fit_either_form_of_the_block():
    torch.manual_seed(0)
    block, of_maps = conv_bn_relu(8, 4, 3), conv_bn_relu(8, 4, 3, of_maps=True)
    of_maps.load_state_dict(block.state_dict())
    maps = [torch.randn(2, 3, 8, 8), torch.randn(2, 5, 4, 4)]
    torch.testing.assert_close(of_maps(maps, (8, 8)), block(torch.cat([maps[0], resize(maps[1], (8, 8))], 1)))


def test_pyramid_pooling_is_its_definition():
    pooling = PyramidPooling(6, 4).double().eval()
    x = torch.randn(2, 6, 24, 20, dtype=torch.float64)
    pooled = [resize(pool(x), (24, 20)) for pool in pooling.pools]
    conv, norm, _ = pooling.fuse
    expected = F.conv2d(torch.cat([x, *pooled], 1), conv.weight, padding=1)
    torch.testing.assert_close(pooling(x), norm(expected).relu(), rtol=1e-11, atol=1e-12)


def test_constants_are_made_once_and_can_be_trained_with_after_inference_mode():
    made = []

    @constant
    def ones(n):
        made.append(n)
        return torch.ones(n)

    with torch.inference_mode():
        first = ones(3)
    assert ones(3) is first and made == [3] and not first.is_inference()


def test_a_captured_graph_holds_constants_of_its_own():
    weight, maps = some(torch.float32, [(2, 8, 8), (40, 4, 4)])

    class Net(torch.nn.Module):
        def forward(self, *maps):
            return conv_resized(weight.detach(), list(maps), (8, 8))

    maps = tuple(x.detach() for x in maps)
    exported = torch.export.export(Net(), maps).module()
    torch.testing.assert_close(exported(*maps), plainly(weight, maps, (8, 8)).detach(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(Net()(*maps), exported(*maps))  # no tensor of the trace was remembered
