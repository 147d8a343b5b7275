"""Latents of both images of a pair: of the right images, stored or encoded anew."""

from __future__ import annotations

import torch

from rsforge.data.images.gaps import stack_valid
from rsforge.data.synthetic.pair_dataset import SyntheticPairs
from rsforge.engine import checkpoint
from rsforge.engine.distributed import SingleProcess
from rsforge.recipes.datasets.named_samples import NamedSamples
from rsforge.recipes.diffusion import evaluate, train_sar
from rsforge.recipes.diffusion.encode_pairs import PromptedPairs
from rsforge.recipes.diffusion.first_autoencoder import BothModalities
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


class Masked(SyntheticPairs):
    """Pairs of which the second has a gap in a corner."""

    has_gaps = True

    def valid(self, key):
        mask = torch.ones(1, 16, 16, dtype=torch.bool)
        mask[0, 0, 0] = key[1] != 1
        return mask


def test_masks_of_pairs_stand_beside_both_images():
    pairs = Masked(3, image_size=16, seed=0)
    prompted = PromptedPairs(pairs, torch.zeros(3, 4), "repeat")
    assert torch.equal(prompted[0, 1]["valid"], pairs.valid((0, 1))) and prompted[0, 1].keys() >= {"sar", "tokens"}
    assert "valid" not in PromptedPairs(SyntheticPairs(3, image_size=16, seed=0), torch.zeros(3, 4), "repeat")[0, 1]
    assert torch.equal(stack_valid(evaluate.PromptedPairs(pairs, ["a"] * 3), [1]), pairs.valid((0, 1))[None])
    both = NamedSamples(BothModalities(pairs, 1), ("images",))
    assert [not both[0, k]["valid"].all() for k in range(6)] == [False, True, False] * 2


def test_stored_pairs_have_the_masks_of_their_cells(sar_world):
    settings, console = settings_of(sar_world), RecordingConsole()
    compute = Compute(CPU, SingleProcess())
    encoded = train_sar.open_data(settings, compute, console)
    plain = encoded.data.pairs.plain
    plain.optical.masks.gaps[0] = True
    plain.optical.read_mask = lambda path: torch.zeros(1, settings.data.image_size, settings.data.image_size) > 0
    stored = train_sar.store_latents(settings, encoded, compute, console).latents.train
    shape = stored[0, 0]["latents"].shape[-2:]
    assert (
        stored[0, 0]["valid"].shape == (1, *shape) and not stored[0, 0]["valid"].any() and stored[0, 1]["valid"].all()
    )
