from __future__ import annotations

import pytest
import torch

from rsforge.metrics.image import psnr, ssim
from rsforge.recipes.evaluation.image_figures import IMAGE, error_panel, image_figures
from rsforge.recipes.evaluation.learned_metrics import LearnedMetrics

NONE = LearnedMetrics(None, None, {})


@pytest.mark.parametrize(("error", "power"), [("l1", 1), ("mse", 2)])
def test_images_are_compared_with_those_of_the_batch(error, power):
    g = torch.Generator().manual_seed(0)
    x, y = (torch.rand(3, 3, 16, 16, generator=g) * 2 - 1 for _ in range(2))
    figures = {figure.name: figure for figure in image_figures("optical", NONE, error=error)}
    assert list(figures) == [error, "psnr_db", "ssim", "lpips"] and figures["lpips"].of is None
    expected = {error: (x - y).abs().pow(power).mean((1, 2, 3)), "psnr_db": psnr(y, x), "ssim": ssim(y, x)}
    for name, values in expected.items():
        torch.testing.assert_close(figures[name].of({IMAGE: y}, {"optical": x}), values)
    assert [name for name, figure in figures.items() if figure.higher_is_better] == ["psnr_db", "ssim"]


def test_a_network_of_likeness_is_asked_where_it_is_there():
    learned = LearnedMetrics(lambda y, x: (y - x).flatten(1).sum(1), None, {})
    lpips = image_figures("optical", learned, error="l1")[-1]
    x, y = torch.zeros(2, 3, 8, 8), torch.ones(2, 3, 8, 8)
    assert lpips.of({IMAGE: y}, {"optical": x}).tolist() == [192.0, 192.0]


def test_equal_images_are_as_near_as_eight_bits_tell():
    x = torch.zeros(2, 3, 32, 32)
    y = x + torch.tensor([0.0, 0.1]).view(2, 1, 1, 1)
    decibels = image_figures("optical", NONE, error="l1")[1].of({IMAGE: y}, {"optical": x})
    assert decibels.tolist() == pytest.approx([58.92, 26.02], abs=0.01)


def test_errors_are_shown_as_a_map_of_one_scale():
    panel = error_panel(torch.full((3, 4, 4), 0.25), torch.zeros(3, 4, 4))
    assert panel.image.shape == (4, 4) and float(panel.image.max()) == 0.25 and panel.limit == 0.5


def test_pixels_without_data_have_no_part_in_figures():
    g = torch.Generator().manual_seed(0)
    x, y = (torch.rand(2, 3, 32, 32, generator=g) * 2 - 1 for _ in range(2))
    valid = torch.ones(2, 1, 32, 32, dtype=torch.bool)
    valid[..., :8] = False
    learned = LearnedMetrics(lambda y, x: (y - x).abs().flatten(1).mean(1), None, {})
    figures = {
        f.name: f
        for f in [*image_figures("optical", learned, error="l1"), *image_figures("optical", NONE, error="mse")[:1]]
    }
    part = {"l1": (y - x)[..., 8:].abs().mean((1, 2, 3)), "mse": (y - x)[..., 8:].square().mean((1, 2, 3))}
    part |= {"psnr_db": psnr(y[..., 8:], x[..., 8:]), "ssim": ssim(y[..., 8:], x[..., 8:]), "lpips": part["l1"]}
    for name, figure in figures.items():
        torch.testing.assert_close(figure.of({IMAGE: y}, {"optical": x, "valid": valid}), part[name])
