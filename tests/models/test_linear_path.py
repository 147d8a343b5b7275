"""Patches through a linear code beside the network of an autoencoder."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from rsforge.losses.elbo import kl_to_standard_normal, sample_latent
from rsforge.metrics.lapped_code import fit_lapped_code
from rsforge.metrics.linear_channel import allot_distortion, fit_channel
from rsforge.metrics.pca import fit_pca
from rsforge.models.autoencoder_kl import AutoencoderKL
from rsforge.models.linear_path import VectorPath
from rsforge.models.vector_vae import VectorVae
from tests.worlds.noisy_channel import send

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


SIDE, NUMBERS = 8, 6


def fit_whole(count: int = 60) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Images of few directions, and their components."""
    generator = torch.Generator().manual_seed(0)
    scale = torch.tensor([3.0, 2.0, 1.0, 0.5, 0.3, 0.2])
    basis = torch.randn(6, 3 * SIDE**2, generator=generator) / SIDE
    drawn = 0.1 + (torch.randn(count, 6, generator=generator) * scale @ basis).view(-1, 3, SIDE, SIDE)
    images = ((drawn + 1) * 127.5).round().clamp(0, 255).byte()
    return images.float() / 127.5 - 1, fit_pca(images, NUMBERS)


@torch.no_grad()
def test_a_vector_begins_as_the_linear_channel_of_so_many_nats():
    (x, fitted), nats = fit_whole(), 8.0
    torch.manual_seed(0)
    network = VectorVae(image_size=SIDE, latent_dim=NUMBERS, channels=(4, 4), linear_path=True)
    network.start_from_channel(**fitted, distortion=allot_distortion(fitted["variances"], nats))
    mu, logvar = network.eval().encode(x)
    kl = kl_to_standard_normal(mu, logvar)
    assert float(kl.mean()) == pytest.approx(nats, rel=0.02)
    channel = fit_channel(fitted["mean"], fitted["components"], fitted["variances"], nats)
    torch.testing.assert_close(network.decode(mu).clamp(-1, 1), channel.expect(x), atol=2e-3, rtol=0)
    noisy = [float((network.decode(sample_latent(mu, logvar)).clamp(-1, 1) - x).square().mean()) for _ in range(40)]
    sent = float((send(channel, fitted["variances"], x) - x).square().mean())
    assert sum(noisy) / 40 == pytest.approx(sent, rel=0.08)


@pytest.mark.parametrize("nats", [400.0, 1000.0, 1e5])
def test_more_nats_than_single_precision_holds_are_told_as_well_as_it_can(nats):
    x, fitted = fit_whole()
    path = VectorPath((3, SIDE, SIDE), NUMBERS)
    path.set_channel(**fitted, distortion=allot_distortion(fitted["variances"], nats))
    mu, logvar = path.encode(x)
    assert logvar.isfinite().all() and (logvar[path.encoded != 0] < -30).all() and mu.isfinite().all()


def test_images_that_are_all_alike_have_nothing_to_tell():
    nothing = torch.zeros(0)
    distortion = allot_distortion(nothing, 8.0)
    path = VectorPath((3, SIDE, SIDE), NUMBERS)
    path.set_channel(torch.full((3, SIDE, SIDE), 0.5), torch.zeros(0, 3, SIDE, SIDE), nothing, distortion)
    mu, logvar = path.encode(torch.rand(2, 3, SIDE, SIDE))
    assert not mu.any() and not logvar.any() and (path.decode(mu) == 0.5).all()
    channel = fit_channel(torch.full((3, SIDE, SIDE), 0.5), torch.zeros(0, 3, SIDE, SIDE), nothing, 8.0)
    assert (channel.expect(torch.rand(2, 3, SIDE, SIDE)) == 0.5).all()


def test_what_is_not_told_says_nothing_and_nothing_of_it_is_trained():
    _, fitted = fit_whole()
    path = VectorPath((3, SIDE, SIDE), NUMBERS + 2)
    path.set_channel(**fitted, distortion=allot_distortion(fitted["variances"], 1.0))
    mu, logvar = path.encode(torch.rand(2, 3, SIDE, SIDE))
    silent = path.encoded == 0
    assert 2 < int(silent.sum()) < NUMBERS + 2 and not mu[:, silent].any() and not logvar[silent].any()
    assert not list(path.parameters())
    with pytest.raises(ValueError, match="6 components do not fit into 2 numbers"):
        VectorPath((3, SIDE, SIDE), 2).set_channel(**fitted, distortion=fitted["variances"])
    with pytest.raises(ValueError, match="no linear path"):
        VectorVae(image_size=8, latent_dim=2, channels=(4, 4)).start_from_channel(
            **fitted, distortion=fitted["variances"]
        )


def test_the_network_of_a_vector_learns_the_remainder():
    x, fitted = fit_whole()
    network = VectorVae(image_size=SIDE, latent_dim=NUMBERS, channels=(4, 4), linear_path=True)
    network.start_from_channel(**fitted, distortion=allot_distortion(fitted["variances"], 1.0))
    before, optimizer = float((network(x) - x).square().mean().detach()), torch.optim.Adam(network.parameters(), 1e-3)
    for _ in range(40):
        optimizer.zero_grad()
        loss = (network(x) - x).square().mean()
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.9 * before
