"""Patches through a linear code beside the network of an autoencoder."""

from __future__ import annotations

import pytest
import torch

from rsforge.metrics.pca import fit_patch_decoder, fit_patch_pca, reconstruct_patches
from rsforge.models.autoencoder_kl import AutoencoderKL

OPTIONS = {"block_out_channels": (8, 8, 16), "layers_per_block": 1, "latent_channels": 5, "norm_num_groups": 4}


@pytest.fixture(scope="module")
def images():
    base = torch.nn.functional.interpolate(torch.rand(12, 3, 6, 6), size=(24, 24), mode="bicubic")
    return (base.clamp(0, 1) * 255).to(torch.uint8)


def fit(images, components):
    fitted = fit_patch_pca(images, 4, components)
    return fitted | {"decoder": fit_patch_decoder(images, 4, fitted["mean"], fitted["components"])}


@pytest.fixture
def started(images):
    fitted = fit(images, 5)
    network = AutoencoderKL(**OPTIONS, linear_path=True)
    network.start_from_components(**fitted)
    return network, fitted


@torch.no_grad()
def test_it_begins_as_the_principal_components_of_patches_or_better(started, images):
    network, fitted = started
    x = images.float() / 127.5 - 1
    mu, logvar = network.encode(x)
    components = reconstruct_patches(x, 4, fitted["mean"], fitted["components"])
    errors = [float((made - x).square().mean()) for made in (network.decode(mu).clamp(-1, 1), components)]
    assert errors[0] < 0.95 * errors[1], "neighbours tell more of a patch than its own code alone"
    assert float(mu.square().mean()) == pytest.approx(1, abs=1e-3), "latents are of unit size"
    assert float(mu.var((0, 2, 3))[0]) > 2 * float(mu.var((0, 2, 3))[-1]), "divided by one number, not whitened"
    assert float(logvar.max()) <= -7, "their noise does not show"


def test_every_weight_of_the_network_learns_after_one_step(started, images):
    network, _ = started
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


def test_fewer_components_than_channels_leave_zeros(images):
    network = AutoencoderKL(**OPTIONS, linear_path=True)
    network.start_from_components(**fit(images, 2))
    mu, _ = network.encode(images.float() / 127.5 - 1)
    assert mu[:, :2].any() and not mu[:, 2:].any()


def test_names_of_the_network_are_those_without_a_path():
    plain, beside = (set(AutoencoderKL(**OPTIONS, linear_path=path).state_dict()) for path in (False, True))
    assert plain < beside and {name.split(".")[0] for name in beside - plain} == {"linear_path"}


def test_what_has_no_path_is_refused(images):
    with pytest.raises(ValueError, match="no linear path"):
        AutoencoderKL(**OPTIONS).start_from_components(**fit(images, 2))
    with pytest.raises(ValueError, match="3 channels back, not 2"):
        AutoencoderKL(**OPTIONS, out_channels=2, linear_path=True)
