"""The report of the demo: figures beside their baselines, images, curves."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from pydantic import BaseModel

from rsforge import __version__
from rsforge.data.images.tile_dataset import scan
from rsforge.recipes import output_names
from rsforge.recipes.console import Console
from rsforge.recipes.html.journal_curves import read_curves
from rsforge.recipes.html.page import Chart, Headline, Picture, Report, Section, Stage, format_duration, write_page
from rsforge.recipes.html.svg_chart import Curve
from rsforge.recipes.training import output_dir
from rsforge.settings.tools import DemoSettings

REPORT = "report.html"
SAMPLES = "samples.png"
SCENES = "scenes.png"
RECONSTRUCTIONS = "reconstructions.png"
NEAREST = "nearest.png"
FILES = (REPORT, SAMPLES, SCENES, RECONSTRUCTIONS, NEAREST)
WEIGHTED = "In training timesteps are weighted (min-SNR), held out they are not: compare held out with the baseline."
AVERAGED = "Training losses are averaged over neighbouring steps; held out is of a whole epoch."

Figures = dict[str, Any]


class CommandRecord(Protocol):
    """The command line of a recipe, and the origins of its settings."""

    command: str
    origins: dict[str, str]


def make_stage(name: str, seconds: float, calls: Sequence[tuple[CommandRecord, BaseModel]]) -> Stage:
    """A stage of the report from the recipes that it called, with the settings of a training."""
    commands = "\n".join(record.command for record, _ in calls)
    if calls:
        record, settings = calls[-1]
        if hasattr(settings, "loop"):
            return Stage(name, round(seconds, 1), commands, output_dir.plain(settings), record.origins)
    return Stage(name, round(seconds, 1), commands)


def write_report(
    output: Path, figures: Figures, stages: Sequence[Stage], settings: DemoSettings, console: Console, *, seconds: float
) -> None:
    """Write the report of a finished demo."""
    own = Stage("demo", seconds, console.command, output_dir.plain(settings), console.origins)
    done = Report(
        title="rsforge demo",
        lead="An autoencoder and a latent diffusion model, trained from nothing on synthetic satellite scenes in "
        f"{format_duration(seconds)}. A program paints the scenes; no satellite took them.",
        headlines=make_headlines(figures, seconds),
        sections=[
            _samples_section(output, figures),
            _autoencoder_section(output, figures),
            _diffusion_section(output, figures),
        ],
        stages=[*stages, own],
        data=_describe_data(output),
        environment=_describe_environment(),
    )
    write_page(output / REPORT, done)


def make_headlines(figures: Mapping[str, Any], seconds: float) -> list[Headline]:
    """The figures in large type, each with its baseline."""
    vae, diffusion = figures["autoencoder"], figures["diffusion"]
    return [
        Headline(f"{vae['psnr_db']:.1f} dB", f"PSNR of unseen scenes given back; "
                 f"giving each the mean image: {vae['mean_image_psnr_db']:.1f} dB"),
        Headline(format_share(diffusion["held_out_loss"], diffusion["linear_loss"]),
                 f"held-out denoising loss {diffusion['held_out_loss']:.3f}, as a share of the best linear "
                 f"denoiser's {diffusion['linear_loss']:.3f}"),
        Headline(format_duration(seconds), f"from nothing to this page, {_describe_epochs(figures)}"),
    ]  # fmt: skip


def _describe_epochs(figures: Mapping[str, Any]) -> str:
    epochs = figures["epochs"]
    return f"{epochs['autoencoder']} and {epochs['diffusion']} epochs"


def _samples_section(output: Path, figures: Mapping[str, Any]) -> Section:
    copied = figures["samples"]
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


def _autoencoder_section(output: Path, figures: Mapping[str, Any]) -> Section:
    vae = figures["autoencoder"]
    mse, trivial = vae["mse"], vae["mean_image_mse"]
    reading = (
        f"MSE {mse:.4f} on unseen scenes = {format_share(mse, trivial)} of giving every image the mean image "
        f"({trivial:.4f}). SSIM {vae['ssim']:.2f}."
    )
    curves = read_curves(output / "vae_models" / output_names.JOURNAL, "mse", "val/mse")
    last = max((x for curve in curves for x, _ in curve.points), default=0)
    curves.append(Curve("mean image", "baseline", [(0, vae["mean_image_mse"]), (last, vae["mean_image_mse"])]))
    rows = Picture(
        output / RECONSTRUCTIONS, "Above, scenes that no training saw; below, given back through the latent.", wide=True
    )
    return Section(
        "Autoencoder", reading, [rows], [Chart("Reconstruction error", curves, "mean squared error", AVERAGED)]
    )


def _diffusion_section(output: Path, figures: Mapping[str, Any]) -> Section:
    loss, linear = figures["diffusion"]["held_out_loss"], figures["diffusion"]["linear_loss"]
    reading = (
        f"Held-out loss {loss:.4f} = {format_share(loss, linear)} of the best denoiser that knows only mean and "
        f"variance ({linear:.4f})."
    )
    curves = read_curves(output / "diffusion_models" / output_names.JOURNAL, "loss", "val/loss", "val/linear")
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


def format_share(figure: float, baseline: float) -> str:
    """``figure`` as a whole percentage of ``baseline``."""
    return f"{100 * figure / baseline:.0f} %" if baseline > 0 else "no share"
