import copy

import pytest
import torch
from timm.layers import convert_sync_batchnorm

from kit.errors import KitError
from kit.models.build import build_model
from kit.models.encoders.recompute import BLOCKS
from kit.settings.run import ModelConfig


def pair(name, **settings):
    """The same network with activations kept, and with recomputed blocks."""
    nets = [build_model(ModelConfig(name=name, recompute=r, **settings), 3, pretrained=False) for r in (False, True)]
    nets[1].load_state_dict(nets[0].state_dict())
    return nets


@pytest.mark.parametrize("over", ["one device", "several devices"])
@pytest.mark.parametrize("name", ["tinyvit_demo", "resnet_demo", "deit_demo"])
def test_results_gradients_and_statistics_stay_what_they_are(name, over):
    """Synchronised batch norm, as several GPUs have it, computes on one CPU what batch norm does, after all checks of
    its own."""
    nets, images = pair(name), torch.randn(2, 3, 64, 64)
    if over == "several devices":
        nets = [convert_sync_batchnorm(net) for net in nets]
        assert any(isinstance(norm, torch.nn.SyncBatchNorm) for norm in nets[1].modules())
    for net in nets:
        torch.manual_seed(0)  # dropout before the classifier
        net.train()(images).logits.square().mean().backward()
    for (key, kept), again in zip(nets[0].named_parameters(), nets[1].parameters(), strict=True):
        torch.testing.assert_close(again.grad, kept.grad, msg=key)
    for (key, kept), again in zip(nets[0].state_dict().items(), nets[1].state_dict().values(), strict=True):
        assert torch.equal(kept, again), key


def test_less_is_kept_for_the_backward_pass():
    kept = []
    for net in pair("tinyvit_demo"):
        storages = {}
        with torch.autograd.graph.saved_tensors_hooks(
            lambda x, storages=storages: storages.setdefault(x.data_ptr(), x), lambda x: x
        ):
            net.train()(torch.randn(2, 3, 64, 64))
        kept.append(sum(x.untyped_storage().nbytes() for x in storages.values()))
    assert kept[1] < 0.8 * kept[0]


def test_blocks_are_run_once_where_no_gradient_is_wanted():
    _, net = pair("resnet_demo")
    block = next(module for module in net.modules() if isinstance(module, BLOCKS))
    calls = []
    block.conv1.register_forward_hook(lambda *_: calls.append(1))
    with torch.no_grad():
        net.train()(torch.randn(2, 3, 64, 64))
    assert len(calls) == 1
    net(torch.randn(2, 3, 64, 64)).logits.mean().backward()
    assert len(calls) == 3


def test_a_copy_recomputes_its_own_blocks():
    _, net = pair("resnet_demo", dropout=0.0)
    twin, images = copy.deepcopy(net), torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        for p in net.parameters():
            p.zero_()
    twin(images).logits.square().mean().backward()
    assert all(p.grad is None for p in net.parameters()) and all(p.grad is not None for p in twin.parameters())


def test_networks_without_such_blocks_say_so():
    with pytest.raises(KitError, match="timm/mobilenetv2_050 has no blocks that could be recomputed"):
        build_model(ModelConfig(name="timm/mobilenetv2_050", recompute=True), 3, pretrained=False)
