from __future__ import annotations

import torch

from rsforge.noise.noise_offset import add_offset


def test_each_channel_of_each_sample_is_shifted_as_a_whole():
    torch.manual_seed(0)
    eps = torch.randn(4, 3, 64, 64)
    shift = add_offset(eps, 0.5) - eps
    assert torch.allclose(shift, shift[..., :1, :1].expand_as(shift), atol=1e-6)
    shifts = [float((add_offset(torch.zeros(200, 50, 1), 0.5)).std()) for _ in range(2)]
    assert all(abs(one - 0.5) < 0.02 for one in shifts) and shifts[0] != shifts[1]


def test_nothing_is_drawn_without_a_strength():
    torch.manual_seed(0)
    state, eps = torch.get_rng_state(), torch.ones(2, 2)
    assert add_offset(eps, 0.0) is eps and torch.equal(torch.get_rng_state(), state)
