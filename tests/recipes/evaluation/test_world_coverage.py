"""Coverage of the seasons of drawn scenes by draws that know them, and by ones that do not."""

from __future__ import annotations

import pytest
import torch

from rsforge.data.synthetic.season_worlds import draw_world
from rsforge.recipes.console import SilentConsole
from rsforge.recipes.evaluation.draw_spread import FINDINGS
from rsforge.recipes.evaluation.evaluation import Baseline
from rsforge.recipes.evaluation.image_figures import IMAGE
from rsforge.recipes.evaluation.summary import Bootstrap
from rsforge.recipes.evaluation.world_coverage import WorldCoverage, WorldPlan
from rsforge.seeds import derive

PLAN = WorldPlan(count=3, samples=8, size=16, seed=5)
ZERO = Baseline("linear_sar", "", lambda batch: {IMAGE: torch.zeros(1, 3, 16, 16)})


def measure(draw) -> dict:
    result: dict = {}
    part = WorldCoverage(PLAN, draw, [ZERO], Bootstrap(200, 0.95, 0), SilentConsole())
    part.update({}, {})
    assert part.add_to(result, {}) == []
    return result


def draw_season(noise: float, count: int = 4):
    """Draws that are one of ``count`` seasons of the scene and noise."""
    seed = derive(PLAN.seed, "season worlds")

    def draw(sar, numbers):
        world = draw_world(seed, numbers[0] // PLAN.samples, PLAN.size)
        assert torch.equal(sar, world.sar) and len(numbers) == PLAN.samples
        generator = torch.Generator().manual_seed(numbers[0])
        chosen = world.truths[[number % count for number in numbers]]
        return chosen + noise * torch.randn(chosen.shape, generator=generator)

    return draw


def test_a_model_that_draws_every_season_covers_all_four_and_its_mean_none():
    result = measure(draw_season(0.001))
    rows = result["worlds"]["predictors"]
    assert [rows["draws"][name]["mean"] for name in ("covered", "covered_by_season")] == [4, 4]
    for name in ("mean_of_draws", "linear_sar"):
        assert rows[name]["covered"]["mean"] <= 1 and rows[name]["l1_to_nearest"]["mean"] > 0.01
    assert rows["linear_sar"]["covered"]["mean"] == 0 and rows["draws"]["covered"]["high"] == 4
    text = ". ".join(result[FINDINGS])
    assert "cover 4 [4, 4] of the 4" in text and "no more than one image could" not in text


def test_a_model_that_draws_one_season_covers_one():
    result = measure(draw_season(0.001, count=1))
    assert result["worlds"]["predictors"]["draws"]["covered"]["mean"] == 1
    assert "no more than one image could" in ". ".join(result[FINDINGS])


def test_noise_hides_the_seasons_in_l1_and_not_in_what_differs_between_them():
    result = measure(draw_season(0.1))
    rows = result["worlds"]["predictors"]["draws"]
    assert rows["covered"]["mean"] == 0 and rows["covered_by_season"]["mean"] == 4
    assert rows["l1_to_nearest"]["mean"] == pytest.approx(0.08, rel=0.1)
    assert "Draws err by more than the seasons differ" in ". ".join(result[FINDINGS])
    assert "Draws err by more" not in ". ".join(measure(draw_season(0.001))[FINDINGS])
