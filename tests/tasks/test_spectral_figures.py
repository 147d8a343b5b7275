"""Figures of a set, whatever the network and however it is cut into batches."""

from __future__ import annotations

import pytest
import torch

from rsforge.engine.distributed import SingleProcess
from rsforge.losses.spectral import spatial_loss
from rsforge.metrics.spectral import sam_deg
from rsforge.tasks.spectral_figures import Comparison, Normalisation, SpectralFigures

WEIGHTS = {"l1": 1.0, "l2": 0.0, "sam": 0.1}


def draw(count=3):
    g = torch.Generator().manual_seed(0)
    target, output, baseline = (torch.rand(count, 4, 6, 6, generator=g) + 0.1 for _ in range(3))
    valid = torch.ones(count, 1, 6, 6)
    valid[0, :, :3] = 0
    return {"output": output, "baseline": baseline, "target": target, "valid": valid}


def measure(*batches):
    figures = SpectralFigures(
        lambda batch: Comparison(batch["output"], batch["baseline"], batch["target"], batch["valid"] > 0, batch),
        loss=lambda output, target, valid, batch: spatial_loss(output, target, valid=valid, l1=1.0, sam=0.1),
        weights=WEIGHTS,
        normalisation=Normalisation(torch.tensor([0.5]), torch.tensor([-0.2])),
        prefix="other_",
    )
    for batch in batches:
        figures.update(batch, len(batch["valid"]))
    return figures.compute(SingleProcess())


def test_figures_are_of_the_set_however_it_is_cut_into_batches():
    batch = draw()
    whole = measure(batch)
    parts = measure({k: v[:1] for k, v in batch.items()}, {k: v[1:] for k, v in batch.items()})
    assert whole == pytest.approx(parts, rel=1e-6)
    assert set(whole) == {"loss", "l1", "sam", "sam_deg", "rmse", "other_sam_deg", "other_rmse"}
    loss, _ = spatial_loss(batch["output"], batch["target"], valid=batch["valid"] > 0, l1=1.0, sam=0.1)
    assert whole["loss"] == pytest.approx(float(loss), rel=1e-5)


def test_the_baseline_is_measured_like_the_network_in_physical_units():
    batch = draw()
    figures, valid = measure(batch), batch["valid"] > 0
    for who, name in (("", "output"), ("other_", "baseline")):
        error = ((batch[name] - batch["target"])[valid.expand_as(batch["target"])] / 0.5).double()
        assert figures[f"{who}rmse"] == pytest.approx(float(error.square().mean().sqrt()), rel=1e-5)
        physical = [(batch[one].double() + 0.2) / 0.5 for one in (name, "target")]
        weights = valid.sum((1, 2, 3)).double()
        mean = (sam_deg(*physical, valid) * weights).sum() / weights.sum()
        assert figures[f"{who}sam_deg"] == pytest.approx(float(mean), rel=1e-6)


def test_spectra_of_zeros_have_no_angle():
    batch = draw()
    batch["target"] = torch.zeros_like(batch["target"])
    figures = measure(batch)
    assert figures["sam"] == 0 and figures["sam_deg"] > 0  # in the unit of the files they are not zeros
    assert figures["loss"] == pytest.approx(figures["l1"])


def test_normalisation_is_undone_band_by_band():
    values = torch.rand(1, 2, 3, 3)
    scaled = Normalisation(torch.tensor([0.5, 2.0]), torch.tensor([1.0, -1.0]))
    unit = values * torch.tensor([0.5, 2.0])[:, None, None] + torch.tensor([1.0, -1.0])[:, None, None]
    torch.testing.assert_close(scaled.undo(unit), values.double(), rtol=1e-5, atol=1e-6)
