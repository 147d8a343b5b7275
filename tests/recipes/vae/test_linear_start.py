"""Map autoencoders that begin as a linear code of their training images."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from rsforge.data.synthetic.tile_dataset import SyntheticTiles
from rsforge.engine.distributed import SingleProcess
from rsforge.errors import RsforgeError
from rsforge.metrics.image import chroma_share
from rsforge.metrics.linear_channel import fit_channel
from rsforge.metrics.pca import fit_patch_pca, fit_pca, reconstruct_patches
from rsforge.recipes.console import SilentConsole
from rsforge.recipes.datasets.image_folder import ImageSets
from rsforge.recipes.training.job import Compute
from rsforge.recipes.vae.linear_start import turn_all_ways
from rsforge.recipes.vae.train import build_network, spec, start_network
from rsforge.settings.base import RunSettings
from rsforge.settings.vae import AutoencoderSettings, VaeTileSettings, VaeTrainSettings
from rsforge.tasks.vae import VaeTask

TILES = SyntheticTiles(96, image_size=16, seed=0)
NEW = SyntheticTiles(8, image_size=16, seed=9)
DATA = ImageSets(TILES, TILES, NEW, {})
COMPUTE = Compute(torch.device("cpu"), SingleProcess())


def stack(tiles):
    return torch.stack([tiles[0, k] for k in range(len(tiles))])


def settings(**run):
    return VaeTrainSettings(
        run=RunSettings(output_dir=Path("unused"), **run),
        data=VaeTileSettings(data_dir="synthetic", image_size=16),
        autoencoder=AutoencoderSettings(latent="map", channels=(8, 8, 8), layers_per_block=1),
    )


def started(*, dry_run=False, **run):
    console = SilentConsole()
    console.dry_run = dry_run
    torch.manual_seed(0)
    chosen = settings(**run)
    network = build_network(chosen, DATA, COMPUTE)
    start_network(chosen, DATA, network, console)
    return network


@torch.no_grad()
def test_before_the_first_step_it_is_better_than_components_of_patches_on_images_it_has_not_seen():
    network = started()
    x, seen = stack(NEW), ((stack(TILES) + 1) * 127.5).round().byte()
    fitted = fit_patch_pca(seen, 4, 4)
    components = reconstruct_patches(x, 4, fitted["mean"], fitted["components"])
    errors = [float((made - x).square().mean()) for made in (network(x), components)]
    assert errors[0] < 0.9 * errors[1]


def test_neither_a_run_that_goes_on_nor_a_plan_is_fitted():
    assert not started().encoder.conv_out.weight.any(), "all is the linear code"
    for network in (started(resume="auto"), started(dry_run=True)):
        assert network.encoder.conv_out.weight.any(), "as it is drawn, until the checkpoint is read"


@torch.no_grad()
def test_layers_of_the_reference_begin_as_a_linear_code_too():
    options = AutoencoderSettings(
        latent="map", linear_path=False, linear_start=True, latent_channels=6, channels=(32, 48), layers_per_block=1
    )
    made = settings().model_copy(update={"autoencoder": options})
    network = build_network(made, DATA, COMPUTE)
    start_network(made, DATA, network, SilentConsole())
    x = stack(NEW)
    assert network.linear_path is None
    thumbnail = F.interpolate(F.avg_pool2d(x, 2), scale_factor=2.0, mode="bilinear")
    errors = [float((image - x).square().mean()) for image in (network(x), thumbnail)]
    assert errors[0] < 0.5 * errors[1]
    narrow = made.model_copy(update={"autoencoder": options.model_copy(update={"channels": (16, 16)})})
    with pytest.raises(RsforgeError, match="16 channels in 4 groups") as caught:
        build_network(narrow, DATA, COMPUTE)
    assert caught.value.code == "RSF-U005" and "--no-linear-start" in caught.value.fix
    for other in ({"linear_path": True}, {"latent": "vector"}):
        with pytest.raises(ValueError, match="--linear-start needs --latent map and --no-linear-path"):
            AutoencoderSettings(**{"latent": "map", "linear_path": False, "linear_start": True, **other})


@torch.no_grad()
def test_a_vector_begins_as_the_linear_code_of_images_in_all_orientations():
    options = {"latent_dim": 4, "channels": (4, 4), "kl_target": 6.0, "linear_path": True}
    made = settings().model_copy(update={"autoencoder": AutoencoderSettings(**options)})
    network = build_network(made, DATA, COMPUTE)
    start_network(made, DATA, network, SilentConsole())
    network.eval()
    x, seen = stack(NEW), ((stack(TILES) + 1) * 127.5).round().byte()
    views = turn_all_ways(seen)
    assert len(torch.unique(turn_all_ways(seen[:1]), dim=0)) == 8
    fitted = fit_pca(views, 4)
    channel = fit_channel(fitted["mean"], fitted["components"], fitted["variances"], 6.0)
    torch.testing.assert_close(network(x), channel.expect(x), atol=2e-3, rtol=0)
    with pytest.raises(ValueError, match="--linear-path needs --kl-target"):
        AutoencoderSettings(**{**options, "kl_target": 0.0})


@torch.no_grad()
def test_the_weight_of_colour_reaches_the_code_and_the_task():
    options = settings().autoencoder.model_copy(update={"chroma_weight": 16.0, "perceptual": "no"})
    made = settings().model_copy(update={"autoencoder": options})
    network = build_network(made, DATA, COMPUTE)
    found = spec(made, DATA, network, COMPUTE, SilentConsole())
    assert isinstance(found.task, VaeTask) and found.task.chroma_weight == 16
    x, plain = stack(NEW), started()
    assert chroma_share(network(x), x).mean() > chroma_share(plain(x), x).mean() + 0.01
