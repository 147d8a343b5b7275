"""How many true images of drawn scenes a model's draws come near, beside what a single image can do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rsforge.data.synthetic.season_worlds import SeasonWorld, draw_world
from rsforge.metrics.calibration import error_of_mean, rank_correlations, spread_of
from rsforge.metrics.coverage import NEAR, find_covered, l1_distances, mean_separation, place_among, rms_distances
from rsforge.recipes.console import Console
from rsforge.recipes.evaluation.draw_spread import FINDINGS, describe_row, row_of
from rsforge.recipes.evaluation.evaluation import Baseline, Batch, Figure, Prediction, Values
from rsforge.recipes.evaluation.image_figures import IMAGE
from rsforge.recipes.evaluation.summary import Bootstrap, to_number
from rsforge.seeds import derive
from rsforge.wording import count_noun

DRAWS, MEAN = "draws", "mean_of_draws"
_COVERED, _SEASON, _L1 = "covered", "covered_by_season", "l1_to_nearest"


@dataclass(frozen=True)
class WorldPlan:
    """``count`` scenes of ``size`` pixels, of the series that ``seed`` begins, and draws ``samples`` for each."""

    count: int
    samples: int
    size: int
    seed: int


class WorldCoverage:
    """Coverage of the four true images of drawn scenes by draws, by their mean, and by ``baselines``.

    ``draw(sar, numbers)`` gives an image ``(3, S, S)`` for each of ``numbers``, of a SAR image ``(1, S, S)``. A draw is
    compared with true images by L1 over all pixels, and once more by what differs between the seasons alone.
    """

    figures: Sequence[Figure] = ()

    def __init__(
        self,
        plan: WorldPlan,
        draw: Callable[[Tensor, Sequence[int]], Tensor],
        baselines: Sequence[Baseline],
        bootstrap: Bootstrap,
        console: Console,
    ) -> None:
        self.plan, self.draw, self.baselines = plan, draw, baselines
        self.bootstrap, self.console = bootstrap, console

    def update(self, predictions: Mapping[str, Prediction], batch: Batch) -> None:
        """Nothing: the scenes are others than the measured images."""

    def add_to(self, result: dict[str, Any], values: Values) -> list[str]:
        """The section ``worlds``, and what it says."""
        plan, rows = self.plan, []
        with self.console.progress("scene", plan.count) as meter:
            for number in range(plan.count):
                rows.append(self._measure(draw_world(derive(plan.seed, "season worlds"), number, plan.size), number))
                meter.step()
        names = [DRAWS, MEAN, *(one.name for one in self.baselines)]
        predictors = {
            name: {figure: self._row([row[name][figure] for row in rows]) for figure in (_COVERED, _SEASON, _L1)}
            for name in names
        }
        section = {
            "scenes": plan.count,
            "truths": rows[0]["truths"],
            "samples": plan.samples,
            "separation": to_number(float(np.mean([row["separation"] for row in rows]))),
            "predictors": predictors,
            "rank_correlation": self._row([row["rank_correlation"] for row in rows]),
        }
        result["worlds"] = section
        result[FINDINGS] = [*result.get(FINDINGS, []), *describe_worlds(section)]
        return []

    def _row(self, column: Sequence[float]) -> dict[str, Any]:
        return row_of(self.bootstrap, np.array(column, dtype=float), range(len(column)))

    def _measure(self, world: SeasonWorld, number: int) -> dict[str, Any]:
        """What one scene gives, by predictor."""
        samples = self.plan.samples
        draws = self.draw(world.sar, [number * samples + k for k in range(samples)])
        truths = world.truths.to(draws)
        images = {DRAWS: draws, MEAN: draws.mean(0, keepdim=True)}
        batch = {"sar": world.sar[None].to(draws)}
        images |= {one.name: one.predict(batch)[IMAGE] for one in self.baselines}
        # The error of the mean of the draws, in the mean over the true images.
        error = torch.stack([error_of_mean(draws[None], truth[None])[0] for truth in truths]).mean(0)
        return {name: compare_truths(image, truths) for name, image in images.items()} | {
            "truths": len(truths),
            "separation": mean_separation(l1_distances(truths, truths)),
            "rank_correlation": float(rank_correlations(spread_of(draws[None]), error[None])[0]),
        }


def compare_truths(images: Tensor, truths: Tensor) -> dict[str, float]:
    """How many of ``truths`` ``(M, 3, S, S)`` the ``images`` ``(K, 3, S, S)`` cover, and how near they come in L1."""
    distances = l1_distances(images, truths)
    places, seasons = place_among(images, truths), place_among(truths, truths)
    by_season = find_covered(rms_distances(places, seasons), rms_distances(seasons, seasons))
    return {
        _COVERED: float(find_covered(distances, l1_distances(truths, truths)).sum()),
        _SEASON: float(by_season.sum()),
        _L1: float(distances.min(1).values.mean()),
    }


def describe_worlds(section: Mapping[str, Any]) -> list[str]:
    """What the coverage of drawn scenes says."""
    truths, samples, rows = section["truths"], section["samples"], section["predictors"]
    drawn, mean = rows[DRAWS], rows[MEAN]
    sentences = [
        f"On {count_noun(section['scenes'], 'drawn scene')}, each with one SAR image and {truths} true optical images "
        f"(seasons), {samples} draws with the empty prompt cover {describe_row(drawn[_COVERED])} of the {truths}, "
        f"and {describe_row(drawn[_SEASON])} where only what differs between the seasons counts",
        "A true image is covered where it is the nearest of all to a draw that is within half of the mean distance "
        f"between true images (L1 {section['separation']:.3g}); draws are {describe_row(drawn[_L1])} from the nearest",
    ]
    if drawn[_L1]["mean"] > NEAR * section["separation"]:
        sentences.append("Draws err by more than the seasons differ, which alone keeps L1 from covering true images")
    for name in (name for name in rows if name != DRAWS):
        covered, by_season = (describe_row(rows[name][figure]) for figure in (_COVERED, _SEASON))
        what = "the mean of the draws" if name == MEAN else name
        sentences.append(
            f"Of deterministic predictors, {what} covers {covered} and {by_season}: one image covers one at most"
        )
    if drawn[_SEASON]["mean"] <= max(1.0, mean[_SEASON]["mean"]):
        sentences.append("The draws cover no more than one image could: they do not show the seasons that may be")
    correlation = section["rank_correlation"]
    sentences.append(f"On these scenes the rank correlation of spread and error is {describe_row(correlation)}")
    return sentences
