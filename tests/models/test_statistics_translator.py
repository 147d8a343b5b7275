"""A translator over a linear model of local statistics: where it starts, and what it keeps."""

from __future__ import annotations

import pytest
import torch

from rsforge.metrics.least_absolute import fit_least_absolute, predict_linear
from rsforge.models.catalogue import build
from rsforge.models.local_statistics import local_statistics
from rsforge.models.statistics_translator import StatisticsUNet


def draw(count: int, bands: int = 2) -> torch.Tensor:
    return torch.rand(count, bands, 32, 32, generator=torch.Generator().manual_seed(count)) * 2 - 1


def fit_to(sar: torch.Tensor) -> dict[str, torch.Tensor]:
    features = local_statistics(sar.double()).movedim(1, -1).flatten(0, 2)
    targets = torch.stack([sar.mean(1), sar[:, 0] ** 2, -1.5 * sar[:, 1]], -1)
    return fit_least_absolute(features, targets.flatten(0, 2))


def make(norm: str = "batch") -> StatisticsUNet:
    torch.manual_seed(0)
    return StatisticsUNet(in_channels=2, out_channels=3, depth=4, base=2, norm=norm)


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_untrained_it_gives_what_the_linear_model_gives(norm) -> None:
    fitted, x = fit_to(draw(4)), draw(3)
    net = make(norm)
    net.linear.take(fitted)
    expected = predict_linear(local_statistics(x.double()).movedim(1, -1), fitted).movedim(-1, 1)
    assert float(expected.abs().mean()) > 0.1 and float(expected.abs().max()) > 1
    torch.testing.assert_close(net(x), expected.float(), atol=2e-3, rtol=0)
    torch.testing.assert_close(net.eval()(x), expected.float().clamp(-1, 1), atol=2e-3, rtol=0)


def test_what_is_fitted_is_not_trained_and_is_kept_with_the_weights() -> None:
    net = make()
    net.linear.take(fit_to(draw(4)))
    assert not [name for name, _ in net.named_parameters() if name.startswith("linear")]
    again = build(net.architecture)
    again.load_state_dict(net.state_dict(), strict=True)
    assert torch.equal(again.eval()(draw(2)), net.eval()(draw(2)))


def test_gradients_are_finite_where_an_image_is_flat() -> None:
    net, x = make(), torch.zeros(2, 2, 32, 32, requires_grad=True)
    net.linear.take(fit_to(draw(4)))
    torch.nn.init.ones_(net.network.to_image.weight)
    net(x).square().mean().backward()
    assert x.grad is not None and bool(x.grad.isfinite().all()) and float(x.grad.abs().max()) > 0
    assert all(bool(p.grad.isfinite().all()) for p in net.parameters() if p.grad is not None)


def test_the_network_sees_the_statistics() -> None:
    net = make()
    seen: list[torch.Tensor] = []
    net.network.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    fitted, x = fit_to(draw(4)), draw(1)
    net.linear.take(fitted)
    net(x)
    standard = (local_statistics(x.double()) - fitted["mean"][:, None, None]) / fitted["scale"][:, None, None]
    torch.testing.assert_close(seen[0][:, :2], x)
    torch.testing.assert_close(seen[0][:, 2:], standard.clamp(-5, 5).float(), atol=1e-2, rtol=0)


def test_sides_that_do_not_halve_are_refused() -> None:
    with pytest.raises(ValueError, match="multiples of 16"):
        make()(torch.zeros(1, 2, 40, 40))
