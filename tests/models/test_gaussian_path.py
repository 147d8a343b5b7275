"""A denoiser over the closed form of normally distributed latents: where it starts, and what it keeps."""

from __future__ import annotations

import pytest
import torch

from rsforge.errors import RsforgeError
from rsforge.metrics.gaussian_denoiser import SCALES, fit_denoiser, mix_scales
from rsforge.models.catalogue import build
from rsforge.models.gaussian_path import GAINS, GaussianPath
from rsforge.models.latent_mlp import LatentMlp
from rsforge.models.unet import UNet
from rsforge.noise.process import target
from rsforge.noise.schedules import table_of

COSINE = {"kind": "cosine", "timesteps": 50}
SHAPE = (2, 4, 4)


def draw(count: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(32, 32, generator=torch.Generator().manual_seed(7)) * torch.linspace(0.05, 0.4, 32)
    return 0.2 + torch.randn(count, 32, generator=generator) @ mixing.T


def small_unet() -> dict:
    widths = {"block_out_channels": (8, 8), "norm_num_groups": 2, "layers_per_block": 1, "cross_attention_dim": None}
    return UNet(
        in_channels=2, out_channels=2, head_width=4, down_block_types=["DownBlock2D"] * 2, **widths
    ).architecture


def make(prediction: str = "v", *, directions: int = 32, **other: object) -> GaussianPath:
    torch.manual_seed(0)
    given = {"network": small_unet(), "prediction": prediction, "schedule": COSINE, "latent_shape": SHAPE, **other}
    return GaussianPath(**given, directions=directions)


@pytest.mark.parametrize("prediction", ["eps", "v", "x_0", "flow"])
def test_untrained_it_gives_what_the_closed_form_gives(prediction) -> None:
    closed_form, t = fit_denoiser(draw(20)), torch.tensor([0, 20, 49])
    network, x_t = make(prediction), torch.randn(3, *SHAPE)
    network.take(closed_form)
    alpha_bar = table_of(COSINE)[t]
    expected = target(prediction, *closed_form(x_t, alpha_bar), alpha_bar)
    torch.testing.assert_close(network(x_t, t), expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(network(x_t, 20)[1], network(x_t, t)[1], atol=1e-5, rtol=1e-5)


def test_the_network_learns_what_is_left_and_the_closed_form_stays() -> None:
    network = make()
    network.take(fit_denoiser(draw(20)))
    assert all(name.startswith("network.") for name, _ in network.named_parameters())
    before = network.basis.clone()
    torch.nn.init.ones_(network.network.conv_out.bias)
    x_t, t = torch.randn(2, *SHAPE), torch.tensor([3, 40])
    apart = network(x_t, t) - make_closed(network)(x_t, t)
    torch.testing.assert_close(apart, torch.ones_like(apart))
    network(x_t, t).square().mean().backward()
    assert float(network.network.conv_out.weight.grad.abs().max()) > 0 and torch.equal(network.basis, before)


def test_in_training_all_counts_that_the_network_adds_and_after_it_the_gain_of_its_part_of_the_timesteps() -> None:
    network, x_t, t = make(), torch.randn(3, *SHAPE), torch.tensor([0, 25, 49])
    torch.nn.init.ones_(network.network.conv_out.bias)
    network.gain.copy_(torch.linspace(0, 0.9, GAINS))
    closed_form, added = network.eval().split(x_t, t)
    torch.testing.assert_close(added, torch.ones_like(added))
    for row, gain in enumerate((0.0, 0.6, 0.9)):
        torch.testing.assert_close(network(x_t, t)[row], closed_form[row] + gain)
        torch.testing.assert_close(network(x_t, int(t[row]))[row], closed_form[row] + gain)
    torch.testing.assert_close(network.train()(x_t, t), closed_form + 1)


def test_it_takes_a_mixture_of_scales() -> None:
    samples, t = draw(20), torch.tensor([0, 20, 49])
    samples *= torch.where(torch.arange(20) % 2 == 0, 0.2, 1.0)[:, None]
    plain = fit_denoiser(samples)
    mixture, network, x_t = mix_scales(plain, samples), make(scales=len(SCALES)), 0.3 * torch.randn(3, *SHAPE)
    network.take(mixture)
    alpha_bar = table_of(COSINE)[t]
    torch.testing.assert_close(network(x_t, t), target("v", *mixture(x_t, alpha_bar), alpha_bar), atol=1e-4, rtol=1e-4)
    assert not torch.allclose(network(x_t, t), target("v", *plain(x_t, alpha_bar), alpha_bar), atol=1e-2)


def make_closed(network: GaussianPath) -> GaussianPath:
    """The same closed form, with a network that answers zero."""
    alone = build(network.architecture)
    alone.load_state_dict(network.state_dict(), strict=True)
    alone.start_at_zero()
    return alone


def test_vectors_have_it_too_and_another_may_be_taken() -> None:
    mlp = LatentMlp(latent_dim=32, hidden=(16,), time_dim=8).architecture
    network, x_t = make(network=mlp, latent_shape=(32,), scales=len(SCALES)), torch.randn(2, 32)
    answers = []
    for count in (20, 6):  # the second has fewer directions
        network.take(mix_scales(fit_denoiser(draw(count)), draw(count)))
        answers.append(network(x_t, 10))
        fresh = make(network=mlp, latent_shape=(32,), scales=len(SCALES))
        fresh.take(mix_scales(fit_denoiser(draw(count)), draw(count)))
        torch.testing.assert_close(fresh(x_t, 10), answers[-1])
    assert not torch.allclose(*answers)
    with pytest.raises(ValueError, match="19 directions do not fit into 4"):
        make(directions=4).take(fit_denoiser(draw(20)))


@pytest.mark.parametrize(
    "other",
    [
        {"prediction": "score"},
        {"schedule": {"kind": "cosine", "timesteps": 10**9}},
        {"network": {"name": "adapter", "layers": {}, "rank": 2}},
        {"network": {"name": "nobody"}},
    ],
)
def test_what_is_no_denoiser_is_refused(other) -> None:
    with pytest.raises((ValueError, RsforgeError)):
        make(**other)
    architecture = make().architecture | other
    with pytest.raises(RsforgeError, match="cannot be built"):
        build(architecture)


def test_what_earlier_versions_stored_is_read_as_it_was() -> None:
    former = make()
    assert not {"scales", "weights", "gain"} & former.state_dict().keys()
    architecture = {name: value for name, value in former.architecture.items() if name != "scales"}
    assert build(architecture).state_dict().keys() == former.state_dict().keys()
    assert {"scales", "weights", "gain"} < make(scales=len(SCALES)).state_dict().keys()
