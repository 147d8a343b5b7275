"""``rsforge sample``: draw images from trained models."""

from __future__ import annotations

from typing import Any

import typer

from rsforge.cli.bridge import command
from rsforge.cli.help import HELP
from rsforge.cli.terminal import TerminalConsole
from rsforge.settings.sample import SampleSettings
from rsforge.settings.sample_sar import SampleBatchSettings, SampleDatasetSettings, SampleSingleSettings
from rsforge.settings.sample_text import SampleTextSettings

# A group without commands yet: what it does by itself stays when subcommands come.
app = typer.Typer(subcommand_metavar="", context_settings={"help_option_names": list(HELP)})


@command(
    app,
    "sample",
    SampleSettings,
    writes=True,
    group=True,
    epilog="Example: rsforge sample --diffusion-checkpoint diffusion_models/best_model.pt --ddim-steps 50",
)
def sample(settings: SampleSettings, console: TerminalConsole) -> dict[str, Any]:
    """Sample images from a diffusion model, by DDPM or in fewer steps by DDIM, DPM++ or Euler."""
    from rsforge.recipes.sample.images import draw as recipe

    return recipe(settings, console)


@command(
    app,
    "sample single",
    SampleSingleSettings,
    writes=True,
    epilog="Example: rsforge sample single --input-image sar.png --region tropical --season summer",
)
def single(settings: SampleSingleSettings, console: TerminalConsole) -> dict[str, Any]:
    """Draw an optical image of a SAR image."""
    from rsforge.recipes.sample.single import draw as recipe

    return recipe(settings, console)


@command(
    app,
    "sample batch",
    SampleBatchSettings,
    writes=True,
    epilog="Example: rsforge sample batch --input-dir test_images --regions tropical arctic --seasons winter summer",
)
def batch(settings: SampleBatchSettings, console: TerminalConsole) -> dict[str, Any]:
    """Draw an optical image of every SAR image of a folder."""
    from rsforge.recipes.sample.batch import draw as recipe

    return recipe(settings, console)


@command(
    app,
    "sample dataset",
    SampleDatasetSettings,
    writes=True,
    epilog="Example: rsforge sample dataset --dataset-path Dataset --num-samples 20",
)
def dataset(settings: SampleDatasetSettings, console: TerminalConsole) -> dict[str, Any]:
    """Draw optical images for held-out pairs and compare them with the true ones."""
    from rsforge.recipes.sample.dataset import draw as recipe

    return recipe(settings, console)


@command(
    app,
    "sample text",
    SampleTextSettings,
    writes=True,
    epilog='Example: rsforge sample --pipeline RemoteDiff --prompt "a satellite image of a crop field"',
)
def text(settings: SampleTextSettings, console: TerminalConsole) -> dict[str, Any]:
    """Draw images of prompts with a Stable Diffusion model; also `sample --pipeline` and `sample --prompt`."""
    from rsforge.recipes.sample.text import draw as recipe

    return recipe(settings, console)
