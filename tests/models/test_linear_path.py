"""Patches through a linear code beside the network of an autoencoder."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from rsforge.metrics.lapped_code import fit_lapped_code
from rsforge.models.autoencoder_kl import AutoencoderKL

OPTIONS = {"block_out_channels": (8, 8, 16), "layers_per_block": 1, "latent_channels": 5, "norm_num_groups": 4}


@pytest.fixture(scope="module")
def images():
    base = F.interpolate(torch.rand(12, 3, 6, 6), size=(24, 24), mode="bicubic")
    return (base.clamp(0, 1) * 255).to(torch.uint8)


@pytest.fixture(scope="module")
def code(images):
    return fit_lapped_code(images, 4, 5)


@pytest.fixture
def started(code):
    network = AutoencoderKL(**OPTIONS, linear_path=True)
    network.start_from_code(**code)
    return network


@torch.no_grad()
def test_it_begins_as_the_linear_code(started, code, images):
    x = images.float() / 127.5 - 1
    mu, logvar = started.encode(x)
    mean = code["mean"].view(-1, 1, 1)
    codes = F.conv2d(F.pixel_unshuffle(x, 4) - mean, code["encoder"], padding=1)
    torch.testing.assert_close(mu, codes)
    expected = F.pixel_shuffle(F.conv2d(codes, code["decoder"], padding=1) + mean, 4)
    torch.testing.assert_close(started.decode(mu), expected)
    assert float(logvar.max()) <= -7, "the noise of latents does not show"


def test_every_weight_of_the_network_learns_after_one_step(started, images):
    network = started
    x = images.float() / 127.5 - 1
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3)
    for _ in range(2):
        optimizer.zero_grad()
        mu, logvar = network.encode(x)
        loss = (network.decode(mu) - x).square().mean() + 1e-3 * logvar.square().mean()
        loss.backward()
        optimizer.step()
    still = {name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()}
    # A bias before a norm over one group, and the keys of attention, have no gradient in any such network.
    assert not {name for name in still if "conv_in.weight" in name or "conv_out" in name or "linear_path" in name}


def test_fewer_numbers_than_channels_leave_zeros(images):
    network = AutoencoderKL(**OPTIONS, linear_path=True)
    network.start_from_code(**fit_lapped_code(images, 4, 2))
    mu, _ = network.encode(images.float() / 127.5 - 1)
    assert mu[:, :2].any() and not mu[:, 2:].any()


def test_names_of_the_network_are_those_without_a_path():
    plain, beside = (set(AutoencoderKL(**OPTIONS, linear_path=path).state_dict()) for path in (False, True))
    assert plain < beside and {name.split(".")[0] for name in beside - plain} == {"linear_path"}


def test_what_has_no_path_is_refused(images):
    with pytest.raises(ValueError, match="no linear path"):
        AutoencoderKL(**OPTIONS).start_from_code(**fit_lapped_code(images, 4, 2))
    with pytest.raises(ValueError, match="3 channels back, not 2"):
        AutoencoderKL(**OPTIONS, out_channels=2, linear_path=True)
