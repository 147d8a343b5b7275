"""Adapters that are trained beside a frozen network."""

from __future__ import annotations

import copy

import pytest
import torch

from rsforge.models.adapter import Adapter, attach_adapter, make_adapter
from rsforge.models.catalogue import build
from rsforge.models.low_rank import LowRankUpdate, merge_updates
from rsforge.models.recompute import use_checkpointing
from rsforge.models.unet import UNet

X, T, CONTEXT = torch.randn(2, 4, 8, 8), torch.tensor([3, 500]), torch.randn(2, 5, 8)


@pytest.fixture
def network():
    torch.manual_seed(1)
    unet = UNet(
        block_out_channels=(8, 8), layers_per_block=1, norm_num_groups=4, attention_head_dim=2, cross_attention_dim=8,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
    )  # fmt: skip
    return unet.requires_grad_(False)


def filled(network, **options):
    """An adapter that adds something."""
    adapter = make_adapter(network, **options)
    with torch.no_grad():
        for name, parameter in adapter.named_parameters():
            if name.endswith("up"):
                parameter.normal_()
    return adapter


def test_it_covers_the_attention_and_changes_nothing_at_first(network):
    adapter, before, state = make_adapter(network, rank=3), network(X, T, CONTEXT), set(network.state_dict())
    assert len(adapter.updates()) == 4 * sum(name.endswith("to_q") for name, _ in network.named_modules()) == 32
    attach_adapter(network, adapter)
    assert torch.equal(network(X, T, CONTEXT), before)
    assert set(network.state_dict()) == state and len(list(adapter.parameters())) == 2 * 32
    few = make_adapter(network, rank=1, targets=["attn2.to_k"])
    assert {name.rsplit(".", 2)[1] for name in few.updates()} == {"attn2"}


@pytest.mark.parametrize("weight", [1.0, 0.7])
def test_beside_a_network_and_merged_into_it_are_the_same(network, weight):
    adapter, before = filled(network, rank=3, alpha=6.0), network(X, T, CONTEXT)
    merged = copy.deepcopy(network)
    merge_updates(merged, adapter.updates(), weight)
    attached = attach_adapter(network, adapter, weight)
    beside = network(X, T, CONTEXT)
    torch.testing.assert_close(beside, merged(X, T, CONTEXT), atol=1e-5, rtol=1e-5)
    assert (beside - before).abs().max() > 0.01
    attached.remove()
    assert torch.equal(network(X, T, CONTEXT), before)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_it_alone_is_trained(network, checkpointing):
    adapter = make_adapter(network, rank=2)
    use_checkpointing(network, checkpointing)
    attach_adapter(network, adapter)
    optimizer = torch.optim.SGD(adapter.parameters(), lr=1.0)
    losses = []
    for _ in range(3):
        loss = network(X, T, CONTEXT).square().mean()
        losses.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[2] < losses[1] < losses[0]
    assert all(p.grad is None for p in network.parameters()) and all(p.grad is not None for p in adapter.parameters())


def test_single_precision_beside_half(network):
    adapter = filled(network.bfloat16(), rank=2)
    assert next(adapter.parameters()).dtype == torch.float32
    attach_adapter(network, adapter)
    assert network(X.bfloat16(), T, CONTEXT.bfloat16()).dtype == torch.bfloat16


def test_it_is_rebuilt_and_filled(network):
    adapter = filled(network, rank=3, alpha=6.0)
    again = build(adapter.architecture)
    again.load_state_dict(adapter.state_dict())
    _same(again.updates(), adapter.updates())
    other = make_adapter(network, rank=3, alpha=1.0)
    other.load_updates(adapter.updates())
    for name, update in other.updates().items():
        torch.testing.assert_close(update.compute((len(update.up), update.down.shape[1])),
                                   adapter.updates()[name].compute((len(update.up), update.down.shape[1])))  # fmt: skip


def _same(one, two):
    assert one.keys() == two.keys()
    for name, update in one.items():
        assert torch.equal(update.down, two[name].down) and torch.equal(update.up, two[name].up)
        assert update.alpha == two[name].alpha


def test_what_does_not_fit_is_refused(network):
    adapter = make_adapter(network, rank=3)
    with pytest.raises(ValueError, match=r"has the shapes \[2, 8\] and \[8, 2\], the adapter is of rank 3"):
        adapter.load_updates(make_adapter(network, rank=2).updates())
    with pytest.raises(ValueError, match="is not in both"):
        adapter.load_updates(make_adapter(network, rank=3, targets=["to_q"]).updates())
    updates = adapter.updates()
    name = next(iter(updates))
    with pytest.raises(ValueError, match="has the shapes"):
        adapter.load_updates(updates | {name: LowRankUpdate(torch.ones(3, 9), torch.ones(8, 3), 3.0)})
    for options in ({"rank": 0}, {"rank": 2, "alpha": 0.0}, {"rank": 2, "targets": ["nothing"]}):
        with pytest.raises(ValueError, match="1 to 65536, alpha is positive"):
            make_adapter(network, **options)
    with pytest.raises(ValueError, match="1 to 65536"):
        Adapter(layers={"a": [1, 1 << 17]}, rank=1)
    with pytest.raises(AttributeError):
        attach_adapter(network, Adapter(layers={"nowhere": [1, 1]}, rank=1))
