"""Spectral losses: their formulas, and gradients where formulas break."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from torch import Tensor

from rsforge.losses import spectral
from rsforge.losses.spectral import (
    LEAST_LENGTH,
    absolute_error,
    combined_loss,
    gradient_weights,
    response_error,
    spatial_loss,
    spectral_angle,
    spectral_gradient,
    squared_error,
)

WAVELENGTH = torch.tensor([400.0, 410, 420, 430, 480, 490, 500, 510])
RESPONSE = torch.tensor([[0.5, 0.5, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0.2, 0.3, 0.5]])


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) + 0.1


def pair(dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    return draw(2, 8, 3, 4).to(dtype), draw(2, 8, 3, 4, seed=1).to(dtype)


LOSSES = {
    "l1": absolute_error,
    "l2": squared_error,
    "sam": spectral_angle,
    "spectral_grad": lambda x, y, valid=None: spectral_gradient(x, y, WAVELENGTH, valid),
    "consistency": lambda x, y, valid=None: response_error(x, RESPONSE, y[:, :2], valid),
    "combined": lambda x, y, valid=None: combined_loss(x, y, wavelength_nm=WAVELENGTH, valid=valid, l2=0.5)[0],
    "spatial": lambda x, y, valid=None: spatial_loss(x, y, valid=valid, l2=0.5)[0],
}


def gradient(loss, x: Tensor, *rest: Tensor | None) -> Tensor:
    x = x.clone().requires_grad_()
    loss(x, *rest).backward()
    return x.grad


def test_errors_are_means_over_bands_and_pixels() -> None:
    x, y = pair()
    torch.testing.assert_close(absolute_error(x, y), (x - y).abs().mean())
    torch.testing.assert_close(squared_error(x, y), (x - y).square().mean())


def test_the_angle_is_that_of_the_cosine() -> None:
    x, y = pair(torch.float64)
    cosine = torch.cosine_similarity(x, y, dim=1)
    torch.testing.assert_close(spectral_angle(x, y), cosine.acos().mean())
    assert torch.autograd.gradcheck(partial(spectral_angle, target=y), x.requires_grad_())


@pytest.mark.parametrize("factor", [1.0, 2.0, -1.0])
def test_parallel_equal_and_opposite_spectra_have_finite_gradients(factor) -> None:
    """The arc cosine's slope is infinite there."""
    _, y = pair()
    grad = gradient(spectral_angle, factor * y, y)
    assert grad.isfinite().all() and grad.abs().max() < 1
    assert spectral_angle(factor * y, y).item() == pytest.approx(0 if factor > 0 else math.pi, abs=1e-6)


@pytest.mark.parametrize("turn", [1e-6, 1e-4, 1e-2])
def test_small_angles_keep_their_value_and_their_slope(turn) -> None:
    """A cosine in float32 knows no angle below 3e-4, and a clamp stops its gradient."""
    y = torch.tensor([1.0, 0.0]).view(1, 2, 1, 1)
    x = torch.tensor([math.cos(turn), math.sin(turn)]).view(1, 2, 1, 1)
    assert spectral_angle(x, y).item() == pytest.approx(turn, rel=1e-3)
    torch.testing.assert_close(gradient(spectral_angle, x, y).flatten(), torch.tensor([-turn, 1.0]), atol=1e-3, rtol=0)


def test_an_output_of_zeros_is_led_to_the_target_by_a_bounded_gradient() -> None:
    _, y = pair()
    zero = torch.zeros_like(y)
    assert spectral_angle(zero, y).item() == pytest.approx(math.pi / 2)
    grad = gradient(spectral_angle, zero, y)
    lengths = torch.linalg.vector_norm(y, dim=1)
    assert (grad * y).sum(1).max() < 0
    assert (torch.linalg.vector_norm(grad, dim=1) * 24 * lengths).max() < 2.001 / LEAST_LENGTH
    assert spectral_angle(-0.1 * grad, y).item() < 0.01


def test_targets_of_zeros_have_no_angle() -> None:
    x, y = pair()
    alone = spectral_angle(x[:1], y[:1])
    y[1] = 0
    torch.testing.assert_close(spectral_angle(x, y), alone / 2)
    x[1, :, 0, 0] = 0
    grad = gradient(spectral_angle, x, y)
    assert grad.isfinite().all() and not grad[1].any() and grad[0].any()
    both = torch.zeros_like(x)
    assert spectral_angle(both, both).item() == 0 and not gradient(spectral_angle, both, both).any()


@pytest.mark.parametrize("name", LOSSES)
def test_pixels_that_are_not_valid_reach_neither_loss_nor_gradient(name) -> None:
    x, y = pair()
    valid = draw(2, 1, 3, 4, seed=2) > 0.5
    clean = LOSSES[name](x, y, valid)
    wanted = gradient(LOSSES[name], x, y, valid)
    x, y = x.where(valid, torch.nan), y.where(valid, torch.inf)
    x[1], y[1] = x[1].where(valid[1], 0), y[1].where(valid[1], torch.nan)
    torch.testing.assert_close(LOSSES[name](x, y, valid), clean)
    found = gradient(LOSSES[name], x, y, valid)
    torch.testing.assert_close(found, wanted)
    assert not found.where(valid, 0.0).eq(0).all() and not found.where(~valid, 0.0).any()


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_the_mean_over_what_is_valid(name) -> None:
    x, y = pair()
    valid = torch.zeros(2, 1, 3, 4, dtype=torch.bool)
    valid[0, :, :, 1:3] = True
    torch.testing.assert_close(LOSSES[name](x, y, valid), LOSSES[name](x[:1, :, :, 1:3], y[:1, :, :, 1:3]))


@pytest.mark.parametrize("name", LOSSES)
def test_without_a_valid_pixel_a_loss_is_zero_and_has_a_gradient(name) -> None:
    x, y = pair()
    nothing = torch.zeros(2, 1, 3, 4, dtype=torch.bool)
    assert LOSSES[name](x, y, nothing).item() == 0
    assert not gradient(LOSSES[name], x, y, nothing).any()


@pytest.mark.parametrize("name", LOSSES)
def test_half_precision_is_widened(name) -> None:
    x, y = (t.half() for t in pair())
    loss = LOSSES[name](x, y)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, LOSSES[name](x.float(), y.float()))


@pytest.mark.parametrize("name", [name for name in LOSSES if name != "consistency"])
def test_images_of_other_shapes_are_refused(name) -> None:
    """A target of one image would be broadcast over the batch."""
    x, y = pair()
    with pytest.raises(ValueError, match="cannot be compared"):
        LOSSES[name](x, y[:1])


def test_slopes_on_an_even_grid_are_the_differences_of_bands() -> None:
    x, y = pair()
    expected = (x.diff(dim=1) - y.diff(dim=1)).abs().mean()
    torch.testing.assert_close(spectral_gradient(x, y, 10.0 * torch.arange(8)), expected)
    torch.testing.assert_close(spectral_gradient(x, y, 0.01 * torch.arange(8)), expected)


def test_differences_are_divided_by_their_distance() -> None:
    found = gradient_weights(torch.tensor([0.0, 10, 20, 40, 50]))
    torch.testing.assert_close(found, torch.tensor([1, 1, 0.5, 1], dtype=torch.float64))
    x, y = torch.tensor([0.0, 1, 2, 4, 5]).view(1, 5, 1, 1), torch.zeros(1, 5, 1, 1)
    assert spectral_gradient(x, y, torch.tensor([0.0, 10, 20, 40, 50])).item() == 1


def test_removed_bands_are_not_crossed() -> None:
    """Bands 430 and 480 are neighbours in the array alone."""
    assert gradient_weights(WAVELENGTH).tolist() == [1, 1, 1, 0, 1, 1, 1]
    x, y = pair()
    step = y.clone()
    step[:, 4:] += 0.7
    assert spectral_gradient(step, y, WAVELENGTH).item() == pytest.approx(0, abs=1e-6)
    parts = [(x[:, k] - y[:, k]).diff(dim=1).abs() for k in (slice(0, 4), slice(4, 8))]
    torch.testing.assert_close(spectral_gradient(x, y, WAVELENGTH), torch.cat(parts, 1).mean())
    assert spectral_gradient(step, y, WAVELENGTH, widest=6).item() > 0.01


def test_bands_of_overlapping_detectors_weigh_no_more_than_the_bound() -> None:
    close = torch.tensor([400.0, 410, 420, 420.1, 420.1, 430, 440])
    assert gradient_weights(close).isfinite().all()
    assert gradient_weights(close).max() == 3


@pytest.mark.parametrize("count", [1, 2])
def test_without_a_pair_of_bands_there_is_no_slope(count) -> None:
    x = draw(1, count, 2, 2)
    assert spectral_gradient(x, 2 * x, WAVELENGTH[:count], widest=0.5).item() == 0


def test_wavelengths_that_do_not_ascend_are_refused() -> None:
    x, y = pair()
    with pytest.raises(ValueError, match="do not ascend"):
        spectral_gradient(x, y, WAVELENGTH.flip(0))


def test_a_response_sees_the_integral_of_the_spectra() -> None:
    x, _ = pair()
    measured = torch.stack([x[:, :2].mean(1), 0.2 * x[:, 5] + 0.3 * x[:, 6] + 0.5 * x[:, 7]], dim=1)
    assert response_error(x, RESPONSE, measured).item() == pytest.approx(0, abs=1e-6)
    shift = torch.tensor([0.1, -0.3])
    assert response_error(x, RESPONSE, measured, offset=shift).item() == pytest.approx(0.2, rel=1e-5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert response_error(x, RESPONSE, measured).item() == pytest.approx(0, abs=1e-6)


def test_the_combined_loss_has_the_documents_weights() -> None:
    x, y = pair()
    total, terms = combined_loss(x, y, wavelength_nm=WAVELENGTH)
    assert list(terms) == ["l1", "sam", "spectral_grad"]
    torch.testing.assert_close(terms["l1"], absolute_error(x, y))
    torch.testing.assert_close(terms["sam"], spectral_angle(x, y))
    torch.testing.assert_close(terms["spectral_grad"], spectral_gradient(x, y, WAVELENGTH))
    torch.testing.assert_close(total, terms["l1"] + 0.1 * terms["sam"] + 0.1 * terms["spectral_grad"])


def test_the_spatial_loss_has_the_documents_weights() -> None:
    x, y = pair()
    total, terms = spatial_loss(x, y)
    assert list(terms) == ["l1", "sam"]
    torch.testing.assert_close(total, absolute_error(x, y) + 0.05 * spectral_angle(x, y))


def test_every_term_has_its_weight() -> None:
    x, y = pair()
    measured = draw(2, 2, 3, 4, seed=5)
    shift = torch.tensor([0.1, -0.3])
    names = {"l1": 2.0, "l2": 3.0, "sam": 5.0, "spectral_grad": 7.0, "consistency": 11.0}
    seen = {"response": RESPONSE, "measured": measured, "offset": shift}
    total, terms = combined_loss(x, y, wavelength_nm=WAVELENGTH, **names, **seen)
    assert terms.keys() == names.keys()
    torch.testing.assert_close(terms["consistency"], response_error(x, RESPONSE, measured, offset=shift))
    torch.testing.assert_close(terms["l2"], squared_error(x, y))
    torch.testing.assert_close(total, sum(names[name] * terms[name] for name in names))
    spatial, three = spatial_loss(x, y, l1=2.0, l2=3.0, sam=5.0)
    torch.testing.assert_close(spatial, sum(names[name] * terms[name] for name in three))
    assert list(three) == ["l1", "l2", "sam"]


@pytest.mark.parametrize("name", ["spectral_angle", "spectral_gradient", "response_error"])
def test_a_term_without_weight_is_not_computed(name, monkeypatch) -> None:
    def refuse(*_: object, **__: object) -> Tensor:
        raise AssertionError(name)

    monkeypatch.setattr(spectral, name, refuse)
    x, y = pair()
    _, terms = combined_loss(x, y, wavelength_nm=WAVELENGTH, sam=0.0, spectral_grad=0.0)
    assert list(terms) == ["l1"]
    assert list(spatial_loss(x, y, sam=0.0)[1]) == ["l1"]


def test_without_any_weight_the_loss_is_a_zero_with_a_gradient() -> None:
    x, y = pair()
    x.requires_grad_()
    total, terms = spatial_loss(x, y, l1=0.0, sam=0.0)
    total.backward()
    assert terms == {} and total.item() == 0 and not x.grad.any()


def test_consistency_needs_what_it_compares() -> None:
    x, y = pair()
    with pytest.raises(ValueError, match="the response and what was measured"):
        combined_loss(x, y, wavelength_nm=WAVELENGTH, consistency=1.0, response=RESPONSE)
