"""Pairs as a training opens them, a console that records its lines, and the checkpoint of that training."""

from __future__ import annotations

from pathlib import Path

import pytest

from rsforge.errors import RsforgeError
from rsforge.recipes.datasets import pairs as pair_datasets
from rsforge.recipes.training import output_dir
from rsforge.settings.base import RunSettings
from rsforge.settings.cyclegan import CycleGanTrainSettings
from rsforge.settings.pairs import PairTrainingSettings

TERRAINS = ("agri", "coast", "river", "urban")


def load_pairs(root, console, *, on_bad="error", seed=42, output="/nowhere", **data) -> pair_datasets.PairSets:
    settings = PairTrainingSettings(data_dir=str(root), **{"image_size": 32} | data)
    return pair_datasets.load_pairs(settings, RunSettings(output_dir=Path(output), on_bad=on_bad, seed=seed), console)


def sample_names(samples) -> set[str]:
    return {samples.name(k) for k in range(len(samples))}


def state_of(pairs: pair_datasets.PairSets, root, *, seed=42, **data) -> dict:
    """What a checkpoint of such a training says."""
    settings = CycleGanTrainSettings(
        run=RunSettings(seed=seed), data=PairTrainingSettings(data_dir=str(root), image_size=32, **data)
    )
    return {
        "image_size": 32,
        "sar_channels": pairs.sar_channels,
        "radiometry": pairs.radiometry.as_dict(),
        "images": pairs.identity,
        "trained": pairs.trained,
        "settings": output_dir.plain(settings),
    }


def load_refused(code, *args, **options) -> RsforgeError:
    with pytest.raises(RsforgeError) as caught:
        load_pairs(*args, **options)
    assert caught.value.code == code, caught.value.what
    return caught.value


def scene_names(samples) -> set[str]:
    return {name.split("/")[0] for name in sample_names(samples)}
