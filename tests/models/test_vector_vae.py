"""The autoencoder with a vector latent."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from rsforge.models.interfaces import Autoencoder
from rsforge.models.vector_vae import VectorVae


def _count(*modules: nn.Module) -> int:
    return sum(parameter.numel() for module in modules for parameter in module.parameters())


@pytest.fixture
def small() -> VectorVae:
    torch.manual_seed(0)
    return VectorVae(image_size=32, latent_dim=10, channels=(8, 16, 24))


def test_the_default_has_the_documents_size() -> None:
    with torch.device("meta"):
        vae = VectorVae()
    encoder, decoder = _count(vae.encoder, vae.to_mu, vae.to_logvar), _count(vae.decoder)
    assert (encoder, decoder) == (17_417_088, 16_698_764)
    assert encoder == pytest.approx(17.42e6, rel=0.01)
    assert decoder == pytest.approx(16.70e6, rel=0.01)
    assert _count(vae) == encoder + decoder
    x = torch.empty(2, 3, 128, 128, device="meta")
    assert vae.encoder[:4](x).shape == (2, 512, 8, 8)
    assert [tuple(part.shape) for part in vae.encode(x)] == [(2, 128), (2, 128)]
    assert vae.decode(torch.empty(2, 128, device="meta")).shape == x.shape


@pytest.mark.parametrize(
    ("options", "factor"),
    [
        ({"image_size": 32, "latent_dim": 7, "channels": (8, 16)}, 4),
        ({"image_size": 48, "latent_dim": 5, "channels": [8, 8, 8, 8]}, 16),
        ({"image_size": 8, "latent_dim": 3, "channels": (4,), "in_channels": 13}, 2),
    ],
)
def test_shapes_at_other_sizes(options, factor) -> None:
    vae: Autoencoder = VectorVae(**options).eval()
    size, bands = options["image_size"], options.get("in_channels", 3)
    x = torch.rand(2, bands, size, size) * 2 - 1
    mu, logvar = vae.encode(x)
    assert vae.factor == factor
    assert mu.shape == logvar.shape == (2, *vae.latent_shape(size)) == (2, options["latent_dim"])
    assert vae.decode(mu).shape == x.shape
    torch.testing.assert_close(vae(x), vae.decode(mu))


def test_activations_leak_a_fifth_and_residual_blocks_lead_around_their_convolutions(small: VectorVae) -> None:
    assert {m.negative_slope for m in small.modules() if isinstance(m, nn.LeakyReLU)} == {0.2}
    block, x = small.encoder[0][3], torch.randn(2, 8, 5, 5)
    nn.init.zeros_(block.body[-1].weight)
    torch.testing.assert_close(block(x), torch.where(x > 0, x, 0.2 * x))


@pytest.mark.parametrize("image_size", [0, 8, 100, 130])
def test_a_size_that_does_not_divide_is_named_with_the_factor(image_size: int) -> None:
    with pytest.raises(ValueError, match=rf"{image_size} is not a multiple of 16"):
        VectorVae(image_size=image_size)


def test_images_of_another_size_are_refused(small: VectorVae) -> None:
    with pytest.raises(ValueError, match=r"\(64, 64\).*32"):
        small.encode(torch.zeros(1, 3, 64, 64))
    with pytest.raises(ValueError, match="64 is not the 32"):
        small.latent_shape(64)


def test_the_posterior_starts_narrow_and_near_the_origin(small: VectorVae) -> None:
    mu, logvar = small.encode(torch.rand(4, 3, 32, 32) * 2 - 1)
    assert mu.abs().max() < 0.2
    assert (logvar + 3).abs().max() < 0.2
    bound = 0.01 * math.sqrt(6 / sum(small.to_mu.weight.shape))
    for head in (small.to_mu, small.to_logvar):
        assert 0.9 * bound < head.weight.abs().max() <= bound


@pytest.mark.parametrize(("bias", "expected"), [(99.0, 2.0), (-99.0, -10.0)])
def test_logvar_is_bounded(small: VectorVae, bias: float, expected: float) -> None:
    nn.init.constant_(small.to_logvar.bias, bias)
    _, logvar = small.encode(torch.zeros(2, 3, 32, 32))
    assert (logvar == expected).all()


def test_images_stay_in_range_however_far_the_latent(small: VectorVae) -> None:
    images = small.decode(1000 * torch.randn(4, 10))
    assert images.abs().max() <= 1
    assert images.abs().max() > 0.9


def test_every_parameter_learns(small: VectorVae) -> None:
    x = torch.rand(4, 3, 32, 32) * 2 - 1
    mu, logvar = small.encode(x)
    loss = (small.decode(mu + torch.exp(logvar / 2)) - x).square().mean() + logvar.square().mean()
    loss.backward()
    assert [name for name, p in small.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_statistics_of_the_batch_do_not_matter_in_evaluation(small: VectorVae) -> None:
    small.eval()
    x = torch.rand(4, 3, 32, 32) * 2 - 1
    torch.testing.assert_close(small(x)[:1], small(x[:1]), atol=1e-5, rtol=1e-5)
