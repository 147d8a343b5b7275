"""Images of pretrained models, against the library's from the same latents."""

from __future__ import annotations

import json
import math

import pytest
import torch

from rsforge.recipes.pretrained.load import load_pretrained
from rsforge.samplers.noise_source import SeededNoise
from tests.worlds.stable_diffusion import SIZE, copy_folder, draw_theirs, edit_json, load_pipeline, source_pipeline

PROMPTS = ["a river and green trees", "an airport!"]
CLOSE = 1e-4  # of images in [-1, 1]: a hundredth of a grey level
LATENTS = SeededNoise(5, [0, 1]).draw(torch.empty(2, 4, SIZE, SIZE))


def _draw(model, *, sampler, steps, guidance_scale, negative="", guidance_rescale=0.0):
    pipeline = model.pipeline(negative_prompt=negative)
    walk = pipeline.walk(sampler, steps)
    return pipeline.draw([0, 1], walk, seed=5, guide=model.guide(PROMPTS, guidance_scale, guidance_rescale))


@pytest.mark.parametrize(("guidance_scale", "negative"), [(1.0, ""), (7.5, ""), (3.0, "blurry trees")])
def test_images_are_those_of_the_library(source, family, guidance_scale, negative):
    model = load_pretrained(source)
    ours = _draw(model, sampler="ddim", steps=4, guidance_scale=guidance_scale, negative=negative)
    theirs = draw_theirs(
        source_pipeline(family, "DDIMScheduler"), LATENTS, PROMPTS, steps=4, guidance_scale=guidance_scale,
        negative=[negative] * 2 if negative else None,
    )  # fmt: skip
    assert theirs.std() > 0.02 and (theirs.abs() < 1).float().mean() > 0.5
    assert (ours - theirs).abs().max() < CLOSE


@pytest.mark.parametrize("share", [0.7, 1.0])
def test_rescaled_guidance_is_that_of_the_library(source, family, share):
    strong = {"steps": 4, "guidance_scale": 12.0}
    model, pipeline = load_pretrained(source), source_pipeline(family, "DDIMScheduler")
    plain, ours = (_draw(model, sampler="ddim", guidance_rescale=own, **strong) for own in (0.0, share))
    theirs = draw_theirs(pipeline, LATENTS, PROMPTS, guidance_rescale=share, **strong)
    assert (ours - theirs).abs().max() < CLOSE < (ours - plain).abs().max()


@pytest.mark.parametrize("steps", [1, 4])
def test_a_turbo_model_is_drawn_in_few_steps(tmp_path, steps):
    pytest.importorskip("diffusers")
    folder = copy_folder("2.x", tmp_path / "model")
    edit_json(folder / "scheduler" / "scheduler_config.json", _class_name="EulerDiscreteScheduler",
              timestep_spacing="trailing", prediction_type="epsilon")  # fmt: skip
    edit_json(folder / "model_index.json", scheduler=["diffusers", "EulerDiscreteScheduler"])
    model, pipeline = load_pretrained(folder), load_pipeline(folder)
    assert type(pipeline.scheduler).__name__ == "EulerDiscreteScheduler" and model.networks.schedule.sampler == "euler"
    ours = _draw(model, sampler="euler", steps=steps, guidance_scale=1.0)
    pipeline.scheduler.set_timesteps(steps)
    # It begins at sigma times the noise, where the noisy image has the root of sigma squared plus one.
    sigma = float(pipeline.scheduler.sigmas[0])
    theirs = draw_theirs(pipeline, LATENTS * math.sqrt(sigma**2 + 1) / sigma, PROMPTS, steps=steps, guidance_scale=1.0)
    assert (ours - theirs).abs().max() < CLOSE


@pytest.mark.parametrize("spacing", ["linspace", "leading"])
def test_images_of_the_solver_are_those_of_the_library(tmp_path, spacing):
    pytest.importorskip("diffusers")
    folder, name = copy_folder("2.x", tmp_path / "model"), "DPMSolverMultistepScheduler"
    scheduler = folder / "scheduler" / "scheduler_config.json"
    kept = {key: value for key, value in json.loads(scheduler.read_text()).items() if key.startswith(("beta", "pred"))}
    scheduler.write_text(json.dumps(kept | {"_class_name": name, "timestep_spacing": spacing, "steps_offset": 1}))
    edit_json(folder / "model_index.json", scheduler=["diffusers", name])
    ours = _draw(load_pretrained(folder), sampler="dpm++", steps=3, guidance_scale=2.0)
    theirs = draw_theirs(load_pipeline(folder), LATENTS, PROMPTS, steps=3, guidance_scale=2.0)
    assert (ours - theirs).abs().max() < CLOSE


def test_other_sizes_are_drawn_and_refused(source):
    model = load_pretrained(source)
    pipeline = model.pipeline(24)
    images = pipeline.draw([0], pipeline.walk("ddim", 1), seed=1, guide=model.guide(PROMPTS[:1], 1.0))
    assert images.shape == (1, 3, 24, 24) and model.pipeline().latent_shape == (4, SIZE, SIZE)
    with pytest.raises(ValueError, match="not a multiple"):
        model.pipeline(25)


def test_a_model_names_its_parts(source, family):
    model = load_pretrained(source)
    networks = model.networks
    assert (model.unet, model.autoencoder, model.text_encoder) == (
        networks.unet,
        networks.autoencoder,
        networks.text_encoder,
    )
    assert (model.schedule, model.prediction) == (networks.schedule.schedule, {"1.x": "eps", "2.x": "v"}[family])
    assert model.image_size == 2 * SIZE and model.notes == ()
