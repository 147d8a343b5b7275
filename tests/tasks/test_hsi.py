"""A few steps of spectral super-resolution, and the figures of a set."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
import torch

from rsforge.data.cubes.resample import area_weights
from rsforge.data.spectra.spatial_dataset import area_mean
from rsforge.engine.distributed import SingleProcess
from rsforge.engine.task import StepContext
from rsforge.losses.spectral import absolute_error, spectral_angle, spectral_gradient
from rsforge.metrics.spectral import sam_deg
from rsforge.models.spectral.transformer import SpectralTransformer
from rsforge.tasks.hsi import Baseline, SensorResponse, SpectralTask
from rsforge.tasks.spectral_figures import Normalisation

BANDS = 6
WAVELENGTH_NM = torch.tensor([400.0, 410, 420, 700, 710, 720])
WEIGHTS = {"l1": 1.0, "sam": 0.1, "spectral_grad": 0.1}


def make_task(**changes):
    torch.manual_seed(0)
    network = SpectralTransformer(bands=BANDS, in_channels=3, width=8, blocks=1, heads=2)
    weight, bias = torch.rand(BANDS, 3), torch.rand(BANDS) / 10
    network.set_ridge(weight, bias)
    given = {
        "wavelength_nm": WAVELENGTH_NM,
        "normalisation": Normalisation(torch.tensor([0.1]), torch.tensor([-0.2])),
        "baseline": Baseline(weight, bias),
        "weights": WEIGHTS,
    }
    return SpectralTask(network, **given | changes)


def draw_batch(count=3, seed=0, size=8):
    g = torch.Generator().manual_seed(seed)
    valid = torch.ones(count, 1, size, size)
    valid[0, :, :3] = 0
    spectra = torch.rand(count, BANDS, size, size, generator=g) + 0.1
    landsat = torch.rand(count, 3, size, size, generator=g)
    return {"landsat": landsat, "spectra": spectra * valid, "valid": valid}


def measure(task, *batches):
    figures = task.validation()
    task.network.eval()
    with torch.no_grad():
        for batch in batches:
            figures.update(batch, len(batch["valid"]))
    return figures.compute(SingleProcess())


def test_a_step_is_the_weighted_sum_over_valid_pixels():
    task, batch = make_task(), draw_batch()
    (turn,) = task.step(batch, StepContext())
    output, target, valid = task.network(batch["landsat"]), batch["spectra"], batch["valid"] > 0
    l1, sam = absolute_error(output, target, valid), spectral_angle(output, target, valid)
    slope = spectral_gradient(output, target, WAVELENGTH_NM, valid)
    torch.testing.assert_close(turn.loss, l1 + 0.1 * sam + 0.1 * slope)
    assert set(turn.report) == {"l1", "sam", "spectral_grad"}
    batch["spectra"][0, :, 0, 0] = float("nan")
    (again,) = task.step(batch, StepContext())
    assert torch.equal(again.loss, turn.loss)


def test_steps_lower_the_loss_and_train_every_parameter():
    task, batch = make_task(), draw_batch()
    optimizer = torch.optim.Adam(task.groups()["network"], lr=1e-2)
    losses = []
    for _ in range(20):
        (turn,) = task.step(batch, StepContext())
        optimizer.zero_grad()
        turn.loss.backward()
        optimizer.step()
        losses.append(float(turn.loss.detach()))
    assert losses[-1] < 0.9 * losses[0]
    assert all(p.grad is not None and p.grad.any() for p in task.network.parameters())


def test_terms_of_weight_zero_are_left_out():
    """The document's training printed the angle, and broke where its weight was 0."""
    task, batch = make_task(weights={"l1": 1.0}), draw_batch()
    (turn,) = task.step(batch, StepContext())
    assert set(turn.report) == {"l1"}
    figures = measure(task, batch)
    assert figures["loss"] == figures["l1"] and "sam" not in figures and figures["sam_deg"] > 0


def test_figures_are_of_the_set_however_it_is_cut_into_batches():
    """The document took the mean of the means of batches, in which a short last one counts as much as a full one."""
    task, batch = make_task(), draw_batch()
    whole = measure(task, batch)
    parts = measure(task, {k: v[:1] for k, v in batch.items()}, {k: v[1:] for k, v in batch.items()})
    assert whole == pytest.approx(parts, rel=1e-6)
    (turn,) = task.step(batch, StepContext())
    assert whole["loss"] == pytest.approx(float(turn.loss.detach()), rel=1e-5)


def test_angles_and_errors_are_in_physical_units():
    task, batch = make_task(), draw_batch()
    with torch.no_grad():
        task.network.leave.bias += 0.05
    figures = measure(task, batch)
    output = task.network(batch["landsat"]).detach()
    kept = (batch["valid"] > 0).expand_as(output)
    error = ((output - batch["spectra"])[kept] / 0.1).double()
    assert figures["rmse"] == pytest.approx(float(error.square().mean().sqrt()), rel=1e-5)
    physical = [(x.double() + 0.2) / 0.1 for x in (output, batch["spectra"])]
    weights = batch["valid"].sum((1, 2, 3)).double()
    angles = sam_deg(*physical, batch["valid"] > 0)
    assert figures["sam_deg"] == pytest.approx(float((angles * weights).sum() / weights.sum()), rel=1e-6)
    assert figures["sam_deg"] != pytest.approx(math.degrees(figures["sam"]), rel=1e-2)


def test_the_untrained_network_has_the_figures_of_its_baseline():
    figures = measure(make_task(), draw_batch())
    assert figures["rmse"] == figures["ridge_rmse"] and figures["sam_deg"] == figures["ridge_sam_deg"]
    far = Baseline(torch.zeros(BANDS, 3), torch.ones(BANDS))
    assert measure(make_task(baseline=far), draw_batch())["ridge_rmse"] != figures["ridge_rmse"]


def test_without_a_valid_pixel_no_figure_is_a_number():
    batch = draw_batch()
    batch["valid"] = torch.zeros_like(batch["valid"])
    assert all(math.isnan(value) for value in measure(make_task(), batch).values())


RESPONSE = SensorResponse(
    torch.rand(3, BANDS, generator=torch.Generator().manual_seed(1)) / 3, torch.tensor([0.1, 0, -0.1])
)


def consistent_task(**weights):
    return make_task(weights={"consistency": 1.0, **weights}, response=RESPONSE)


def test_a_spectrum_that_gives_the_measurement_back_is_consistent():
    task, batch = consistent_task(), draw_batch()
    seen = torch.einsum("kc,bchw->bkhw", RESPONSE.weight, batch["spectra"]) + RESPONSE.bias[:, None, None]
    valid = batch["valid"] > 0
    loss, terms = task.loss(batch["spectra"], batch["spectra"] * 0, valid, {"landsat": seen})
    assert loss.item() == pytest.approx(0, abs=1e-6) and list(terms) == ["consistency"]
    off, _ = task.loss(batch["spectra"], batch["spectra"], valid, {"landsat": seen + 0.25})
    assert off.item() == pytest.approx(0.25, rel=1e-5)
    holes, _ = task.loss(batch["spectra"], batch["spectra"], valid, {"landsat": seen.where(valid, torch.nan)})
    assert holes.item() == pytest.approx(0, abs=1e-6)


def test_consistency_is_learnt_and_told_by_its_name():
    task, batch = consistent_task(l1=0.0), draw_batch()
    (turn,) = task.step(batch, StepContext())
    turn.loss.backward()
    gradients = [p.grad for p in task.network.parameters() if p.grad is not None]
    assert set(turn.report) == {"consistency"} and all(g.isfinite().all() for g in gradients)
    assert max(float(g.abs().max()) for g in gradients) > 0
    figures = measure(task, batch)
    task.network.eval()
    with torch.no_grad():
        _, terms = task.loss(task.network(batch["landsat"]), batch["spectra"], batch["valid"] > 0, batch)
    assert figures["consistency"] == figures["loss"] == pytest.approx(terms["consistency"].item(), rel=1e-5)


def test_consistency_needs_a_response():
    with pytest.raises(ValueError, match="needs the response"):
        make_task(weights={"consistency": 1.0})


def test_at_the_pixels_of_landsat_true_spectra_are_consistent():
    """Area means over the valid part of each of its pixels, and none where less than half of one is valid."""
    task, batch = consistent_task(), draw_batch(size=9)
    rows = torch.from_numpy(area_weights(9, Fraction(3, 2))).float()
    seen = torch.einsum("kc,bchw->bkhw", RESPONSE.weight, batch["spectra"]) + RESPONSE.bias[:, None, None]
    native, holds = area_mean(seen, batch["valid"], rows)
    batch |= {"rows": rows.expand(3, -1, -1), "cols": rows.expand(3, -1, -1), "native_valid": holds}
    valid = batch["valid"] > 0
    for nothing in (0.0, torch.nan):
        batch["native"] = native.where(holds > 0, nothing)
        loss, _ = task.loss(batch["spectra"].where(valid, 7.0), batch["spectra"], valid, batch)
        assert loss.item() == pytest.approx(0, abs=1e-6)
    batch["native"] = native + 0.25
    assert task.loss(batch["spectra"], batch["spectra"], valid, batch)[0].item() == pytest.approx(0.25, rel=1e-4)
    off, _ = task.loss(batch["spectra"], batch["spectra"], valid, {"landsat": batch["landsat"]})
    assert off.item() > 0.05
