"""What the demo's report says: figures beside their trivial baselines, pictures, curves."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from pydantic import BaseModel
from torch import Tensor

from rsforge import __version__
from rsforge.data.images.tile_dataset import TileDataset, scan
from rsforge.data.io.image_writer import save_grid
from rsforge.recipes.console import Console
from rsforge.recipes.datasets.batches import stack_samples
from rsforge.recipes.html import page
from rsforge.recipes.html.page import Chart, Headline, Picture, Report, Section, Stage
from rsforge.recipes.html.svg_chart import Curve
from rsforge.recipes.training import loss_plots, output_dir, output_names
from rsforge.settings.tools import DemoSettings

REPORT, SAMPLES, SCENES = "report.html", "samples.png", "scenes.png"
RECONSTRUCTIONS, NEAREST = "reconstructions.png", "nearest.png"
FILES = (REPORT, SAMPLES, SCENES, RECONSTRUCTIONS, NEAREST)
COMPARED = 8
WEIGHTED = "In training timesteps are weighted (min-SNR), held out they are not: compare held out with the baseline."
AVERAGED = "Training losses are averaged over neighbouring steps; held out is of a whole epoch."

Figures = dict[str, Any]


class CommandRecord(Protocol):
    """A recipe's own command line and where its settings came from."""

    command: str
    origins: dict[str, str]


def make_stage(name: str, seconds: float, asides: Sequence[tuple[CommandRecord, BaseModel]]) -> Stage:
    """A stage of the report from the recipes that it called; with settings where it was a training."""
    commands = "\n".join(aside.command for aside, _ in asides)
    told, settings = asides[-1] if asides else (None, None)
    if told is None or settings is None or not hasattr(settings, "loop"):
        return Stage(name, round(seconds, 1), commands)
    return Stage(name, round(seconds, 1), commands, output_dir.plain(settings), told.origins)


def collect_figures(output: Path, evaluated: Mapping[str, Any]) -> Figures:
    """How good both models are on what they did not learn from, each beside what needs no learning.

    ``evaluated`` is of scenes that no training saw; the denoiser's loss is that of its best epoch, held out.
    """
    epochs = loss_plots.closed_rows(output / "diffusion_models" / output_names.JOURNAL)
    return {
        "autoencoder": reconstruction_figures(evaluated),
        "diffusion": denoising_figures(epochs),
        "samples": copying_figures(output),
    }


def reconstruction_figures(evaluated: Mapping[str, Any]) -> Figures:
    """Error of the images given back, and of giving back the mean image instead, also in dB."""
    mse, trivial = evaluated["mse"], evaluated["mean_image_mse"]
    return {
        "mse": mse,
        "mean_image_mse": trivial,
        "psnr_db": round(page.psnr_db(mse), 2),
        "mean_image_psnr_db": round(page.psnr_db(trivial), 2),
        "ssim": evaluated["ssim"],
    }


def denoising_figures(epochs: Sequence[Mapping[str, Any]]) -> Figures:
    """Held-out loss of the best epoch, and of the best denoiser that knows mean and variance alone."""
    best = min(epochs, key=lambda row: row["val/loss"])
    return {"held_out_loss": best["val/loss"], "linear_loss": best["val/linear"], "best_epoch": best["epoch"]}


def find_nearest(images: Tensor, among: Tensor) -> tuple[Tensor, Tensor]:
    """Mean squared distance of each image to the closest one of ``among``, mirrored or not, and that one."""
    both = torch.cat([among, among.flip(-1)])
    distances = torch.cdist(images.flatten(1), both.flatten(1)).square() / images[0].numel()
    least, index = distances.min(1)
    return least, both[index]


def copying_figures(output: Path) -> Figures:
    """How far drawn images are from the closest training scene, beside how far unseen scenes are; and a picture."""
    scenes, unseen = _load_images(output / "tiles"), _load_images(output / "unseen")
    drawn = _load_images(output / "samples_individual")
    save_grid(output / SCENES, scenes[: len(drawn)], nrow=4)
    least, closest = find_nearest(drawn, scenes)
    save_grid(output / NEAREST, torch.cat([drawn[:COMPARED], closest[:COMPARED]]), nrow=min(COMPARED, len(drawn)))
    of_unseen, _ = find_nearest(unseen, scenes)
    return {"nearest_scene_mse": round(float(least.mean()), 5), "unseen_nearest_mse": round(float(of_unseen.mean()), 5)}


def _load_images(place: Path) -> Tensor:
    tiles = scan(place).tiles
    samples = TileDataset(tiles, image_size=tiles[0].width, seed=0, flip=0.0, jitter=0.0)
    return stack_samples(samples, range(len(samples)))


def write_report(
    output: Path, told: Figures, stages: Sequence[Stage], settings: DemoSettings, show: Console, *, seconds: float
) -> None:
    """Write the report of a finished demo."""
    own = Stage("demo", seconds, show.command, output_dir.plain(settings), show.origins)
    done = Report(
        title="rsforge demo",
        lead="An autoencoder and a latent diffusion model, trained from nothing on drawn satellite scenes in "
        f"{page.format_duration(seconds)}. The scenes are drawn by a program; no satellite took them.",
        headlines=make_headlines(told, seconds),
        sections=[_samples_section(output, told), _autoencoder_section(output, told), _diffusion_section(output, told)],
        stages=[*stages, own],
        data=_describe_data(output),
        environment=_describe_environment(),
    )
    page.write_page(output / REPORT, done)


def make_headlines(told: Mapping[str, Any], seconds: float) -> list[Headline]:
    """The figures in large type, each with its baseline."""
    vae, diffusion = told["autoencoder"], told["diffusion"]
    return [
        Headline(f"{vae['psnr_db']:.1f} dB", f"PSNR of unseen scenes given back; "
                 f"giving each the mean image: {vae['mean_image_psnr_db']:.1f} dB"),
        Headline(page.format_share(diffusion["held_out_loss"], diffusion["linear_loss"]),
                 f"held-out denoising loss {diffusion['held_out_loss']:.3f}, as a share of the best linear "
                 f"denoiser's {diffusion['linear_loss']:.3f}"),
        Headline(page.format_duration(seconds), f"from nothing to this page, {_describe_epochs(told)}"),
    ]  # fmt: skip


def _describe_epochs(told: Mapping[str, Any]) -> str:
    epochs = told["epochs"]
    return f"{epochs['autoencoder']} and {epochs['diffusion']} epochs"


def _samples_section(output: Path, told: Mapping[str, Any]) -> Section:
    copied = told["samples"]
    prior = sorted((output / "vae_models" / "samples").glob("*.png"))
    pictures = [
        Picture(output / SAMPLES, "Drawn by the diffusion model from noise. Not chosen: the first ones of the seed."),
        Picture(output / SCENES, "Scenes of the training data, for comparison."),
        *(Picture(p, "Baseline without a diffusion model: the same autoencoder, given noise of the mean and deviation "
                     "of its latents.") for p in prior[-1:]),
        Picture(output / NEAREST, "Above, drawn images; below, the training scene closest to each, mirrored or not. "
                f"Mean squared distance {copied['nearest_scene_mse']:.3f}; for scenes that no training saw it is "
                f"{copied['unseen_nearest_mse']:.3f}, for a copy it would be 0.", wide=True),
    ]  # fmt: skip
    text = (
        "A model this small, trained this briefly, learns layout and colour first and detail last. "
        "Judge it beside the scenes that it learnt from, and beside the baseline."
    )
    return Section("What it draws", text, pictures)


def _autoencoder_section(output: Path, told: Mapping[str, Any]) -> Section:
    vae = told["autoencoder"]
    mse, trivial = vae["mse"], vae["mean_image_mse"]
    reading = (
        f"MSE {mse:.4f} on unseen scenes = {page.format_share(mse, trivial)} of giving every image the mean image "
        f"({trivial:.4f}). SSIM {vae['ssim']:.2f}."
    )
    curves = page.read_curves(output / "vae_models" / output_names.JOURNAL, "mse", "val/mse")
    last = max((x for curve in curves for x, _ in curve.points), default=0)
    curves.append(Curve("mean image", "baseline", [(0, vae["mean_image_mse"]), (last, vae["mean_image_mse"])]))
    rows = Picture(
        output / RECONSTRUCTIONS, "Above, scenes that no training saw; below, given back through the latent.", wide=True
    )
    return Section(
        "Autoencoder", reading, [rows], [Chart("Reconstruction error", curves, "mean squared error", AVERAGED)]
    )


def _diffusion_section(output: Path, told: Mapping[str, Any]) -> Section:
    loss, linear = told["diffusion"]["held_out_loss"], told["diffusion"]["linear_loss"]
    reading = (
        f"Held-out loss {loss:.4f} = {page.format_share(loss, linear)} of the best denoiser that knows only mean and "
        f"variance ({linear:.4f})."
    )
    curves = page.read_curves(output / "diffusion_models" / output_names.JOURNAL, "loss", "val/loss", "val/linear")
    return Section(
        "Diffusion", reading, charts=[Chart("Denoising loss", curves, "mean squared error", f"{WEIGHTED} {AVERAGED}")]
    )


def _describe_data(output: Path) -> Figures:
    return {name: scan(output / name).summary() for name in ("tiles", "unseen")} | {
        "source": "drawn by rsforge from a seed: fields, rivers, villages with roads, coasts"
    }


def _describe_environment() -> Figures:
    return {
        "rsforge": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processors": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "written": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
    }
