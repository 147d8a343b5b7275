"""The defaults of the document, and what excludes each other."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from rsforge.settings.hsi import SpectralTrainSettings


def test_the_defaults_are_those_of_the_document():
    s = SpectralTrainSettings()
    assert (s.data.data_dir, s.run.output_dir) == ("outputs/dataset_small", Path("outputs/stage1_training"))
    assert (s.loop.epochs, s.loop.batch_size, s.run.num_workers, s.run.seed) == (100, 4, 4, 42)
    assert (s.optim.optimizer, s.optim.learning_rate, s.optim.lr_scheduler, s.optim.lr_min) == (
        "adam", 1e-4, "plateau", 0,
    )  # fmt: skip
    assert (s.loop.max_grad_norm, s.loop.mixed_precision, s.loop.save_every) == (0, "no", 1)
    assert (s.network.model, s.network.endmembers, s.data.val_fraction) == ("spectral_sr", 16, 0.2)
    assert (s.data.percentiles, s.data.per_band, s.data.crop_size) == ((1, 99), False, 0)
    weights = s.loss
    assert (weights.l1_weight, weights.l2_weight, weights.sam_weight, weights.spectral_grad_weight) == (1, 0, 0.1, 0.1)


@pytest.mark.parametrize(
    ("section", "value"),
    [
        ("loss", {"l1_weight": 0, "sam_weight": 0, "spectral_grad_weight": 0}),
        ("data", {"percentiles": (99, 1)}),
        ("data", {"percentiles": (1, 101)}),
        ("network", {"model": "unet"}),
    ],
)
def test_what_makes_no_sense_is_refused(section, value):
    with pytest.raises(ValidationError):
        SpectralTrainSettings(**{section: value})
