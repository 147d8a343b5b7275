"""The autoencoder with a map latent, against the reference."""

from __future__ import annotations

import pytest
import torch

from rsforge.models.autoencoder_kl import AutoencoderKL

F4 = {"block_out_channels": (32, 64, 64), "layers_per_block": 1, "norm_num_groups": 16}
F8 = {"block_out_channels": (32, 32, 64, 64), "layers_per_block": 2, "norm_num_groups": 8, "latent_channels": 8}
BANDS = {"block_out_channels": (32, 64), "layers_per_block": 1, "in_channels": 2, "out_channels": 5}


def _reference(diffusers, **options):
    levels = len(options["block_out_channels"])
    return diffusers.AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * levels, up_block_types=("UpDecoderBlock2D",) * levels, **options
    )


@pytest.mark.parametrize("options", [F4, F8, BANDS], ids=["f4", "f8", "bands"])
def test_the_reference_computes_the_same(diffusers, stirred, norm_constants, options) -> None:
    theirs, ours = stirred(_reference(diffusers, **options)), AutoencoderKL(**options).eval()
    ours.load_state_dict(theirs.state_dict())
    assert norm_constants(ours) == norm_constants(theirs)
    x = torch.rand(2, options.get("in_channels", 3), 32, 48) * 2 - 1
    with torch.no_grad():
        posterior = theirs.encode(x).latent_dist
        mu, logvar = ours.encode(x)
        torch.testing.assert_close(mu, posterior.mean, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(logvar, posterior.logvar, atol=1e-5, rtol=1e-5)
        z = torch.randn_like(mu)
        torch.testing.assert_close(ours.decode(z), theirs.decode(z).sample, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("options", [F4, F8, BANDS], ids=["f4", "f8", "bands"])
def test_our_weights_load_in_the_reference(diffusers, options) -> None:
    theirs = _reference(diffusers, **options)
    theirs.load_state_dict(AutoencoderKL(**options).state_dict(), strict=True)


def test_the_default_is_that_of_stable_diffusion(diffusers) -> None:
    with torch.device("meta"):
        ours = AutoencoderKL()
        theirs = _reference(diffusers, block_out_channels=(128, 256, 512, 512), layers_per_block=2)
    assert sum(p.numel() for p in ours.parameters()) == 83_653_863
    shapes = [{k: v.shape for k, v in net.state_dict().items()} for net in (ours, theirs)]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize(("options", "factor"), [(F4, 4), (F8, 8)])
def test_the_latent_is_a_map_of_the_promised_shape(options, factor) -> None:
    vae = AutoencoderKL(**options)
    channels = options.get("latent_channels", 4)
    assert vae.factor == factor
    assert vae.latent_shape(64) == (channels, 64 // factor, 64 // factor)
    x = torch.zeros(1, 3, 64, 64)
    mu, logvar = vae.encode(x)
    assert mu.shape == logvar.shape == (1, *vae.latent_shape(64))
    assert vae(x).shape == x.shape
    with pytest.raises(ValueError, match=f"66 is not a multiple of {factor}"):
        vae.latent_shape(66)


@pytest.mark.parametrize(("bias", "expected"), [(999.0, 20.0), (-999.0, -30.0)])
def test_logvar_is_bounded(bias: float, expected: float) -> None:
    vae = AutoencoderKL(**F4)
    torch.nn.init.constant_(vae.quant_conv.bias, bias)
    _, logvar = vae.encode(torch.zeros(1, 3, 16, 16))
    assert (logvar == expected).all()


def test_every_parameter_learns() -> None:
    vae = AutoencoderKL(**F4)
    x = torch.rand(2, 3, 32, 32) * 2 - 1
    mu, logvar = vae.encode(x)
    (vae.decode(mu + torch.exp(logvar / 2)) - x).square().mean().backward()
    # A constant added to all keys leaves a softmax as it is.
    idle = [name for name, p in vae.named_parameters() if p.grad is None or p.grad.abs().max() < 1e-9]
    assert all(name.endswith("to_k.bias") for name in idle), idle
    assert all(p.grad is not None for p in vae.parameters())
