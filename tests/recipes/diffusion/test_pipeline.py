"""From noise, or from an image, to images: the walk a model is drawn by, its inputs, and how far it goes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from rsforge.errors import RsforgeError
from rsforge.models.conditioning import Conditioning, ConditionInput
from rsforge.noise.schedules import alphas_cumprod
from rsforge.recipes.diffusion.load import stored_pipeline
from rsforge.recipes.diffusion.pipeline import Guide, LatentPipeline, Start
from rsforge.samplers.ddim import ddim
from rsforge.samplers.noise_source import SeededNoise
from rsforge.samplers.predict_x0 import x0_denoiser
from rsforge.samplers.timesteps import StepGrid, timesteps

MEAN, STD = torch.tensor([[[0.5]], [[-1.0]]]), torch.tensor([[[2.0]], [[0.5]]])
TEXT = Conditioning((ConditionInput("text", "context", 0.1), ConditionInput("sar", "condition", 0.0)))


class Network(nn.Module):
    """Any smooth function of what it is told."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, x_t, t, context=None, condition=None):
        y = torch.tanh(x_t) + 0.3 * torch.cos(t / 100).view(-1, 1, 1, 1)
        y = y if context is None else y + 0.2 * context.mean((1, 2)).view(-1, 1, 1, 1)
        return self.weight * (y if condition is None else y + 0.1 * condition)


class Autoencoder(nn.Module):
    """Shows a tenth of the latent."""

    def decode(self, z):
        return 0.1 * z

    def latent_shape(self, image_size):
        return (2, image_size // 8, image_size // 8)


def pipeline(prediction="v", **options):
    table = alphas_cumprod("flow" if prediction == "flow" else "linear")
    return LatentPipeline(Network(), Autoencoder(), table, prediction, (2, 4, 4), MEAN, STD, **options)


def inputs(count=3):
    return {"text": torch.ones(count, 5, 6), "sar": torch.full((count, 2, 4, 4), 2.0)}


@pytest.mark.parametrize(
    ("prediction", "sampler", "num_steps", "expected"),
    [
        ("eps", None, None, ("ddpm", 1000)), ("v", None, 50, ("ddim", 50)), ("flow", None, None, ("euler", 4)),
        ("flow", None, 9, ("euler", 9)), ("v", "dpm++", None, ("dpm++", 20)), ("x_0", "ddpm", 30, ("ddpm", 30)),
        ("flow", "ddpm", None, ("ddpm", 1000)), ("v", "euler", 7, ("euler", 7)),
    ],
)  # fmt: skip
def test_the_walk_suits_the_model_where_nothing_is_said(prediction, sampler, num_steps, expected) -> None:
    walk = pipeline(prediction).walk(sampler, num_steps)
    assert (walk.sampler, len(walk.steps)) == expected


def test_steps_lie_where_the_grid_has_them() -> None:
    assert pipeline(grid=StepGrid("leading", 1)).walk(num_steps=4).steps == [751, 501, 251, 1]
    assert pipeline().walk(num_steps=4).steps == timesteps(1000, 4)
    with pytest.raises(ValueError, match="1 to 1000"):
        pipeline().walk(num_steps=1001)


def test_images_are_those_of_the_sampler_alone() -> None:
    """What was drawn before there was more than one way to draw."""
    drawn = pipeline()
    noise = SeededNoise(7, range(3))
    x_T = noise.draw(torch.empty(3, 2, 4, 4))  # noqa: N806
    denoise = x0_denoiser(drawn.denoiser, drawn.alphas_cumprod, "v")
    with torch.no_grad():
        x_0 = ddim(denoise, x_T, drawn.alphas_cumprod, steps=timesteps(1000, 20), eta=0.5, draw=noise.draw)
    expected = (0.1 * (x_0 * STD + MEAN)).clamp(-1, 1)
    assert torch.equal(drawn.draw(range(3), drawn.walk("ddim", 20, eta=0.5), seed=7), expected)


@pytest.mark.parametrize("sampler", ["ddpm", "ddim", "dpm++", "euler"])
def test_an_image_does_not_depend_on_its_batch(sampler) -> None:
    drawn = pipeline(conditioning=TEXT)
    walk, told = drawn.walk(sampler, 6, eta=0.3 if sampler == "ddim" else 0.0), inputs(3)
    whole = drawn.draw(range(3), walk, seed=1, guide=Guide(told, 3.0))
    parts = [drawn.draw([i], walk, seed=1, guide=Guide({k: v[:1] for k, v in told.items()}, 3.0)) for i in range(3)]
    torch.testing.assert_close(torch.cat(parts), whole, atol=1e-6, rtol=0)
    assert whole.unique(dim=0).shape[0] == 3


def test_a_walk_ends_where_the_grid_ends() -> None:
    to_data, to_first = pipeline(), pipeline(grid=StepGrid(set_alpha_to_one=False))
    walks = [p.draw([0], p.walk("ddim", 2), seed=1) for p in (to_data, to_first)]
    assert not torch.equal(*walks)
    torch.testing.assert_close(*walks, atol=0.01, rtol=0)


def test_inputs_reach_the_network_and_guidance_strengthens_them() -> None:
    drawn = pipeline(conditioning=TEXT)
    walk = drawn.walk(num_steps=5)
    plain, guided, louder = (drawn.draw([0], walk, seed=1, guide=Guide(inputs(1), g)) for g in (1.0, 2.0, 4.0))
    without = drawn.draw([0], walk, seed=1, guide=Guide(inputs(1), 0.0))
    reach = [float((x - without).abs().mean()) for x in (plain, guided, louder)]
    assert 0 < reach[0] < reach[1] < reach[2]
    other = drawn.draw([0], walk, seed=1, guide=Guide(inputs(1) | {"sar": torch.zeros(1, 2, 4, 4)}))
    assert not torch.equal(other, plain)
    with pytest.raises(ValueError, match="lacks sar"):
        drawn.draw([0], walk, seed=1, guide=Guide({"text": torch.ones(1, 5, 6)}))


@pytest.mark.parametrize(("conditioning", "names"), [(Conditioning(), None), (TEXT, ["sar"])])
def test_guidance_is_refused_where_training_left_nothing_out(conditioning, names) -> None:
    drawn = pipeline(conditioning=conditioning)
    told = inputs(1) if conditioning.inputs else {}
    with pytest.raises(RsforgeError) as caught:
        drawn.draw([0], drawn.walk(num_steps=2), seed=1, guide=Guide(told, 7.5, names))
    assert caught.value.code == "RSF-U005"


@pytest.mark.parametrize("sampler", ["ddpm", "dpm++"])
def test_a_start_is_kept_as_far_as_its_strength_lets_it(sampler) -> None:
    drawn, latents = pipeline("flow"), MEAN + STD * torch.full((2, 2, 4, 4), 0.3)
    shown, walk = 0.1 * latents, drawn.walk(sampler, 20)
    gone, counts = [], []
    for strength in (0.0, 0.1, 0.5, 1.0):
        steps = []
        x = drawn.draw(range(2), walk, seed=3, start=Start(latents, strength), on_step=steps.append)
        gone.append(float((x - shown).abs().mean()))
        counts.append(len(steps))
    assert gone[0] < 1e-6 < gone[1] < gone[2] < gone[3] and counts == [0, 2, 10, 20]
    # The straight path ends without signal: at strength 1 nothing of the start is left.
    assert torch.equal(x, drawn.draw(range(2), walk, seed=3))


def test_a_checkpoint_says_all_of_it() -> None:
    schedule = {"kind": "cosine", "timesteps": 50, "zero_terminal_snr": True}
    state = {"schedule": schedule, "prediction": "v", "latent_shape": [2, 4, 4], "latent_mean": MEAN, "latent_std": STD}
    state["image_size"] = 32
    former = stored_pipeline(state, Network(), Autoencoder())
    assert former.grid == StepGrid() and former.conditioning.inputs == () and former.latent_shape == (2, 4, 4)
    assert torch.equal(former.alphas_cumprod, alphas_cumprod("cosine", 50, zero_terminal=True))
    grid = StepGrid("trailing", 0, False)
    state |= {"schedule": schedule | grid.as_dict(), "conditioning": TEXT.as_dict()}
    today = stored_pipeline(state, Network(), Autoencoder())
    assert today.grid == grid and [item.name for item in today.conditioning.inputs] == ["text", "sar"]
    assert replace(today, grid=former.grid, conditioning=former.conditioning).walk().steps == former.walk().steps


@pytest.mark.parametrize("prediction", ["v", "flow"])
def test_noise_of_ddim_asks_for_ddim(prediction) -> None:
    walk = pipeline(prediction).walk(eta=0.5)
    assert (walk.sampler, walk.eta) == ("ddim", 0.5)
