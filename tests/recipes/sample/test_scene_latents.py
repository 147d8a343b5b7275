"""Scenes tile by tile: what every pixel decides for itself is the same in tiles as in one piece."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rsforge.models.conditioning import Conditioning, ConditionInput
from rsforge.noise.schedules import cosine_alphas_cumprod
from rsforge.recipes.diffusion.encode_pairs import Standard
from rsforge.recipes.diffusion.pipeline import LatentPipeline
from rsforge.recipes.diffusion.sar_pipeline import SarPipeline
from rsforge.recipes.sample.scene_latents import SceneDrawing, SceneGrids, ScenePainter, count_tiles

FACTOR, CHANNELS = 2, 3


class Blocks(nn.Module):
    """An autoencoder of the means of 2 x 2 pixels, repeated."""

    factor = FACTOR

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean = nn.functional.avg_pool2d(x, FACTOR)
        return mean, torch.zeros_like(mean)

    def decode(self, z: Tensor) -> Tensor:
        return nn.functional.interpolate(z, scale_factor=FACTOR)


def pointwise(x_t: Tensor, t: Tensor, context: Tensor, condition: Tensor) -> Tensor:
    return torch.tanh(x_t - condition) + context.mean((1, 2))[:, None, None, None] + t[:, None, None, None] / 100


def painter(height: int, width: int, tile: int, overlap: int) -> tuple[ScenePainter, list[int]]:
    inputs = (ConditionInput("text", "context", 0.1), ConditionInput("sar", "condition", 0.1))
    latents = LatentPipeline(
        pointwise, Blocks(), cosine_alphas_cumprod(20), "v", (CHANNELS, 4, 4), torch.full((CHANNELS, 1, 1), 0.2),
        torch.full((CHANNELS, 1, 1), 0.7), conditioning=Conditioning(inputs),
    )  # fmt: skip
    standard = Standard(torch.zeros(CHANNELS, 1, 1), torch.full((CHANNELS, 1, 1), 0.5))
    pipeline = SarPipeline(latents, lambda prompts: torch.full((len(prompts), 2, 4), 0.1), "repeat", standard)
    counts: list[int] = []
    return ScenePainter(pipeline, SceneGrids(height, width, tile, overlap, FACTOR), 3, counts.append), counts


def draw(scene: np.ndarray, tile: int, overlap: int, strength: float = 1.0) -> tuple[Tensor, np.ndarray, list[int]]:
    own, counts = painter(*scene.shape[:2], tile, overlap)
    sar = own.encode(
        lambda window: scene[window.row : window.row + window.height, window.col : window.col + window.width]
    )
    drawing = SceneDrawing(sar, "words", 1.5, strength)
    walk = own.pipeline.latents.walk("ddim", 4, eta=0.5)
    draws = torch.stack([own.walk(drawing, walk, seed=3, number=number) for number in range(2)])
    return sar, np.concatenate(list(own.decode(draws)), axis=2), counts


@pytest.mark.parametrize(("height", "width"), [(37, 52), (16, 16), (9, 70)])
@pytest.mark.parametrize("strength", [1.0, 0.5])
def test_tiles_change_nothing_for_networks_that_look_at_one_pixel(height, width, strength):
    scene = np.random.default_rng(0).uniform(-1, 1, (height, width, 1)).astype(np.float32)
    whole = draw(scene, 80, 0, strength)
    sar, images, counts = draw(scene, 16, 4, strength)
    assert sar.shape == whole[0].shape == (CHANNELS, -(-height // 2), -(-width // 2))
    assert images.shape[0] == 2 and images.shape[2] >= height and images.shape[3] == width
    assert torch.allclose(sar, whole[0], atol=1e-6)
    assert np.abs(images[:, :, :height] - whole[1][:, :, :height]).max() < 1e-5
    assert sum(counts) == count_tiles(SceneGrids(height, width, 16, 4, FACTOR), 4 if strength == 1 else 2, 2)


class TileMeans(Blocks):
    """Decodes each tile to its mean, as a network that sees all of a tile at once may."""

    def decode(self, z: Tensor) -> Tensor:
        return super().decode(z.mean((-2, -1), keepdim=True).expand_as(z))


def test_tiles_that_disagree_fade_into_each_other():
    own, _ = painter(16, 64, 16, 8)
    own = replace(own, pipeline=replace(own.pipeline, latents=replace(own.pipeline.latents, autoencoder=TileMeans())))
    ramp = torch.linspace(-1, 1, 32).expand(1, CHANNELS, 8, 32)
    (strip,) = own.decode(ramp)
    steps = np.diff(strip[0, 0, 0])
    means = ramp[0, 0, 0].unfold(0, 8, 4).mean(1) * 0.7 + 0.2
    apart = float((means[1:] - means[:-1]).max())
    assert (steps >= -1e-6).all() and steps.max() < apart / 4
    assert np.isclose(strip[0, 0, 0, 0], means[0]) and np.isclose(strip[0, 0, 0, -1], means[-1])
