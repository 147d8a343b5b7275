"""Numbers that pass a normalisation and an activation as they are."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from rsforge.models.linear_layers import Pairs, act_on_pixels, double, fold_pixels, order_of_pixels, read_pairs


@torch.no_grad()
def test_a_normalisation_and_an_activation_are_undone():
    torch.manual_seed(0)
    before, norm, after = nn.Conv2d(3, 16, 1), nn.GroupNorm(2, 16), nn.Conv2d(16, 3, 3, padding=1)
    matrix = torch.randn(5, 3)
    before.weight[:5], before.bias[:5] = matrix[:, :, None, None], torch.arange(5.0)
    pairs = Pairs(16, 2, 5)
    double(before, pairs)
    kernel, offset = torch.randn(3, 5, 3, 3), torch.randn(3)
    read_pairs(norm, after, pairs, kernel, offset)
    x = torch.randn(2, 3, 6, 6) * 3
    made = after(F.silu(norm(before(x) + pairs.constants()[:, None, None])))
    numbers = torch.einsum("ij,bjhw->bihw", matrix, x) + torch.arange(5.0)[:, None, None]
    torch.testing.assert_close(made, F.conv2d(numbers, kernel, offset, padding=1), rtol=1e-4, atol=2e-3)


def test_constants_go_no_further_so_that_training_can_go_on():
    norm, after, pairs = nn.GroupNorm(2, 16), nn.Conv2d(16, 1, 3, padding=1), Pairs(16, 2, 5)
    with torch.no_grad():
        read_pairs(norm, after, pairs, torch.ones(1, 5, 3, 3), torch.zeros(1))
    x = torch.randn(1, 16, 4, 4) + pairs.constants()[:, None, None]
    after(F.silu(norm(x))).sum().backward()
    assert not after.weight.grad[:, pairs.constants() != 0].any() and after.weight.grad.abs().max() < 100


def test_too_narrow_a_layer_is_refused_with_what_it_holds():
    with pytest.raises(ValueError, match="16 channels in 8 groups hold 0 numbers"):
        Pairs(16, 8, 3).places()


def test_whether_there_is_room_is_told_without_torch_importing_its_compiler():
    """As it does, for seconds, where a tensor without memory is divided."""
    code = (
        "import sys, torch; from rsforge.models.linear_layout import check_room\n"
        "from rsforge.models.autoencoder_kl import AutoencoderKL\n"
        "with torch.device('meta'):\n"
        "    check_room(AutoencoderKL(block_out_channels=(32, 48), latent_channels=6, norm_num_groups=8))\n"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("factor", [2, 4])
def test_pixels_are_folded_by_twos(factor):
    x = torch.randn(2, 3, 8, 8)
    folded, count = x, 3
    for _ in range(factor // 2):
        folded, count = F.conv2d(F.pad(folded, (0, 1, 0, 1)), fold_pixels(count), stride=2), 4 * count
    torch.testing.assert_close(folded, F.pixel_unshuffle(x, factor)[:, order_of_pixels(3, factor)])
    torch.testing.assert_close(F.conv2d(x, act_on_pixels(torch.eye(3)), padding=1), x)
