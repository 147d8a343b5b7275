"""What SAR diffusion draws: by the SAR image, and the same in training and afterwards."""

from __future__ import annotations

import torch

from rsforge.recipes.diffusion import train_sar
from rsforge.recipes.diffusion.load_sar import ModelFiles, load_sar_model
from rsforge.recipes.diffusion.sar_pipeline import Request
from tests.worlds.commands import rsforge
from tests.worlds.sar_diffusion import LINE

CPU = torch.device("cpu")
VAE = "--vae {} "


def test_trap_06_what_is_drawn_from_the_checkpoints_is_what_training_draws(sar_world, tmp_path, monkeypatch):
    drawn = {}

    def keep(settings, pipeline, data, console, moment):
        sar = torch.stack([data.pairs.held_out[0, index][0] for index in (0, 1)])
        request = Request(sar, data.prompts[1][:2], guidance_scale=2.0, strength=0.8)
        walk = pipeline.latents.walk(num_steps=4)
        drawn[str(moment)] = (request, walk, pipeline.draw(request, [0, 1], walk, seed=5))
        return {}

    monkeypatch.setattr(train_sar, "preview", keep)
    vae = sar_world.model / "autoencoder" / "best_model.pt"
    line = LINE + VAE + "--epochs 1 --sample-every 1"
    assert rsforge(line, sar_world.pairs, sar_world.clip, tmp_path / "run", vae) == 0
    model = load_sar_model(ModelFiles(tmp_path / "run" / "latest_model.pt"), CPU, averaged=True)
    ((request, walk, image),) = drawn.values()
    assert torch.equal(model.pipeline.draw(request, [0, 1], walk, seed=5), image)


def test_trap_07_the_sar_image_steers_what_is_drawn_from_noise(sar_world):
    model = load_sar_model(ModelFiles(sar_world.model / "best_model.pt"), CPU, averaged=True)
    walk = model.pipeline.latents.walk(num_steps=3)
    images = [
        model.pipeline.draw(Request(torch.full((1, 1, 32, 32), level), [""]), [0], walk, seed=1)
        for level in (-0.5, 0.5)
    ]
    assert not torch.allclose(images[0], images[1])
