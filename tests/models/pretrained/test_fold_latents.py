"""An autoencoder that standardises its own latents."""

from __future__ import annotations

import pytest
import torch

from rsforge.models.autoencoder_kl import AutoencoderKL
from rsforge.models.pretrained.fold_latents import fold_latents


@torch.no_grad()
@pytest.mark.parametrize("path", [False, True], ids=["network", "with a linear path"])
@pytest.mark.parametrize("wide", [True, False], ids=["a channel", "one for all"])
def test_latents_are_standardised_and_images_are_the_same(stirred, wide, path):
    options = {"block_out_channels": (8, 16), "layers_per_block": 1, "latent_channels": 3, "norm_num_groups": 4}
    own = stirred(AutoencoderKL(**options, linear_path=path))
    before = {name: tensor.clone() for name, tensor in own.state_dict().items()}
    mean, std = torch.tensor([0.3, -2.0, 0.0]), torch.tensor([0.5, 4.0, 1.0])
    if not wide:
        mean, std = mean[:1], std[:1]
    folded = fold_latents(own, mean.view(-1, 1, 1), std.view(-1, 1, 1))
    image = torch.randn(2, 3, 8, 8)
    mu, logvar = own.encode(image)
    m, s = mean.view(-1, 1, 1), std.view(-1, 1, 1)
    expected = (mu - m) / s, logvar - 2 * s.log()
    torch.testing.assert_close(folded.encode(image), expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(folded.decode(expected[0]), own.decode(mu), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(dict(own.state_dict()), before, atol=0, rtol=0)


def test_what_differs_from_place_to_place_is_refused():
    own = AutoencoderKL(block_out_channels=(8,), layers_per_block=1, norm_num_groups=4)
    with pytest.raises(ValueError, match="256 means and 4 deviations"):
        fold_latents(own, torch.zeros(4, 8, 8), torch.ones(4, 1, 1))
