"""The four parametrisations say the same thing, for every amount of noise."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rsforge.noise.process import broadcast, path_time, q_sample, target, to_eps, to_x_0

PREDICTIONS = ["eps", "v", "x_0", "flow"]
SHAPES = [(3, 2, 4, 5), (3, 7)]


def pair(shape, seed=0, dtype=torch.float64):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=g, dtype=dtype), torch.randn(shape, generator=g, dtype=dtype)


@settings(max_examples=60, deadline=None)
@given(
    prediction=st.sampled_from(PREDICTIONS),
    shape=st.sampled_from(SHAPES),
    levels=st.lists(st.floats(1e-6, 1 - 1e-6), min_size=3, max_size=3),
    seed=st.integers(0, 99),
)
def test_conversions_round_trip(prediction, shape, levels, seed) -> None:
    x_0, eps = pair(shape, seed)
    alpha_bar = torch.tensor(levels, dtype=torch.float64)
    x_t = q_sample(x_0, eps, alpha_bar)
    output = target(prediction, x_0, eps, alpha_bar)
    torch.testing.assert_close(to_x_0(prediction, output, x_t, alpha_bar), x_0, atol=1e-8, rtol=0)
    torch.testing.assert_close(to_eps(prediction, output, x_t, alpha_bar), eps, atol=1e-8, rtol=0)


@pytest.mark.parametrize("prediction", ["v", "x_0", "flow"])
def test_x_0_is_had_from_pure_noise_by_all_but_eps(prediction) -> None:
    x_0, eps = pair((3, 7))
    nothing_left = torch.zeros(3, dtype=torch.float64)
    output = target(prediction, x_0, eps, nothing_left)
    torch.testing.assert_close(to_x_0(prediction, output, eps, nothing_left), x_0, atol=1e-15, rtol=1e-15)
    assert torch.equal(to_eps(prediction, output, eps, nothing_left), eps)


def test_the_ends_of_the_process() -> None:
    x_0, eps = pair((2, 3, 4, 4))
    assert torch.equal(q_sample(x_0, eps, torch.tensor([1.0, 1.0])), x_0)
    assert torch.equal(q_sample(x_0, eps, torch.tensor([0.0, 0.0])), eps)


def test_v_is_the_derivative_along_the_circle() -> None:
    x_0, eps = pair((1, 5))
    angle = torch.tensor([0.7], dtype=torch.float64, requires_grad=True)
    x_t = q_sample(x_0, eps, angle.cos() ** 2)
    slope = torch.stack([torch.autograd.grad(x, angle, retain_graph=True)[0] for x in x_t[0]]).T
    torch.testing.assert_close(target("v", x_0, eps, angle.detach().cos() ** 2), slope)


def test_flow_is_the_velocity_of_a_straight_path_through_the_same_states() -> None:
    x_0, eps = pair((5, 3))
    alpha_bar = torch.tensor([1.0, 0.9, 0.5, 1e-3, 0.0], dtype=torch.float64)
    s = path_time(alpha_bar)[:, None]
    z = (1 - s) * x_0 + s * eps
    scale = (alpha_bar.sqrt() + (1 - alpha_bar).sqrt())[:, None]
    torch.testing.assert_close(q_sample(x_0, eps, alpha_bar), scale * z)
    later = z + 0.01 * target("flow", x_0, eps, alpha_bar)
    torch.testing.assert_close(later, (1 - s - 0.01) * x_0 + (s + 0.01) * eps)
    assert path_time(alpha_bar)[[0, 2, 4]].tolist() == [0.0, 0.5, 1.0]


def test_diffusion_of_unit_data_keeps_unit_variance() -> None:
    x_0, eps = pair((4, 50_000))
    spread = q_sample(x_0, eps, torch.tensor([0.01, 0.3, 0.7, 0.99], dtype=torch.float64)).var(dim=1)
    torch.testing.assert_close(spread, torch.ones(4, dtype=torch.float64), atol=0.03, rtol=0)


@pytest.mark.parametrize("shape", SHAPES)
def test_each_sample_has_its_own_noise_level(shape) -> None:
    x_0, eps = pair(shape)
    levels = torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)
    assert broadcast(levels, x_0).shape == (3,) + (1,) * (len(shape) - 1)
    together = q_sample(x_0, eps, levels)
    for i, level in enumerate(levels):
        torch.testing.assert_close(together[i], q_sample(x_0[i : i + 1], eps[i : i + 1], level)[0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("many", [False, True])
def test_float64_tables_do_not_widen_the_images(dtype, many) -> None:
    x_0, eps = pair((2, 3), dtype=dtype)
    alpha_bar = torch.tensor([1 - 1e-4] * 2 if many else 1 - 1e-4, dtype=torch.float64)
    x_t = q_sample(x_0, eps, alpha_bar)
    assert x_t.dtype == dtype
    # Were the root taken in bfloat16, 1 - alpha_bar would be 0 and the noise would vanish.
    assert (q_sample(torch.zeros_like(x_0), eps, alpha_bar) != 0).all()


def test_an_unknown_prediction_is_refused() -> None:
    x_0, eps = pair((1, 2))
    for function in (target, to_x_0, to_eps):
        with pytest.raises(ValueError, match="score"):
            function("score", x_0, eps, torch.tensor([0.5]))
