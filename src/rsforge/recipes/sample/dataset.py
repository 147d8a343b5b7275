"""``rsforge sample dataset``: optical images for held-out pairs of a dataset, beside the true ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from rsforge.recipes.console import Console, Meter
from rsforge.recipes.datasets.measured_subset import MeasuredSubset
from rsforge.recipes.datasets.pairs_of_checkpoint import open_subset
from rsforge.recipes.datasets.prompts import write_prompts
from rsforge.recipes.evaluation.baseline_predictors import pair_baselines
from rsforge.recipes.evaluation.evaluation import Baseline, Figure
from rsforge.recipes.evaluation.image_figures import IMAGE, image_figures
from rsforge.recipes.evaluation.learned_metrics import load_lpips
from rsforge.recipes.sample.sar_images import (
    Artist,
    Drawn,
    Order,
    describe,
    open_artist,
    warn_of_one_colour,
    write_all,
    write_manifest,
)
from rsforge.recipes.training import output_dir
from rsforge.settings.sample_sar import SampleDatasetSettings

CPU = torch.device("cpu")  # where the few images are compared
BASELINES = "baselines"


def draw(settings: SampleDatasetSettings, console: Console) -> dict[str, Any]:
    """Draw for some pairs, evenly spread over the chosen side, and measure how near the true images come."""
    artist = open_artist(settings, console)
    state = artist.model.state
    pairs = open_subset(settings.data, settings.side, console, on_bad="skip", state=state)
    count = min(settings.num_samples, len(pairs.samples))
    learned = load_lpips(settings.vgg_weights, CPU, console)
    result = {
        "output_dir": str(settings.output_dir), "side": pairs.subset, "pairs": len(pairs.samples),
        "images": count, **describe(artist), "absent": learned.absent,
    }  # fmt: skip
    if console.dry_run:
        return result
    output_dir.make(settings.output_dir)
    figures = [one for one in image_figures("optical", learned, error="l1") if one.of is not None]
    judge = Judge(figures, pair_baselines(state, pairs.samples, CPU, console).baselines)
    with console.progress("image", count) as meter:
        orders = list_orders(settings, pairs, artist, console, meter)
        records = write_all(artist, orders, settings.output_dir, judge.measure)
    warn_of_one_colour(records, console)
    means = judge.summarize(records)
    warn_of_better_baseline(means, console)
    write_manifest(settings.output_dir, artist, records, side=pairs.subset, absent=learned.absent, **means)
    return result | means


def list_orders(
    settings: SampleDatasetSettings, pairs: MeasuredSubset, artist: Artist, console: Console, meter: Meter
) -> Iterator[Order]:
    """One order a pair, with the prompt of its own region and season."""
    count = min(settings.num_samples, len(pairs.samples))
    prompts = write_prompts(artist.model.template, pairs.metadata, console)
    for number in range(count):
        index = number * len(pairs.samples) // count
        sar, optical = pairs.samples[0, index]
        facts = name_facts(pairs.metadata[index])
        target = settings.output_dir / f"sample_{number:03d}_{facts['region']}_{facts['season']}_generated.png"
        yield Order(number, pairs.samples.name(index), sar, prompts[index], target, facts, optical)
        meter.step()


def name_facts(metadata: Mapping[str, str]) -> dict[str, str]:
    """Region and season of a pair, ``unknown`` where they are."""
    return {name: metadata.get(name) or "unknown" for name in ("region", "season")}


def warn_of_better_baseline(means: Mapping[str, Any], console: Console) -> None:
    """Warn where a predictor without a network comes nearer to the true images than the first draws."""
    own, others = means["figures"]["l1"], {name: row["l1"] for name, row in means[BASELINES].items()}
    nearest = min(others, key=others.__getitem__)
    if own >= others[nearest]:
        console.warn(f"the images are no nearer to the true ones than {nearest}: L1 {own:.4g}, {others[nearest]:.4g}")


@dataclass(frozen=True)
class Judge:
    """How near images come to the true ones, and how near predictors without a network."""

    figures: Sequence[Figure]
    baselines: Sequence[Baseline]

    @torch.no_grad()
    def measure(self, drawn: Drawn) -> dict[str, Any]:
        """The figures of the first draw by name, and under ``baselines`` those of each of them."""
        assert drawn.order.truth is not None
        batch = {"sar": drawn.order.sar[None], "optical": drawn.order.truth[None]}
        own = self._measure(drawn.images[:1], batch)
        return own | {BASELINES: {one.name: self._measure(one.predict(batch)[IMAGE], batch) for one in self.baselines}}

    def _measure(self, image: torch.Tensor, batch: dict[str, torch.Tensor]) -> dict[str, float]:
        return {one.name: float(one.of({IMAGE: image.cpu()}, batch)) for one in self.figures if one.of is not None}

    def summarize(self, records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Means over the records: ``figures`` of the model, and ``baselines`` by name."""

        def mean_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
            return {one.name: sum(row[one.name] for row in rows) / len(rows) for one in self.figures}

        by_name = {one.name: mean_of([row[BASELINES][one.name] for row in records]) for one in self.baselines}
        return {"figures": mean_of(records), BASELINES: by_name}
