"""Reconstructions of images that chose nothing, at the end of a training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from rsforge.engine.distributed import SingleProcess
from rsforge.recipes.datasets.image_folder import load_images
from rsforge.recipes.datasets.named_samples import NoSamples
from rsforge.recipes.training.job import Compute
from rsforge.recipes.vae.judge import judge
from rsforge.recipes.vae.load import load_autoencoder
from rsforge.settings.base import RunSettings
from rsforge.settings.vae import VaeTileSettings, VaeTrainSettings
from tests.worlds.consoles import RecordingConsole

COMPUTE = Compute(torch.device("cpu"), SingleProcess())


def test_the_error_is_that_of_the_images_of_the_third_side(job):
    data = VaeTileSettings(data_dir=str(job.tiles), image_size=16, test_fraction=0.2)
    settings = VaeTrainSettings(run=RunSettings(output_dir=Path("/nowhere")), data=data)
    sets, path = load_images(data, settings.run, RecordingConsole()), job.vae / "best_model.pt"
    told = judge(settings, sets, None, path, COMPUTE, RecordingConsole())
    network, _ = load_autoencoder(path, COMPUTE.device)
    x = torch.stack([sets.test[0, k] for k in range(len(sets.test))])
    with torch.no_grad():
        error = (network.decode(network.encode(x)[0]).clamp(-1, 1) - x).square().mean()
    assert (told["judged"]["side"], told["judged"]["images"]) == ("test", 6)
    assert told["judged"]["mse"]["model"] == pytest.approx(float(error), rel=1e-4)
    assert {"mean_image", "pca", "linear_channel"} <= told["judged"]["mse"].keys()
    none = replace(sets, held_out=NoSamples(), test=NoSamples())
    assert judge(settings, none, None, path, COMPUTE, RecordingConsole()) == {}
