"""The linear code of as many numbers and nats as a vector autoencoder spends."""

from __future__ import annotations

import pytest
import torch

from rsforge.engine import checkpoint
from rsforge.recipes.evaluation.evaluation import Baseline
from rsforge.recipes.vae.linear_channel import NAME, NO_VARIANCES, add_channel, measure_nats
from rsforge.recipes.vae.load import load_autoencoder
from tests.recipes.conftest import Job

CPU = torch.device("cpu")
PCA = Baseline("pca", "components", lambda batch: {})


@pytest.fixture(scope="module")
def stored(job: Job) -> dict:
    return checkpoint.load(job.vae / "best_model.pt")["baselines"]


def test_beside_the_channel_components_without_a_limit_of_nats_are_a_reference(stored):
    (pca, channel), absent = add_channel([PCA], {}, stored, 5.0, "target", CPU)
    assert pca.reference and "without a limit of nats" in pca.meaning and not absent
    assert channel.name == NAME and "8 numbers and 5 nats" in channel.meaning and not channel.reference
    x = torch.zeros(2, *stored["mean_image"].shape)
    assert channel.predict({"target": x})["image"].shape == x.shape


def test_of_checkpoints_without_variances_and_of_maps_there_is_none(stored):
    before = {**stored, "pca": {name: value for name, value in stored["pca"].items() if name != "variances"}}
    assert add_channel([PCA], {}, before, 5.0, "target", CPU) == ([PCA], {NAME: NO_VARIANCES})
    patches = {**stored, "pca": {**stored["pca"], "patch": 4}}
    assert add_channel([PCA], {}, patches, 5.0, "target", CPU) == ([PCA], {})
    assert add_channel([], {"pca": "too large"}, stored, 5.0, "target", CPU) == ([], {"pca": "too large"})


def test_nats_are_those_of_the_measured_images(job, stored):
    network, _ = load_autoencoder(job.vae / "best_model.pt", CPU)
    images = [stored["mean_image"], stored["median_image"]]

    class Two:
        def __len__(self):
            return 2

        def __getitem__(self, key):
            return images[key[1]]

    with torch.no_grad():
        mu, logvar = network.encode(torch.stack(images))
    expected = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).flatten(1).sum(1).mean()
    assert measure_nats(network, Two(), CPU) == pytest.approx(float(expected), rel=1e-5)
