"""Sizes and positions that follow from the ratio exactly."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from rsforge.models.spectral.area_consistency import area_means
from rsforge.models.spectral.resize import average_areas, parse_scale, resize


@pytest.mark.parametrize("scale", [7.5, "7.5", "15/2", Fraction(15, 2)])
def test_a_scale_is_the_same_ratio_however_it_is_written(scale) -> None:
    assert parse_scale(scale) == Fraction(15, 2)


def test_a_decimal_number_is_the_decimal_ratio() -> None:
    assert parse_scale(1.15) == Fraction(23, 20)


@pytest.mark.parametrize("scale", [0.5, 65, "1001/1000", "-2"])
def test_other_scales_are_refused(scale) -> None:
    with pytest.raises(ValueError, match="a scale of"):
        parse_scale(scale)


@pytest.mark.parametrize(("scale", "height", "width"), [("15/2", 5, 4), ("4", 3, 2), ("10/3", 4, 5), ("1", 3, 2)])
def test_averages_are_area_means(scale, height, width) -> None:
    ratio = Fraction(scale)
    fine = torch.rand(1, 2, int(height * ratio), int(width * ratio), dtype=torch.float64)
    means = average_areas(fine, (height, width), ratio)
    torch.testing.assert_close(means[0], area_means(fine[0], height, width, ratio))


@pytest.mark.parametrize(
    ("scale", "side", "expected"),
    [("15/2", 34, 255), ("15/2", 33, 247), ("7/5", 45, 63), ("15/16", 272, 255), ("10/3", 7, 23), ("1/3", 10, 3)],
)
def test_sizes_are_exact(scale, side, expected) -> None:
    """45 times 1.4 is 62.999… in floating point, which would lose a pixel."""
    assert resize(torch.ones(1, 1, side, 4), Fraction(scale)).shape[2] == expected
    assert resize(torch.ones(1, 1, 4, side), Fraction(scale)).shape[3] == expected


@pytest.mark.parametrize(
    ("scale", "sides"), [("15/2", (34, 30)), ("3", (9, 12)), ("15/16", (64, 48)), ("1/2", (40, 36))]
)
def test_it_is_torchs_where_sizes_divide_away_from_the_border(scale, sides, image) -> None:
    x = image(2, 3, *sides)
    y = resize(x, Fraction(scale))
    expected = F.interpolate(x, size=y.shape[2:], mode="bicubic", antialias=True)
    rim = -(-5 * Fraction(scale) // 1)
    inner = (..., slice(rim, -rim), slice(rim, -rim))
    torch.testing.assert_close(y[inner], expected[inner], atol=1e-5, rtol=0)


@pytest.mark.parametrize("scale", ["15/2", "7/3", "15/16", "731/800", "2/5"])
def test_positions_follow_from_the_scale_where_sizes_do_not_divide(scale) -> None:
    """A ramp stays the ramp of pixel centres; a ratio of sizes would stretch it."""
    ratio, side = Fraction(scale), 47
    x = (torch.arange(side, dtype=torch.float64) + 0.5).expand(1, 1, 3, side)
    y = resize(x, ratio)[0, 0, 0]
    centres = (torch.arange(len(y)) + 0.5).double() / float(ratio)
    rim = 1 + int(4 * max(1, ratio))
    tolerance = 1e-9 if ratio > 1 else 0.02  # a widened cubic keeps ramps to a hundredth of a pixel
    torch.testing.assert_close(y[rim:-rim], centres[rim:-rim], atol=tolerance, rtol=0)


def area_mean(x: Tensor, scale: Fraction) -> Tensor:
    """The exact means of rows over pixels ``scale`` times as wide, by differences of the integral."""
    integral = F.pad(x.cumsum(-1), (1, 0))
    edges = torch.arange(int(x.shape[-1] / scale) + 1).double() * float(scale)
    low = edges.floor().long().clamp(max=x.shape[-1] - 1)
    at = integral[..., low] + (edges - low) * x[..., low]
    return at.diff(dim=-1) / float(scale)


def test_area_means_come_back_without_a_shift() -> None:
    """255 pixels averaged to 34 and enlarged again keep their places: half a pixel would show as 3.25 here."""
    fine = torch.arange(255, dtype=torch.float64).expand(1, 1, 1, 255)
    coarse = area_mean(fine, Fraction(15, 2))
    assert coarse.shape[-1] == 34
    back = resize(coarse, Fraction(15, 2))[..., :255]
    # A sixtieth is what halves of pixels, each taken at its middle, change the means by.
    torch.testing.assert_close(back[0, 0, 0, 20:-20], fine[0, 0, 0, 20:-20], atol=1 / 59, rtol=0)


def test_detail_too_fine_for_the_result_is_averaged_away() -> None:
    stripes = (torch.arange(64) % 2).double().expand(1, 1, 8, 64)
    assert (resize(stripes, Fraction(1, 4))[..., 3:-3] - 0.5).abs().max() < 0.02


def test_far_pixels_are_as_exact_as_near_ones(image) -> None:
    """Positions in float32 lose a thousandth of a pixel at 16,000."""
    x = image(1, 1, 1, 20).float()
    far = torch.cat([torch.zeros(1, 1, 1, 16_000), x], dim=3)
    y, alone = resize(far, Fraction(15, 2)), resize(x, Fraction(15, 2))
    torch.testing.assert_close(y[0, 0, 0, -100:], alone[0, 0, 0, -100:], atol=1e-6, rtol=0)


def test_a_flat_image_stays_flat_up_to_its_border() -> None:
    for scale in ("15/2", "15/16", "1/3"):
        assert (resize(torch.ones(1, 1, 9, 9), Fraction(scale)) - 1).abs().max() < 1e-6


def test_gradients_pass_and_half_precision_stays_full_under_autocast(image) -> None:
    x = image(1, 1, 4, 5).requires_grad_()
    assert torch.autograd.gradcheck(lambda t: resize(t, Fraction(15, 8)), x)
    wide = image(1, 1, 8, 8).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(resize(wide, Fraction(5, 2)), resize(wide, Fraction(5, 2)).float())
        inside = resize(wide, Fraction(5, 2))
    assert torch.equal(inside, resize(wide, Fraction(5, 2)))


def test_a_scale_of_one_changes_nothing(image) -> None:
    x = image(1, 1, 4, 5)
    assert resize(x, Fraction(1)) is x
