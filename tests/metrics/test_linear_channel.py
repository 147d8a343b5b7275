"""The best linear code of so many numbers and nats."""

from __future__ import annotations

import pytest
import torch

from rsforge.metrics.linear_channel import allot_distortion, fit_channel
from rsforge.metrics.pca import fit_pca
from tests.worlds.noisy_channel import send

VARIANCES = torch.tensor([9.0, 4.0, 1.0, 0.25])


@pytest.mark.parametrize("nats", [0.1, 0.7, 1.5, 3.0, 12.0])
def test_the_nats_are_spent_and_every_component_has_the_same_error_or_is_left_out(nats):
    distortion = allot_distortion(VARIANCES, nats)
    spent = 0.5 * (VARIANCES.double() / distortion).log().sum()
    assert float(spent) == pytest.approx(nats)
    told = distortion < VARIANCES
    level = distortion[told][0]
    assert torch.allclose(distortion[told], level) and (VARIANCES[~told] <= level).all()


def test_no_other_allotment_of_the_nats_has_a_smaller_error():
    best = float(allot_distortion(VARIANCES, 2.0).sum())
    generator = torch.Generator().manual_seed(0)
    for _ in range(200):
        shares = torch.rand(4, generator=generator).double()
        other = VARIANCES.double() * torch.exp(-2 * 2.0 * shares / shares.sum())
        assert float(other.sum()) >= best - 1e-9


def test_gaussian_images_arrive_with_the_error_of_the_theory():
    generator = torch.Generator().manual_seed(1)
    codes = torch.randn(2000, 3, generator=generator) * torch.tensor([0.3, 0.2, 0.1])
    rows = torch.linalg.qr(torch.randn(12, 3, generator=generator))[0].T
    images = (codes @ rows).view(-1, 3, 2, 2)
    fitted = fit_pca(((images + 1) * 127.5).round().clamp(0, 255).byte(), 3)
    nats = 2.5
    channel = fit_channel(fitted["mean"], fitted["components"], fitted["variances"], nats)
    arrived = send(channel, fitted["variances"], images)
    expected = float(allot_distortion(fitted["variances"], nats).sum()) / 12
    assert float((arrived - images).square().mean()) == pytest.approx(expected, rel=0.05)


def test_what_is_expected_to_arrive_is_the_mean_over_the_noise_and_in_range():
    generator = torch.Generator().manual_seed(2)
    images = torch.rand(6, 3, 4, 4, generator=generator) * 2 - 1
    fitted = fit_pca(((images + 1) * 127.5).byte(), 3)
    channel = fit_channel(fitted["mean"], fitted["components"], fitted["variances"], 2.0).to(torch.device("cpu"))
    sent = send(channel, fitted["variances"], images[:1].expand(4000, -1, -1, -1)).mean(0)
    torch.testing.assert_close(channel.expect(images)[0], sent, atol=0.02, rtol=0)
    assert channel.expect(50 * images).abs().max() == 1
