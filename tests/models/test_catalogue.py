"""Networks from what is said of them."""

from __future__ import annotations

import json
import math

import pytest
import torch

from rsforge.errors import RsforgeError
from rsforge.models.autoencoder_kl import AutoencoderKL
from rsforge.models.catalogue import NETWORKS as CATALOGUE
from rsforge.models.catalogue import build, find_network
from rsforge.models.gaussian_path import GaussianPath
from rsforge.models.image_encoder import ImageEncoder
from rsforge.models.interfaces import Autoencoder, Denoiser
from rsforge.models.latent_mlp import LatentMlp
from rsforge.models.patch_gan import PatchCritic
from rsforge.models.pix2pix import Pix2PixUNet
from rsforge.models.spectral.spatial_sr import LightweightSR, SpatialSR
from rsforge.models.spectral.spectral_sr import SpectralSR
from rsforge.models.spectral.transformer import SpectralTransformer
from rsforge.models.spectral.unmixing import SpectralUnmixing
from rsforge.models.statistics_translator import StatisticsUNet
from rsforge.models.unet import UNet
from rsforge.models.vector_vae import VectorVae

NETWORKS = [
    lambda: VectorVae(image_size=16, latent_dim=3, channels=(4, 8), in_channels=2),
    lambda: AutoencoderKL(block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=4, latent_channels=2),
    lambda: LatentMlp(latent_dim=3, hidden=(8, 16), time_dim=16, dropout=0.3),
    lambda: GaussianPath(
        network=LatentMlp(latent_dim=3, hidden=(8,), time_dim=8).architecture,
        prediction="v",
        schedule={"kind": "cosine", "timesteps": 10},
        latent_shape=(3,),
        directions=2,
    ),
    lambda: UNet(
        block_out_channels=(8, 16),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        attention_head_dim=(2, 4),
        cross_attention_dim=None,
        use_linear_projection=True,
        norm_num_groups=4,
        layers_per_block=1,
    ),
    lambda: Pix2PixUNet(in_channels=2, out_channels=1, depth=4, base=2, norm="batch", attention=True),
    lambda: StatisticsUNet(in_channels=2, out_channels=1, depth=4, base=2),
    lambda: PatchCritic(in_channels=5, base=2, norm="instance", attention=True),
    lambda: ImageEncoder(channels=(4, 8), in_channels=2),
    lambda: SpectralSR(bands=5, in_channels=2, hidden=4, blocks=1, features=2, taps=3),
    lambda: SpectralUnmixing(bands=5, in_channels=2, count=3),
    lambda: SpectralTransformer(bands=5, in_channels=2, width=4, blocks=1, heads=2, window=3),
    lambda: SpatialSR(bands=2, scale="5/2", width=4, groups=1, blocks=1, window=3),
    lambda: LightweightSR(bands=2, scale=1.5, width=4, layers=1),
]
SHAPES = {
    "vector_vae": (2, 16, 16),
    "autoencoder_kl": (3, 16, 16),
    "latent_mlp": (3,),
    "gaussian_path": (3,),
    "unet": (4, 8, 8),
    "pix2pix_unet": (2, 32, 32),
    "statistics_unet": (2, 32, 32),
    "patch_critic": (5, 32, 32),
    "image_encoder": (2, 8, 8),
    "spectral_sr": (2, 5, 7),
    "spectral_unmixing": (2, 5, 7),
    "spectral_transformer": (2, 5, 7),
    "spatial_sr": (2, 5, 7),
    "lightweight": (2, 5, 7),
}
NEEDED = {
    "adapter": {"layers": {"to_q": [4, 5]}, "rank": 2},
    "patch_critic": {"in_channels": 4},
    "gaussian_path": {
        "network": {"name": "latent_mlp"},
        "prediction": "v",
        "schedule": {"kind": "cosine", "timesteps": 10},
        "latent_shape": [128],
        "directions": 8,
    },
}


@pytest.mark.parametrize("make", NETWORKS)
def test_a_network_is_built_again_from_its_architecture(make) -> None:
    network = make()
    said = json.loads(json.dumps(network.architecture))
    assert said == network.architecture
    again = build(said)
    assert type(again) is type(network)
    assert again.architecture == network.architecture
    again.load_state_dict(network.state_dict(), strict=True)
    with torch.no_grad():
        results = []
        for net in (network.eval(), again.eval()):
            torch.manual_seed(0)
            inputs = torch.randn(2, *SHAPES[said["name"]])
            results.append(net(inputs, 7) if isinstance(net, Denoiser) else net(inputs))
    torch.testing.assert_close(results[0], results[1], atol=0, rtol=0)


@pytest.mark.parametrize("name", list(CATALOGUE))
def test_a_name_alone_is_the_default_network_and_says_all_its_options(name: str) -> None:
    needed = NEEDED.get(name, {"bands": 12} if ".spectral." in CATALOGUE[name] else {})
    with torch.device("meta"):
        network = build({"name": name, **needed})
    assert type(network) is find_network(name)
    assert isinstance(network, Autoencoder) == (name in ("vector_vae", "autoencoder_kl"))
    assert isinstance(network, Denoiser) == (name in ("unet", "latent_mlp", "gaussian_path"))
    assert network.architecture.pop("name") == name
    assert network.architecture.keys() == (type(network).__init__.__kwdefaults__ or {}).keys() | needed.keys()


@pytest.mark.parametrize(
    ("architecture", "found"),
    [
        ({}, "None"),
        ({"name": "unet3d"}, "'unet3d'; known are vector_vae"),
        ({"name": "vector_vae", "depth": 3}, "depth"),
        ({"name": "vector_vae", "image_size": 100}, "100 is not a multiple of 16"),
        ({"name": "unet", "block_out_channels": 320}, "unet: "),
        ({"name": "unet", "norm_num_groups": True}, "norm_num_groups is True, where whole numbers are taken"),
        ({"name": "autoencoder_kl", "norm_num_groups": 32.0}, "norm_num_groups is 32.0, where whole numbers are"),
        ({"name": "unet", "attention_head_dim": [8, True, 8, 8]}, "attention_head_dim is"),
        ({"name": ["unet"]}, "known are"),
        ({"name": "pix2pix_unet", "norm": "group"}, "pix2pix_unet: norm 'group'; known are batch, instance"),
        ({"name": "pix2pix_unet", "depth": 2}, "a depth of 2; the least is 3"),
        ({"name": "patch_critic"}, "in_channels"),
        ({"name": "spectral_sr"}, "bands"),
        ({"name": "spatial_sr", "bands": 4, "scale": "1/0"}, "spatial_sr: "),
    ],
)
def test_what_cannot_be_built_is_refused(architecture, found: str) -> None:
    with pytest.raises(RsforgeError) as caught:
        build(architecture)
    assert caught.value.code == "RSF-C007"
    assert found in caught.value.found


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("pix2pix_unet", {"depth": 10**6}), ("pix2pix_unet", {"base": -1}),
        ("latent_mlp", {"hidden": [8] * 999}),
        ("vector_vae", {"latent_dim": 10**9}), ("vector_vae", {"channels": "24"}),
        ("latent_mlp", {"dropout": math.nan}),
        ("unet", {"layers_per_block": 10**4}),
        ("spectral_sr", {"bands": 4, "blocks": 65}), ("spatial_sr", {"bands": 4, "groups": 65}),
        ("lightweight", {"bands": 4, "layers": 65}), ("lightweight", {"bands": 1 << 17}),
    ],
)  # fmt: skip
def test_counts_that_no_network_has_are_refused_before_it_is_built(name, options):
    with pytest.raises(RsforgeError) as caught:
        build({"name": name, **options})
    assert caught.value.code == "RSF-C007"
