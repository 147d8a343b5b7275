"""Latents of both images of a pair: of the right images, stored or encoded anew."""

from __future__ import annotations

import torch

from rsforge.engine import checkpoint
from rsforge.engine.distributed import SingleProcess
from rsforge.recipes.diffusion import train_sar
from rsforge.recipes.training.job import Compute
from rsforge.settings.diffusion_sar import SarTrainSettings
from tests.worlds.consoles import RecordingConsole

CPU = torch.device("cpu")
VAE = "--vae {} "


def settings_of(world, path="best_model.pt"):
    stored = checkpoint.load_metadata(world.model / path)["settings"]
    return SarTrainSettings.model_validate(stored)


def test_trap_01_the_target_is_the_optical_image_and_the_condition_the_sar_one(sar_world):
    settings = settings_of(sar_world)
    data = train_sar.open_data(settings, Compute(CPU, SingleProcess()), RecordingConsole())
    sar, optical = data.data.pairs.plain[0, 0]
    latents, encoder = data.latents, data.data.autoencoder
    batch = {name: value[None] for name, value in latents.train[0, 0].items()}
    mean, _ = encoder.encode(optical[None])
    assert torch.allclose(latents.moments_of(batch)[:, 0], mean, atol=1e-5)
    mean, _ = encoder.encode(sar.expand(3, -1, -1)[None])
    assert torch.allclose(latents.sar_of(batch), mean, atol=1e-5)


def test_stored_latents_are_those_encoded_at_each_step(sar_world):
    settings, console = settings_of(sar_world), RecordingConsole()
    compute = Compute(CPU, SingleProcess())
    fresh = train_sar.open_data(settings, compute, console)
    stored = train_sar.store_latents(settings, fresh, compute, console).latents
    for index in (0, 5):
        one, other = ({n: v[None] for n, v in part.train[0, index].items()} for part in (fresh.latents, stored))
        assert torch.allclose(fresh.latents.moments_of(one), stored.moments_of(other), atol=1e-5)
        assert torch.allclose(fresh.latents.sar_of(one), stored.sar_of(other), atol=1e-5)
        assert torch.equal(one["tokens"], other["tokens"])
