"""A few steps of spatial super-resolution, and which pixels count."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch

from rsforge.engine.distributed import SingleProcess
from rsforge.engine.task import StepContext
from rsforge.losses.spectral import absolute_error, spectral_angle
from rsforge.models.spectral.resize import resize
from rsforge.models.spectral.spatial_sr import LightweightSR
from rsforge.tasks.hsi_spatial import SpatialTask, find_comparable
from rsforge.tasks.spectral_figures import Normalisation

BANDS, SCALE = 5, Fraction(5, 2)


def make_task(**weights):
    torch.manual_seed(0)
    network = LightweightSR(bands=BANDS, scale="5/2", width=4)
    return SpatialTask(
        network,
        normalisation=Normalisation(torch.tensor([0.1]), torch.tensor([-0.2])),
        weights=weights or {"l1": 1.0, "sam": 0.05},
    )


def draw_batch(seed=0):
    g = torch.Generator().manual_seed(seed)
    batch = {"low": torch.rand(2, BANDS, 8, 8, generator=g) + 0.1, "low_valid": torch.ones(2, 1, 8, 8)}
    batch |= {"high": torch.rand(2, BANDS, 20, 20, generator=g) + 0.1, "valid": torch.ones(2, 1, 20, 20)}
    batch["low_valid"][0, :, 0, 0] = batch["low"][0, :, 0, 0] = 0
    batch["valid"][1, :, 19] = 0
    return batch


def measure(task, batch):
    figures = task.validation()
    task.network.eval()
    with torch.no_grad():
        figures.update(batch, 2)
    return figures.compute(SingleProcess())


def test_a_step_is_the_weighted_sum_over_pixels_that_can_be_compared():
    task, batch = make_task(), draw_batch()
    torch.nn.init.normal_(task.network.leave.weight, std=0.1)
    (turn,) = task.step(batch, StepContext())
    valid = find_comparable(batch["valid"], batch["low_valid"], SCALE)
    output = task.network(batch["low"])
    l1, sam = absolute_error(output, batch["high"], valid), spectral_angle(output, batch["high"], valid)
    torch.testing.assert_close(turn.loss, l1 + 0.05 * sam)
    assert set(turn.report) == {"l1", "sam"}
    batch["high"][0, :, 0, 0] = batch["high"][1, :, 19, 3] = float("nan")
    (again,) = task.step(batch, StepContext())
    assert torch.equal(again.loss, turn.loss)


def test_steps_lower_the_loss_and_train_every_parameter():
    task, batch = make_task(), draw_batch()
    optimizer = torch.optim.Adam(task.groups()["network"], lr=1e-2)
    losses = []
    for _ in range(30):
        (turn,) = task.step(batch, StepContext())
        optimizer.zero_grad()
        turn.loss.backward()
        optimizer.step()
        losses.append(float(turn.loss.detach()))
    assert losses[-1] < 0.95 * losses[0]
    assert all(p.grad is not None and p.grad.any() for p in task.network.parameters())
    assert set(task.modules()) == set(task.groups()) == {"network"}


def test_the_untrained_network_has_the_figures_of_bicubic_resampling():
    task, batch = make_task(), draw_batch()
    figures = measure(task, batch)
    assert figures["rmse"] == figures["bicubic_rmse"] and figures["sam_deg"] == figures["bicubic_sam_deg"]
    valid = find_comparable(batch["valid"], batch["low_valid"], SCALE).expand_as(batch["high"])
    error = (resize(batch["low"], SCALE) - batch["high"])[valid].double() / 0.1
    assert figures["bicubic_rmse"] == pytest.approx(float(error.square().mean().sqrt()), rel=1e-5)


def test_the_baseline_keeps_the_range_of_the_data_too():
    task, batch = make_task(), draw_batch()
    free = measure(task, batch)["bicubic_rmse"]
    task.network.set_range(torch.full((BANDS,), 0.3), torch.full((BANDS,), 0.9))
    assert measure(task, batch)["bicubic_rmse"] < free


def test_terms_of_weight_zero_are_left_out():
    task, batch = make_task(l2=1.0), draw_batch()
    (turn,) = task.step(batch, StepContext())
    assert set(turn.report) == {"l2"} and measure(task, batch)["loss"] == measure(task, batch)["l2"]


def test_pixels_beside_coarse_holes_do_not_count():
    valid, low_valid = torch.ones(1, 1, 15, 15), torch.ones(1, 1, 6, 6)
    assert find_comparable(valid, low_valid, SCALE).all()
    low_valid[..., 0, 5] = 0
    counted = find_comparable(valid, low_valid, SCALE)[0, 0]
    # The centre of fine pixel 7 lies on the edge of coarse pixel 3, whose neighbours reach to 5.
    expected = torch.ones(15, 15, dtype=torch.bool)
    expected[:7, 7:] = False
    assert torch.equal(counted, expected)
    touched = (resize(low_valid, SCALE) - 1).abs()[0, 0] > 1e-6
    assert touched.any() and not (counted & touched).any()
