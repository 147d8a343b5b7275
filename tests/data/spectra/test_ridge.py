from __future__ import annotations

import json

import numpy as np
import pytest

from rsforge.data.spectra.ridge import DEFAULT_STRENGTH, STRENGTHS, Moments, Ridge, choose_ridge, fit_ridge
from rsforge.data.spectra.scaling import Scaling
from rsforge.errors import RsforgeError


def draw(count: int, *, noise: float = 0.1, seed: int = 0, far: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    common = rng.normal(0, 2, (count, 1))
    x = common + rng.normal(0, 0.3, (count, 5)) + far
    truth = np.random.default_rng(9).normal(0, 1, (5, 8))
    return x.astype(np.float32), (x @ truth + 3 + noise * rng.normal(0, 1, (count, 8))).astype(np.float32)


def moments(x, y, parts: int = 5) -> Moments:
    measure = Moments()
    measure.add("nothing", x[:0], y[:0])
    for one, other in zip(np.array_split(x, parts), np.array_split(y, parts), strict=True):
        measure.add("part", one, other)
    return measure


@pytest.mark.parametrize("far", [0.0, 1e3])
def test_moments_are_those_of_all_pixels_together(far):
    x, y = draw(4000, far=far)
    measure = moments(x, y)
    xx, xy, yy = measure.covariances()
    x, y = x.astype(float), y.astype(float)
    expected = np.cov(np.hstack([x, y]).T, bias=True)
    assert np.allclose(xx, expected[:5, :5], rtol=1e-7) and np.allclose(xy, expected[:5, 5:], rtol=1e-6)
    assert np.allclose(yy, np.diag(expected)[5:], rtol=1e-7) and measure.count == 4000
    assert np.allclose(measure.means()[0], x.mean(0)) and np.allclose(measure.means()[1], y.mean(0))


def test_the_fit_is_ridge_regression_with_a_penalty_of_relative_strength():
    x, y = draw(500)
    fit = fit_ridge(moments(x, y), 0.03)
    x, y = x.astype(float), y.astype(float)
    a, b = x - x.mean(0), y - y.mean(0)
    weight = np.linalg.solve(a.T @ a + 0.03 * np.diag((a * a).sum(0)), a.T @ b).T
    assert np.allclose(fit.weight, weight, rtol=1e-6) and np.allclose(fit.bias, y.mean(0) - weight @ x.mean(0))
    assert fit.predict(x.astype(np.float32)).dtype == np.float32
    assert np.allclose(fit_ridge(moments(x, y), 0).predict(x), x @ np.linalg.lstsq(a, b, rcond=None)[0]
                       + y.mean(0) - x.mean(0) @ np.linalg.lstsq(a, b, rcond=None)[0], atol=1e-4)  # fmt: skip


def test_the_error_is_known_from_moments_alone():
    fit = fit_ridge(moments(*draw(300)), 0.1)
    x, y = draw(700, seed=4)
    direct = ((x @ fit.weight.T + fit.bias - y) ** 2).mean(0)
    assert np.allclose(fit.mean_squared_error(moments(x, y)), direct, rtol=1e-4)


def test_the_strength_is_that_with_the_least_held_out_error():
    train, held_out = moments(*draw(12, noise=3)), moments(*draw(2000, noise=3, seed=1))
    chosen = choose_ridge(train, held_out)
    weights = 1 / held_out.covariances()[2]
    errors = {s: fit_ridge(train, s).mean_squared_error(held_out) @ weights for s in STRENGTHS}
    assert chosen.strength == min(errors, key=errors.get) > STRENGTHS[0]
    many = choose_ridge(moments(*draw(50_000, noise=0.01)), held_out)
    assert many.strength < chosen.strength
    assert choose_ridge(train, None).strength == choose_ridge(train, Moments()).strength == DEFAULT_STRENGTH


def test_units_do_not_matter():
    x, y = draw(500)
    fit = fit_ridge(moments(x, y), 0.1)
    scaled = fit_ridge(moments(x * np.array([1, 10, 100, 0.1, 5], np.float32), y), 0.1)
    assert np.allclose(scaled.weight * [1, 10, 100, 0.1, 5], fit.weight, rtol=1e-4)


@pytest.mark.parametrize("per_band", [False, True])
def test_the_regression_of_normalised_values_is_the_same_one(per_band):
    x, y = draw(500)
    fit = fit_ridge(moments(x, y), 0.1)
    k, b = (5, 8) if per_band else (1, 1)
    landsat = Scaling(tuple(np.linspace(-2, -1, k)), tuple(np.linspace(3, 4, k)))
    spectra = Scaling(tuple(np.linspace(-9, -5, b)), tuple(np.linspace(7, 8, b)))
    rescaled = fit.rescale(landsat, spectra)
    assert rescaled.weight.shape == fit.weight.shape and rescaled.bias.shape == fit.bias.shape
    assert np.allclose(rescaled.predict(landsat.normalise(x)), spectra.normalise(fit.predict(x)), atol=1e-4)


def test_a_band_that_never_changes_or_repeats_another_does_no_harm():
    x, y = draw(500)
    x[:, 2], x[:, 4] = 7, x[:, 3]
    fit = fit_ridge(moments(x, y), DEFAULT_STRENGTH)
    assert not fit.weight[:, 2].any() and np.abs(fit.weight).max() < 50
    assert np.isfinite(fit.predict(x)).all()
    constant = fit_ridge(moments(np.full_like(x, 3), y))
    assert not constant.weight.any() and np.allclose(constant.bias, y.mean(0), atol=1e-4)


def test_a_checkpoint_keeps_it():
    fit = fit_ridge(moments(*draw(50)), 0.1)
    again = Ridge.from_dict(json.loads(json.dumps(fit.as_dict())))
    assert np.array_equal(again.weight, fit.weight) and np.array_equal(again.bias, fit.bias) and again.strength == 0.1
    for record in (None, {}, {**fit.as_dict(), "bias": [1.0]}, {**fit.as_dict(), "weight": [[np.nan] * 5] * 8}):
        with pytest.raises(RsforgeError) as caught:
            Ridge.from_dict(record)
        assert caught.value.code == "RSF-D006"


def test_nothing_cannot_be_fitted():
    with pytest.raises(RsforgeError) as caught:
        fit_ridge(Moments())
    assert caught.value.code == "RSF-D004"
