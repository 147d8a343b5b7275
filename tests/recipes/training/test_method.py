"""What a method must bring, found before anything is written."""

from __future__ import annotations

import pytest

from rsforge.recipes.training.job import TrainingSpec
from rsforge.recipes.vae.train import METHOD


def spec(**identity) -> TrainingSpec:
    return TrainingSpec(None, [], [], identity, "val/mse")


def test_what_checkpoints_must_say_is_asked_for_before_a_run():
    network = {"architecture": {"name": "autoencoder_kl"}}
    METHOD.check_spec(spec(**network, image_size=16, normalisation={}))
    with pytest.raises(RuntimeError, match="kind vae must say image_size"):
        METHOD.check_spec(spec(**network, normalisation={}))


@pytest.mark.parametrize(
    "architecture", [{"name": "unet_of_mine"}, {"a": {"name": "unet"}, "b": {"name": "unet_of_mine"}}]
)
def test_a_network_outside_the_catalogue_could_not_be_read_back(architecture):
    with pytest.raises(RuntimeError, match="unet_of_mine is not in"):
        METHOD.check_spec(spec(architecture=architecture, image_size=16, normalisation={}))
