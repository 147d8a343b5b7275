"""The nearest consistent spectra, against a general solver and the conditions that define them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import minimize, nnls
from torch import Tensor

from rsforge.models.spectral import null_space
from rsforge.models.spectral.null_space import project_to_measured


def make_response(bands: int = 40, count: int = 4) -> Tensor:
    """Overlapping bumps of sum 1, as of a broadband sensor."""
    centres = torch.linspace(3, bands - 4, count, dtype=torch.float64)
    bumps = (-((torch.arange(bands) - centres[:, None]) / 4).square()).exp()
    bumps[bumps < 1e-3] = 0
    return bumps / bumps.sum(1, keepdim=True)


def see(response: Tensor, spectra: Tensor) -> Tensor:
    return torch.einsum("kc,bchw->bkhw", response.to(spectra), spectra)


@pytest.fixture
def scene(image):
    """True spectra of 1 to 100 % brightness, a noisy prediction of them, the response and the measurement."""
    true = image(2, 40, 6, 5) * torch.logspace(-2, 0, 30, dtype=torch.float64).view(1, 1, 6, 5)
    response = make_response()
    return true, true + 0.3 * (image(2, 40, 6, 5, seed=1) - 0.5), response, see(response, true)


def test_it_gives_back_the_measurement_and_is_not_negative(scene) -> None:
    _, predicted, response, measured = scene
    assert (predicted < 0).any() and (see(response, predicted) - measured).abs().max() > 0.01
    z, met = project_to_measured(predicted.float(), response, measured.float())
    assert z.dtype == torch.float32 and z.shape == predicted.shape
    assert met.shape == (2, 1, 6, 5) and met.all()
    assert (z >= 0).all() and (see(response, z.double()) - measured).abs().max() < 1e-6


def test_it_is_the_nearest(scene) -> None:
    """By the conditions of the optimum: what it moves is a mixture of responses, where it did not stop at zero."""
    _, predicted, response, measured = scene
    z, _ = project_to_measured(predicted, response, measured)
    for x, nearest in zip(predicted.movedim(1, -1).flatten(0, 2), z.movedim(1, -1).flatten(0, 2), strict=True):
        free = nearest > 0
        multiplier = torch.linalg.lstsq(response[:, free].T, (nearest - x)[free][:, None]).solution[:, 0]
        push = x + response.T @ multiplier
        torch.testing.assert_close(nearest, push.clamp(min=0), atol=1e-6, rtol=0)


def test_it_is_what_a_general_solver_finds(scene) -> None:
    _, predicted, response, measured = scene
    z, _ = project_to_measured(predicted, response, measured)
    for row, column in ((0, 0), (3, 2), (5, 4)):
        x, y = predicted[0, :, row, column].numpy(), measured[0, :, row, column].numpy()
        equal = {"type": "eq", "fun": lambda v, y=y: response.numpy() @ v - y, "jac": lambda _: response.numpy()}
        solved = minimize(
            lambda v, x=x: ((v - x) ** 2).sum() / 2, np.maximum(x, 0), jac=lambda v, x=x: v - x,
            bounds=[(0, None)] * 40, constraints=[equal], method="SLSQP", options={"ftol": 1e-14, "maxiter": 500},
        )  # fmt: skip
        np.testing.assert_allclose(z[0, :, row, column], solved.x, atol=1e-5)


def test_a_consistent_spectrum_stays_as_it_is(scene) -> None:
    true, _, response, measured = scene
    z, met = project_to_measured(true, response, measured)
    torch.testing.assert_close(z, true, atol=1e-7, rtol=0)
    assert met.all()


def test_spectra_of_zeros_are_lifted_to_the_measurement(scene) -> None:
    _, predicted, response, measured = scene
    z, met = project_to_measured(torch.zeros_like(predicted), response, measured)
    assert met.all() and (see(response, z) - measured).abs().max() < 1e-6


def test_a_measurement_of_zeros_is_met_by_zeros(scene) -> None:
    _, predicted, response, measured = scene
    z, met = project_to_measured(predicted, response, torch.zeros_like(measured))
    assert met.all() and see(response, z).abs().max() < 1e-6
    unseen = (response == 0).all(0)
    torch.testing.assert_close(z[:, unseen], predicted[:, unseen].clamp(min=0), atol=1e-9, rtol=0)


def test_what_no_spectrum_gives_is_approached_and_told(scene) -> None:
    """A negative measurement, and ratios of bands that no spectrum has: the least squares of both."""
    _, predicted, response, measured = scene
    measured = measured.clone()
    measured[0, 0, 0, 0] = -0.2
    close = make_response(count=9)  # bands that share most of what they see
    for kernel, wanted in (
        (response, measured),
        (close, see(close, predicted) + 0.2 * torch.eye(9)[0].view(1, 9, 1, 1)),
    ):
        z, met = project_to_measured(predicted, kernel, wanted)
        error = (see(kernel, z) - wanted).square().sum(1).sqrt()
        least = [nnls(kernel.numpy(), y)[1] for y in wanted.movedim(1, -1).flatten(0, 2).numpy()]
        assert error.flatten().tolist() == pytest.approx(least, abs=1e-4)
        assert met.flatten().tolist() == [one < 1e-6 for one in least] and not met.all()
        assert (z >= 0).all() and z.isfinite().all()


@pytest.mark.parametrize("unit", [1e-3, 1e4])
def test_the_unit_of_the_spectra_does_not_matter(scene, unit) -> None:
    _, predicted, response, measured = scene
    z, _ = project_to_measured(predicted, response, measured)
    scaled, met = project_to_measured(unit * predicted, response, unit * measured)
    assert met.all()
    torch.testing.assert_close(scaled / unit, z, atol=1e-5, rtol=0)


def test_pixels_that_are_no_numbers_stay_and_spoil_no_others(scene) -> None:
    _, predicted, response, measured = scene
    whole, _ = project_to_measured(predicted, response, measured)
    predicted, measured = predicted.clone(), measured.clone()
    predicted[0, 3, 0, 1], measured[1, 2, 4, 4] = torch.nan, torch.inf
    z, met = project_to_measured(predicted, response, measured)
    assert met.logical_not().nonzero().tolist() == [[0, 0, 0, 1], [1, 0, 4, 4]]
    torch.testing.assert_close(z[1, :, 4, 4], predicted[1, :, 4, 4])
    assert z[0, 3, 0, 1].isnan()
    keep = met.expand_as(z)
    torch.testing.assert_close(z[keep], whole[keep], atol=1e-12, rtol=0)


def test_pixels_in_parts_are_the_pixels_at_once(scene, monkeypatch) -> None:
    _, predicted, response, measured = scene
    whole = project_to_measured(predicted, response, measured)
    monkeypatch.setattr(null_space, "PIXELS", 7)
    torch.testing.assert_close(project_to_measured(predicted, response, measured), whole, atol=1e-9, rtol=0)


def test_the_tolerance_decides_which_pixels_are_met(scene) -> None:
    _, predicted, response, measured = scene
    measured = measured.clone()
    measured[:, 0] = -0.01
    assert not project_to_measured(predicted, response, measured)[1].any()
    assert project_to_measured(predicted, response, measured, tolerance=0.5)[1].all()


def test_shapes_that_do_not_fit_and_blind_bands_are_refused(scene) -> None:
    _, predicted, response, measured = scene
    with pytest.raises(ValueError, match="do not fit"):
        project_to_measured(predicted[:, :39], response, measured)
    with pytest.raises(ValueError, match="do not fit"):
        project_to_measured(predicted, response, measured[:, :3])
    blind = torch.cat([response[:3], torch.zeros(1, 40)])
    with pytest.raises(ValueError, match="zero at every wavelength"):
        project_to_measured(predicted, blind, measured)
