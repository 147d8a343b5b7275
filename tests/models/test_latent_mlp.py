"""The denoiser of vectors."""

from __future__ import annotations

import pytest
import torch

from rsforge.models.latent_mlp import LatentMlp


def test_the_default_has_the_documents_size() -> None:
    with torch.device("meta"):
        network = LatentMlp()
    number = sum(p.numel() for p in network.parameters())
    assert number == 5_663_872
    assert number == pytest.approx(5.66e6, rel=0.03)


@pytest.mark.parametrize("latent_dim", [1, 10, 128])
@pytest.mark.parametrize("hidden", [(16,), (16, 32), [24, 24, 40, 40]])
def test_any_latent_keeps_its_shape(latent_dim: int, hidden) -> None:
    network = LatentMlp(latent_dim=latent_dim, hidden=hidden, time_dim=32)
    x_t = torch.randn(3, latent_dim)
    assert network(x_t, torch.tensor([0, 5, 999])).shape == x_t.shape


def test_widths_that_the_groups_do_not_divide_are_refused() -> None:
    with pytest.raises(ValueError, match="divisible"):
        LatentMlp(hidden=(16, 20))


def test_every_parameter_learns() -> None:
    network = LatentMlp(latent_dim=10, hidden=(16, 16, 32), time_dim=16)
    network(torch.randn(8, 10), torch.arange(8)).square().mean().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_time_matters_and_dropout_only_in_training() -> None:
    network, x_t = LatentMlp(latent_dim=10, hidden=(16, 32), dropout=0.5), torch.randn(4, 10)
    assert not torch.equal(network(x_t, 3), network(x_t, 3))
    network.eval()
    torch.testing.assert_close(network(x_t, 3), network(x_t, torch.full((4,), 3)), atol=0, rtol=0)
    assert not torch.allclose(network(x_t, 3), network(x_t, 700))
    torch.testing.assert_close(network(x_t, 3)[:1], network(x_t[:1], 3), atol=1e-5, rtol=1e-5)


def test_the_way_up_meets_every_result_of_the_way_down_but_the_last() -> None:
    network = LatentMlp(latent_dim=4, hidden=(8, 16, 24), time_dim=8)
    wide = [block.first[0].in_features for block in network.up]
    assert wide == [24 + 16, 16 + 8]


@pytest.mark.parametrize("extra", ["context", "condition", "context_mask", "vector"])
def test_context_and_condition_are_refused(extra: str) -> None:
    with pytest.raises(ValueError, match="neither"):
        LatentMlp(latent_dim=4, hidden=(8,))(torch.zeros(1, 4), 0, **{extra: torch.zeros(1, 4)})
