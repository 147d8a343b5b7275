"""Autoencoders of the layout of diffusers that compute a linear code."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from rsforge.metrics.upsampled_code import fit_upsampled_code
from rsforge.models.autoencoder_kl import AutoencoderKL
from rsforge.models.linear_layout import check_room, inner_width, write_linear_code
from rsforge.models.resnet import group_count
from tests.worlds.linear_codes import decode, encode


def build(widths, channels=4, groups=None):
    return AutoencoderKL(
        block_out_channels=widths, layers_per_block=1, latent_channels=channels,
        norm_num_groups=groups or group_count(widths),
    )  # fmt: skip


@pytest.fixture(scope="module")
def images():
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(8, 3, 6, 6, generator=generator)
    return (F.interpolate(coarse, size=(16, 16), mode="bicubic").clamp(0, 1) * 255).byte()


@torch.no_grad()
@pytest.mark.parametrize(("widths", "groups"), [((32, 48), None), ((32, 32), 4), ((16, 96, 128), 4)])
def test_it_computes_the_code_and_the_reference_does(diffusers, images, widths, groups):
    network = build(widths, groups=groups)
    code = fit_upsampled_code(images, len(widths) - 1, 4, inner_width(network))
    write_linear_code(network, *code)
    x = images.float() / 127.5 - 1
    levels = len(widths)
    theirs = diffusers.AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * levels, up_block_types=("UpDecoderBlock2D",) * levels,
        block_out_channels=widths, layers_per_block=1, norm_num_groups=network.architecture["norm_num_groups"],
    )  # fmt: skip
    theirs.load_state_dict(network.state_dict())
    z = encode(x, code)
    for mu, logvar in (network.encode(x), (theirs.encode(x).latent_dist.mean, theirs.encode(x).latent_dist.logvar)):
        torch.testing.assert_close(mu, z, atol=2e-5, rtol=1e-5)
        assert float(logvar.max()) < -7
    for made in (network.decode(z), theirs.decode(z).sample):
        torch.testing.assert_close(made, decode(z, code), atol=2e-5, rtol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("channels", [6, 64])
def test_a_shorter_code_leaves_channels_without_anything(images, channels):
    """Also where there are more of them than the innermost level has."""
    network = build((32, 48), channels)
    code = fit_upsampled_code(images, 1, 4, inner_width(network))
    write_linear_code(network, *code)
    mu, _ = network.encode(images.float() / 127.5 - 1)
    assert not mu[:, 4:].any() and mu[:, :4].abs().max() > 1
    torch.testing.assert_close(network.decode(mu), decode(mu[:, :4], code), atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("widths", "groups", "message"),
    [
        ((32,), 4, "two levels or more"),
        ((48, 32), 8, "32 channels in 8 groups hold 8 numbers of a linear code, which has 12"),
        ((8, 128), 1, "level 1 has 8 channels, and a linear code needs 12 there"),
        ((4, 128), 2, "4 channels in 2 groups hold 0 numbers"),
    ],
)
def test_narrow_networks_are_refused_with_what_they_lack(widths, groups, message):
    with pytest.raises(ValueError, match=message):
        check_room(build(widths, groups=groups))


def test_a_code_of_another_size_is_refused(images):
    with pytest.raises(ValueError, match="a code of 4 channels at 1/2 of the size does not fit"):
        write_linear_code(build((32, 48), channels=3), *fit_upsampled_code(images, 1, 4, 32))
