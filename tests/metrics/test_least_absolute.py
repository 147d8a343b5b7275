"""Linear models of the least absolute error, against a linear program."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import linprog
from torch import Tensor

from rsforge.metrics.least_absolute import fit_least_absolute, predict_linear


def draw_data(count: int = 300) -> tuple[Tensor, Tensor]:
    """Two targets that are linear in four features but for skewed noise with outliers."""
    random = np.random.default_rng(0)
    x = random.normal(2, [1, 5, 0.1, 1], (count, 4))
    noise = random.exponential(0.2, (count, 2)) * random.choice([1, 30], (count, 2), p=[0.9, 0.1])
    y = x @ random.normal(0, 1, (4, 2)) + noise
    return torch.from_numpy(x), torch.from_numpy(y)


def least_error(x: Tensor, y: Tensor) -> float:
    """The least mean absolute error of a linear model of ``y`` ``(N,)``, by a linear program."""
    columns = np.c_[x.numpy(), np.ones(len(x))]
    count, width = columns.shape
    cost = np.r_[np.zeros(width), np.ones(count)]
    bounds = [(None, None)] * width + [(0, None)] * count
    eye = np.eye(count)
    above = np.r_[np.c_[columns, -eye], np.c_[-columns, -eye]]
    return float(linprog(cost, above, np.r_[y.numpy(), -y.numpy()], bounds=bounds).fun) / count


def test_the_error_is_the_least_of_any_linear_model():
    x, y = draw_data()
    fitted = fit_least_absolute(x, y)
    assert {name: tuple(value.shape) for name, value in fitted.items()} == {
        "mean": (4,), "scale": (4,), "coefficients": (4, 2), "intercept": (2,),
    }  # fmt: skip
    errors = (predict_linear(x, fitted) - y).abs().mean(0)
    for channel in range(2):
        assert float(errors[channel]) == pytest.approx(least_error(x, y[:, channel]), rel=1e-3)
    squares = np.linalg.lstsq(np.c_[x.numpy(), np.ones(len(x))], y.numpy(), rcond=None)[0]
    of_squares = np.abs(np.c_[x.numpy(), np.ones(len(x))] @ squares - y.numpy()).mean(0)
    assert (errors.numpy() < 0.95 * of_squares).all()


def test_features_that_say_nothing_or_the_same_twice_do_no_harm():
    x, y = draw_data()
    fitted = fit_least_absolute(torch.cat([x, x[:, :1], torch.full((len(x), 1), 7.0)], 1), y)
    made = predict_linear(torch.cat([x, x[:, :1], torch.full((len(x), 1), 7.0)], 1), fitted)
    assert float((made - y)[:, 0].abs().mean()) == pytest.approx(least_error(x, y[:, 0]), rel=1e-3)


def test_predictions_keep_the_shape_and_the_type_of_the_features():
    x, y = draw_data(60)
    fitted = fit_least_absolute(x, y)
    made = predict_linear(x.float().view(3, 4, 5, 4), fitted)
    assert made.shape == (3, 4, 5, 2) and made.dtype == torch.float32
