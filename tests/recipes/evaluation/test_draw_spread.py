"""What the spread of draws says of their errors, by draws whose spread is chosen."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rsforge.recipes.evaluation.draw_spread import DRAWS, FINDINGS, DrawSpread, describe_ratio, row_of
from rsforge.recipes.evaluation.evaluation import MODEL
from rsforge.recipes.evaluation.summary import Bootstrap

BOOTSTRAP = Bootstrap(200, 0.95, 0)


def measure(scale: torch.Tensor, *, spread: torch.Tensor | None = None, images: int = 6) -> dict:
    """The result for truths that differ from 0 by noise of ``scale`` ``(H, W)``, and draws by noise of ``spread``."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(images, 9, 3, *scale.shape, generator=generator)
    truth, draws = scale * noise[:, 0], (scale if spread is None else spread) * noise[:, 1:]
    part, result = DrawSpread("optical", range(images), BOOTSTRAP), {FINDINGS: ["Before"]}
    for batch in (slice(0, 4), slice(4, images)):
        part.update({MODEL: {DRAWS: draws[batch]}}, {"optical": truth[batch]})
    assert part.add_to(result, {}) == []
    return result


RAMP = torch.linspace(0.1, 2, 256).view(16, 16)


def test_draws_that_know_where_they_err_are_told_from_those_that_do_not():
    knows, misled = measure(RAMP), measure(RAMP, spread=RAMP.flip(0, 1))
    blind = measure(torch.ones(16, 16))
    for result, words in (
        (knows, "their mean errs more"), (misled, "their spread misleads"), (blind, "does not tell where"),
    ):  # fmt: skip
        assert result[FINDINGS][0] == "Before" and words in result[FINDINGS][1]
    row = knows["calibration"]["rank_correlation"]
    assert row["mean"] > 0.4 and row["low"] < row["mean"] < row["high"] and row["images"] == 6
    assert abs(blind["calibration"]["rank_correlation"]["mean"]) < 0.1


@pytest.mark.parametrize(
    ("factor", "words"), [(1.0, "about as much"), (0.3, "too much alike"), (3.0, "differ too much")]
)
def test_the_size_of_the_spread_is_compared_with_that_of_the_error(factor, words):
    result = measure(RAMP, spread=factor * RAMP, images=8)
    # Beside the error of the truth the mean of eight draws has its own, an eighth of their variance.
    expected = factor * (9 / 8 / (1 + factor**2 / 8)) ** 0.5
    assert result["calibration"]["spread_to_error"] == pytest.approx(expected, rel=0.05)
    assert words in result[FINDINGS][2]


def test_draws_that_are_all_alike_have_no_correlation():
    result = measure(RAMP, spread=torch.zeros(16, 16))
    assert result["calibration"] == {
        "rank_correlation": {"mean": None, "low": None, "high": None, "images": 0}, "spread_to_error": 0.0,
    }  # fmt: skip
    assert "do not differ" in result[FINDINGS][1] and describe_ratio(None) == ""


def test_images_without_a_correlation_are_left_out_of_the_mean():
    row = row_of(BOOTSTRAP, np.array([0.2, np.nan, 0.4]), ["a", "b", "c"])
    assert (row["mean"], row["images"]) == (pytest.approx(0.3), 2)


def test_pixels_without_data_have_no_part():
    generator = torch.Generator().manual_seed(0)
    noise = RAMP * torch.randn(4, 9, 3, 16, 16, generator=generator)
    valid = torch.ones(4, 1, 16, 16, dtype=torch.bool)
    valid[..., :6] = False
    results = []
    for under in (0.0, 7.0):
        truth, draws, part = noise[:, 0].where(valid, under), noise[:, 1:], DrawSpread("optical", range(4), BOOTSTRAP)
        part.update({MODEL: {DRAWS: draws}}, {"optical": truth, "valid": valid})
        results.append({})
        part.add_to(results[-1], {})
    assert results[0] == results[1]
    part, alone = DrawSpread("optical", range(4), BOOTSTRAP), {}
    part.update({MODEL: {DRAWS: noise[:, 1:, ..., 6:]}}, {"optical": noise[:, 0, ..., 6:]})
    part.add_to(alone, {})
    for name, figure in results[0]["calibration"].items():
        assert figure == pytest.approx(alone["calibration"][name], rel=1e-5), name
