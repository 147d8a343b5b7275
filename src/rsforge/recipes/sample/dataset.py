"""``rsforge sample dataset``: optical images for held-out pairs of a dataset, beside the true ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rsforge.metrics.image import psnr, ssim
from rsforge.recipes.console import Console
from rsforge.recipes.datasets.measured_subset import MeasuredSubset
from rsforge.recipes.datasets.pairs_of_checkpoint import open_subset
from rsforge.recipes.datasets.prompts import write_prompts
from rsforge.recipes.evaluation.image_figures import l1
from rsforge.recipes.sample.sar_images import (
    Artist,
    Drawn,
    Order,
    describe,
    open_artist,
    write_drawn,
    write_manifest,
    write_overview,
)
from rsforge.recipes.training import output_dir
from rsforge.settings.sample_sar import SampleDatasetSettings


def draw(settings: SampleDatasetSettings, console: Console) -> dict[str, Any]:
    """Draw for some pairs, evenly spread over the chosen side, and measure how near the true images come."""
    artist = open_artist(settings, console)
    pairs = open_subset(settings.data, settings.side, console, on_bad="skip", state=artist.model.state)
    orders = list_orders(settings, pairs, artist, console)
    result = {
        "output_dir": str(settings.output_dir), "side": pairs.subset, "pairs": len(pairs.samples),
        "images": len(orders), **describe(artist),
    }  # fmt: skip
    if console.dry_run:
        return result
    output_dir.make(settings.output_dir)
    drawn, records = [], []
    with console.progress("image", len(orders)) as meter:
        for one in artist.draw(orders, meter):
            records.append(write_drawn(one) | figures_of(one))
            drawn.append(one)
    means = {name: sum(record[name] for record in records) / len(records) for name in figures_of(drawn[0])}
    write_overview(settings.output_dir, drawn)
    write_manifest(settings.output_dir, artist, records, side=pairs.subset, figures=means)
    return result | {"figures": means}


def list_orders(
    settings: SampleDatasetSettings, pairs: MeasuredSubset, artist: Artist, console: Console
) -> list[Order]:
    """One order a pair, with the prompt of its own region and season."""
    count = min(settings.num_samples, len(pairs.samples))
    prompts = write_prompts(artist.model.template, pairs.metadata, console)
    orders = []
    for number in range(count):
        index = number * len(pairs.samples) // count
        sar, optical = pairs.samples[0, index]
        facts = name_facts(pairs.metadata[index])
        target = settings.output_dir / f"sample_{number:03d}_{facts['region']}_{facts['season']}_generated.png"
        orders.append(Order(pairs.samples.name(index), sar, prompts[index], target, facts, optical))
    return orders


def name_facts(metadata: Mapping[str, str]) -> dict[str, str]:
    """Region and season of a pair, ``unknown`` where they are."""
    return {name: metadata.get(name) or "unknown" for name in ("region", "season")}


def figures_of(drawn: Drawn) -> dict[str, float]:
    """How near the first draw comes to the true image."""
    assert drawn.order.truth is not None
    made, truth = drawn.images[:1], drawn.order.truth[None]
    return {
        "l1": float(l1(made, truth)), "psnr_db": float(psnr(made, truth)), "ssim": float(ssim(made, truth)),
    }  # fmt: skip
