"""The figures of the demo: how good both models are, beside baselines that need no learning."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from rsforge import durable
from rsforge.data.images.tile_dataset import TileDataset, scan
from rsforge.data.io.image_writer import save_grid, to_uint8
from rsforge.data.synthetic.pair_dataset import SyntheticPairs
from rsforge.data.synthetic.write_pairs import PER_SCENE
from rsforge.recipes import output_names
from rsforge.recipes.cyclegan.load import load_generator
from rsforge.recipes.datasets.batches import stack_samples
from rsforge.recipes.inference.labelled_grid import draw_labelled_grid, enlarge
from rsforge.recipes.tools.demo_report import NEAREST, SCENES, STRIP, Figures
from rsforge.recipes.tracking import loss_plots
from rsforge.seeds import derive

COMPARED = 8
COLUMNS = 5  # of the strip


def collect_figures(output: Path, evaluated: Mapping[str, Any]) -> Figures:
    """The quality of both models on data that they were not trained on, each beside a baseline without learning.

    ``evaluated`` is the result of ``rsforge vae evaluate`` on unseen scenes; the loss of the denoiser is the held-out
    loss of its best epoch.
    """
    epochs = loss_plots.closed_rows(output / "diffusion_models" / output_names.JOURNAL)
    return {
        "autoencoder": reconstruction_figures(evaluated),
        "diffusion": denoising_figures(epochs),
        "samples": copying_figures(output),
    }


def reconstruction_figures(evaluated: Mapping[str, Any]) -> Figures:
    """The error of reconstructed images, and of the mean image in their place, also in dB."""
    mse, baseline = evaluated["mse"], evaluated["mean_image_mse"]
    return {
        "mse": mse,
        "mean_image_mse": baseline,
        "psnr_db": round(psnr_db(mse), 2),
        "mean_image_psnr_db": round(psnr_db(baseline), 2),
        "ssim": evaluated["ssim"],
    }


def psnr_db(mse: float) -> float:
    """The peak signal-to-noise ratio of a mean squared error of images in [-1, 1]; infinite for no error."""
    return 10 * math.log10(4 / mse) if mse > 0 else math.inf


def denoising_figures(epochs: Sequence[Mapping[str, Any]]) -> Figures:
    """The held-out loss of the best epoch, and of the best denoiser that knows only mean and variance."""
    best = min(epochs, key=lambda row: row["val/loss"])
    return {"held_out_loss": best["val/loss"], "linear_loss": best["val/linear"], "best_epoch": best["epoch"]}


def find_nearest(images: Tensor, among: Tensor) -> tuple[Tensor, Tensor]:
    """The mean squared distance of each image to the nearest of ``among``, mirrored or not, and the nearest image."""
    both = torch.cat([among, among.flip(-1)])
    distances = torch.cdist(images.flatten(1), both.flatten(1)).square() / images[0].numel()
    smallest, index = distances.min(1)
    return smallest, both[index]


def copying_figures(output: Path) -> Figures:
    """The distance of samples to the nearest training scene, beside that of unseen scenes; writes two figures."""
    scenes = _load_images(output / "tiles")
    unseen = _load_images(output / "unseen")
    samples = _load_images(output / "samples_individual")
    save_grid(output / SCENES, scenes[: len(samples)], nrow=4)
    distances, nearest = find_nearest(samples, scenes)
    compared = torch.cat([samples[:COMPARED], nearest[:COMPARED]])
    save_grid(output / NEAREST, compared, nrow=min(COMPARED, len(samples)))
    unseen_distances, _ = find_nearest(unseen, scenes)
    return {
        "nearest_scene_mse": round(float(distances.mean()), 5),
        "unseen_nearest_mse": round(float(unseen_distances.mean()), 5),
    }


def save_strip(output: Path, *, generators: Path | None, seed: int) -> None:
    """Write one picture of what the demo can do: unseen pairs with their translations, and samples.

    Without ``generators``, a checkpoint of a translator, there are training scenes in place of pairs.
    """
    samples = _load_images(output / "samples_individual")[:COLUMNS]
    if generators is None:
        shown = {"scenes": _load_images(output / "tiles")[: len(samples)]}
    else:
        shown = translate_unseen(generators, seed=seed, count=len(samples))
    rows = [enlarge(to_uint8(images.expand(-1, 3, -1, -1))) for images in (*shown.values(), samples)]
    sheet = draw_labelled_grid(np.concatenate(rows), nrow=len(samples), rows=(*shown, "samples"))
    buffer = io.BytesIO()
    # A palette makes speckle, which nothing compresses, a third of its size.
    sheet.quantize(256, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
    durable.write_bytes(output / STRIP, buffer.getvalue())


@torch.no_grad()
def translate_unseen(checkpoint: Path, *, seed: int, count: int) -> dict[str, Tensor]:
    """SAR and optical images of scenes of another seed, and the translations, in [-1, 1], by their names in a row."""
    network, restored = load_generator(checkpoint, torch.device("cpu"), "sar2optical")
    scenes = SyntheticPairs(count * PER_SCENE, image_size=restored.state["image_size"], seed=derive(seed, "strip"))
    pairs = [scenes[0, PER_SCENE * k] for k in range(count)]
    sar, optical = (torch.stack(images) for images in zip(*pairs, strict=True))
    return {"SAR": sar, "optical": optical, "translated": network(sar)}


def _load_images(folder: Path) -> Tensor:
    tiles = scan(folder).tiles
    samples = TileDataset(tiles, image_size=tiles[0].width, seed=0, flip=0.0, jitter=0.0)
    return stack_samples(samples, range(len(samples)))
