"""The defaults of the document, ratios, and what excludes each other."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from rsforge.settings.hsi_spatial import SpatialTrainSettings


def test_the_defaults_are_those_of_the_document():
    s = SpatialTrainSettings()
    assert (s.data.data_dir, s.run.output_dir) == ("outputs/dataset_small", Path("outputs/stage2_training"))
    assert (s.loop.epochs, s.loop.batch_size, s.run.num_workers, s.run.seed) == (100, 4, 4, 42)
    assert (s.optim.optimizer, s.optim.learning_rate, s.optim.lr_scheduler) == ("adam", 1e-4, "plateau")
    assert (s.network.model, s.network.scale, s.data.val_fraction, s.data.source) == (
        "spatial_sr", "7.5", 0.2, "stage1",
    )  # fmt: skip
    assert (s.network.num_features, s.network.num_groups, s.network.num_blocks) == (None, 4, 4)
    assert (s.loss.l1_weight, s.loss.l2_weight, s.loss.sam_weight) == (1, 0, 0.05)


@pytest.mark.parametrize(
    ("given", "meant"),
    [("7.5", "7.5"), (7.5, "7.5"), ("15/2", "7.5"), (4, "4"), ("8/2", "4"), ("10/3", "10/3"), ("3.750", "3.75")],
)
def test_each_scale_has_one_spelling(given, meant):
    assert SpatialTrainSettings(network={"scale": given}).network.scale == meant


@pytest.mark.parametrize(
    ("section", "value"),
    [
        ("loss", {"l1_weight": 0, "sam_weight": 0}),
        ("network", {"scale": "1/0"}),
        ("network", {"scale": "1e9"}),
        ("network", {"scale": "-2"}),
        ("network", {"scale": float("nan")}),
        ("network", {"model": "unet"}),
        ("data", {"source": "both"}),
    ],
)
def test_what_makes_no_sense_is_refused(section, value):
    with pytest.raises(ValidationError):
        SpatialTrainSettings(**{section: value})
