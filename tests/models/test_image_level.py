"""Images at mean 0 and deviation 1: what they were scaled by does not count, and gaps do not either."""

from __future__ import annotations

import torch

from rsforge.models.image_level import MOST_DEVIATIONS, show_level, standardise_images
from rsforge.models.pix2pix import Pix2PixUNet
from rsforge.models.statistics_translator import StatisticsUNet


def draw(bands: int = 2) -> torch.Tensor:
    return torch.rand(3, bands, 32, 32, generator=torch.Generator().manual_seed(0)) - 0.5


def test_every_band_of_every_image_has_mean_0_and_deviation_1() -> None:
    x = draw() * torch.tensor([0.2, 1.0, 1.5])[:, None, None, None] + 0.1
    standard = standardise_images(x)
    torch.testing.assert_close(standard.mean((-2, -1)), torch.zeros(3, 2), atol=1e-5, rtol=0)
    torch.testing.assert_close(standard.std((-2, -1), correction=0), torch.ones(3, 2), atol=1e-4, rtol=0)
    by_band = torch.tensor([0.3, 0.7])[:, None, None]
    torch.testing.assert_close(standardise_images(by_band * x - 0.2), standard, atol=1e-4, rtol=0)


def test_gaps_do_not_count_and_dark_pixels_of_one_band_do() -> None:
    x = draw()
    x[..., :9, :] = -1
    torch.testing.assert_close(standardise_images(x)[..., 9:, :], standardise_images(x[..., 9:, :]))
    one_band = draw()
    one_band[:, 0, :9] = -1
    assert float(standardise_images(one_band)[:, 0, 9:].mean()) > 0.3
    torch.testing.assert_close(standardise_images(one_band)[:, 1], standardise_images(draw())[:, 1])


def test_flat_empty_and_glaring_images_give_finite_values() -> None:
    x = torch.cat([torch.full((1, 1, 32, 32), 0.3), torch.full((1, 1, 32, 32), -1.0), -0.99 * torch.ones(1, 1, 32, 32)])
    x[2, 0, 0, 0] = 1
    standard = standardise_images(x)
    assert float(standard[0].abs().max()) < 1e-3 and bool(standard.isfinite().all())
    assert float(standard.max()) == float(standard[2, 0, 0, 0]) == MOST_DEVIATIONS


def test_both_are_the_image_and_what_is_standardised() -> None:
    x = draw()
    assert show_level(x, "keep") is x and torch.equal(show_level(x, "standardise"), standardise_images(x))
    assert torch.equal(show_level(x, "both"), torch.cat([x, standardise_images(x)], 1))


def test_translators_take_every_image_so_where_they_are_told_to() -> None:
    x = draw(1)
    for kind in (Pix2PixUNet, StatisticsUNet):
        for level in ("keep", "standardise", "both"):
            torch.manual_seed(0)
            net = kind(depth=4, base=2, level=level).eval()
            if isinstance(net, StatisticsUNet):
                torch.nn.init.normal_(net.linear.coefficients, std=0.05)
            with torch.no_grad():
                same = torch.allclose(net(x), net(0.5 * x - 0.2), atol=1e-4)
            assert same == (level == "standardise") and net.architecture["level"] == level
