"""Gradient checkpointing: less is kept, and no gradient changes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from rsforge.models.autoencoder_kl import AutoencoderKL
from rsforge.models.recompute import use_checkpointing
from rsforge.models.unet import UNet

UNET = {
    "block_out_channels": (16, 32), "layers_per_block": 1, "norm_num_groups": 8, "cross_attention_dim": 24,
    "attention_head_dim": 4, "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
}  # fmt: skip
MASK = torch.tensor([[True, True, False, False, True], [True] * 5])


def make_unet():
    inputs = torch.randn(2, 4, 8, 12), torch.tensor([3, 981]), torch.randn(2, 5, 24), None, MASK
    unet = UNet(**UNET)
    return unet, inputs, [unet.down_blocks[0].resnets[0], unet.mid_block.resnets[1], unet.up_blocks[1].attentions[0]]


def make_autoencoder():
    network = AutoencoderKL(block_out_channels=(16, 32), layers_per_block=1, norm_num_groups=8)
    encoder, decoder = network.encoder, network.decoder
    return network, (torch.randn(2, 3, 8, 12),), [encoder.down_blocks[0].resnets[0], decoder.mid_block.attentions[0]]


def saved_bytes(network: nn.Module, inputs) -> int:
    """What a forward pass keeps for the backward pass."""
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x.nbytes) or x, lambda x: x):
        network(*inputs)
    return sum(kept)


@pytest.mark.parametrize("make", [make_unet, make_autoencoder])
def test_blocks_run_twice_keep_less_and_change_no_gradient(stirred, make) -> None:
    network, inputs, blocks = make()
    stirred(network).train()
    passes = []
    for block in blocks:
        block.register_forward_pre_hook(lambda *_: passes.append(1))

    def gradients(on: bool) -> tuple[int, list[torch.Tensor]]:
        use_checkpointing(network, on)
        network.zero_grad()
        passes.clear()
        network(*inputs).square().mean().backward()
        return len(passes), [p.grad.clone() for p in network.parameters()]

    (once, plain), (twice, recomputed), (again, _) = gradients(False), gradients(True), gradients(False)
    assert (once, twice, again) == (len(blocks), 2 * len(blocks), len(blocks))
    torch.testing.assert_close(recomputed, plain, atol=0, rtol=0)
    whole = saved_bytes(network, inputs)
    use_checkpointing(network)
    assert saved_bytes(network, inputs) < whole / 3


def test_nothing_runs_twice_where_no_gradient_is_wanted() -> None:
    network, inputs, blocks = make_autoencoder()
    use_checkpointing(network)
    passes = []
    blocks[0].register_forward_pre_hook(lambda *_: passes.append(1))
    with torch.no_grad():
        network(*inputs)
    assert len(passes) == 1
