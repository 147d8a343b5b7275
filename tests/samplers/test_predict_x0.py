"""Every prediction as x_0, also where hardly any signal is left."""

from __future__ import annotations

import pytest
import torch

from rsforge.noise.process import q_sample, target
from rsforge.noise.schedules import alphas_cumprod
from rsforge.samplers.ddim import ddim
from rsforge.samplers.ddpm import ddpm
from rsforge.samplers.predict_x0 import x0_denoiser
from rsforge.samplers.timesteps import timesteps


@pytest.mark.parametrize("prediction", ["eps", "v", "x_0", "flow"])
@pytest.mark.parametrize("shape", [(2, 3, 4, 4), (2, 5)])
def test_every_prediction_comes_through_the_door_as_x_0(prediction, shape) -> None:
    table = alphas_cumprod("cosine")
    g = torch.Generator().manual_seed(0)
    x_0, eps = (torch.randn(shape, generator=g, dtype=torch.float64) for _ in range(2))
    asked = []

    def network(x_t, t):
        asked.append(t)
        return target(prediction, x_0, eps, table[t])

    denoise = x0_denoiser(network, table, prediction)
    for t in (0, 500, 990):
        torch.testing.assert_close(denoise(q_sample(x_0, eps, table[t]), t), x_0, atol=1e-10, rtol=0)
        assert asked[-1].dtype == torch.long and asked[-1].tolist() == [t, t]


def test_clip_bounds_x_0_and_only_when_asked() -> None:
    table, wild = alphas_cumprod("linear"), torch.tensor([[-3.0, 0.5, 2.0]])
    assert x0_denoiser(lambda x, t: wild, table, "x_0")(wild, 3).tolist() == wild.tolist()
    assert x0_denoiser(lambda x, t: wild, table, "x_0", clip=1.0)(wild, 3).tolist() == [[-1.0, 0.5, 1.0]]
    assert x0_denoiser(lambda x, t: wild, table, "x_0", clip=2.5)(wild, 3).tolist() == [[-2.5, 0.5, 2.0]]


def test_a_half_precision_network_does_not_narrow_the_walk() -> None:
    x_t = torch.randn(2, 3)
    for prediction in ("eps", "v", "x_0", "flow"):
        denoise = x0_denoiser(lambda x, t: x.bfloat16(), alphas_cumprod("linear"), prediction)
        assert denoise(x_t, 5).dtype == torch.float32


def test_eps_from_pure_noise_is_refused_at_the_door() -> None:
    table = alphas_cumprod("linear", zero_terminal=True)
    with pytest.raises(ValueError, match="zero terminal SNR"):
        x0_denoiser(lambda x, t: x, table, "eps")
    denoise = x0_denoiser(lambda x, t: x, table, "v")
    assert denoise(torch.ones(1, 2), 999).isfinite().all()


@pytest.mark.parametrize("kind", ["linear", "scaled_linear", "cosine"])
@pytest.mark.parametrize("steps", [10, 50, 1000])
def test_a_small_error_of_eps_is_not_blown_up_where_no_signal_is_left(kind, steps):
    """The cosine schedule ends at alpha_bar 2.4e-9: an error of 1 % there would be two hundredfold in x_0."""
    table = alphas_cumprod(kind)
    torch.manual_seed(0)

    def nearly(x_t, t):
        exact = (1 - table[t[0]]).sqrt() * x_t
        return exact + 0.01 * torch.randn_like(x_t)

    start = torch.randn(4096, 1, dtype=torch.float64)
    walk = x0_denoiser(nearly, table, "eps")
    if steps == 1000:
        drawn = ddpm(walk, start, table, steps=timesteps(1000, steps), draw=torch.randn_like)
    else:
        drawn = ddim(walk, start, table, steps=timesteps(1000, steps), draw=torch.randn_like)
    assert 0.4 < float(drawn.std()) < 1.25
