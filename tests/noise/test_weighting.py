"""Min-SNR weights: explicit values, and the same loss in x_0 whatever is predicted."""

from __future__ import annotations

import pytest
import torch

from rsforge.noise.process import q_sample, target, to_x_0
from rsforge.noise.schedules import alphas_cumprod
from rsforge.noise.weighting import min_snr_weight, snr


@pytest.mark.parametrize(
    ("prediction", "expected"),
    # snr:              0     1    5    9
    [
        ("eps", [1, 1, 1, 5 / 9]),
        ("v", [0, 1 / 2, 5 / 6, 5 / 10]),
        ("x_0", [0, 1, 5, 5]),
        # times the square of the path time 1, 1/2, 1/(1 + 5 ** 0.5), 1/4
        ("flow", [0, 1 / 4, 5 / (1 + 5**0.5) ** 2, 5 / 16]),
    ],
)
def test_explicit_weights(prediction, expected) -> None:
    alpha_bar = torch.tensor([0, 1 / 2, 5 / 6, 9 / 10], dtype=torch.float64)
    torch.testing.assert_close(min_snr_weight(prediction, alpha_bar), torch.tensor(expected, dtype=torch.float64))


def test_gamma_is_heard() -> None:
    alpha_bar = torch.tensor([9 / 10], dtype=torch.float64)
    assert min_snr_weight("x_0", alpha_bar, gamma=2.0).item() == pytest.approx(2)
    assert min_snr_weight("eps", alpha_bar, gamma=3.0).item() == pytest.approx(1 / 3)


@pytest.mark.parametrize("prediction", ["eps", "v", "x_0", "flow"])
def test_weights_are_finite_from_no_signal_to_no_noise(prediction) -> None:
    table = torch.cat([alphas_cumprod("cosine", zero_terminal=True), torch.ones(1, dtype=torch.float64)])
    weight = min_snr_weight(prediction, table)
    assert weight.shape == table.shape and weight.isfinite().all() and (weight >= 0).all()


def test_the_weighted_loss_is_one_loss_in_x_0() -> None:
    g = torch.Generator().manual_seed(0)
    x_0, eps, mistake = (torch.randn(6, 9, generator=g, dtype=torch.float64) for _ in range(3))
    alpha_bar = torch.linspace(0.05, 0.98, 6, dtype=torch.float64)
    x_t = q_sample(x_0, eps, alpha_bar)
    losses = {}
    for prediction in ("eps", "v", "x_0", "flow"):
        wanted = target(prediction, x_0, eps, alpha_bar)
        output = wanted + mistake
        in_x_0 = (to_x_0(prediction, output, x_t, alpha_bar) - x_0).square().mean(1)
        losses[prediction] = min_snr_weight(prediction, alpha_bar) * mistake.square().mean(1)
        common = min_snr_weight("x_0", alpha_bar) * in_x_0
        # v at snr s errs in x_0 by mistake / sqrt(1 + s), eps by mistake / sqrt(s), flow by mistake / (1 + sqrt(s)).
        torch.testing.assert_close(losses[prediction], common)


def test_snr_and_unknown_prediction() -> None:
    assert snr(torch.tensor([0.0, 0.5, 0.8, 1.0])).tolist() == pytest.approx([0, 1, 4, float("inf")])
    with pytest.raises(ValueError, match="score"):
        min_snr_weight("score", torch.tensor([0.5]))
