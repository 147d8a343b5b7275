"""``rsforge vae``: autoencoders."""

from __future__ import annotations

from typing import Any

from rsforge.cli.bridge import command
from rsforge.cli.evaluation import give_evaluation
from rsforge.cli.group import group
from rsforge.cli.terminal import TerminalConsole
from rsforge.cli.tree import Result
from rsforge.settings.vae import VaeEvaluateSettings, VaeExportSettings, VaeReconstructSettings, VaeTrainSettings

app = group()


def _method() -> Any:
    from rsforge.recipes.vae.train import METHOD

    return METHOD


@command(
    app,
    "vae train",
    VaeTrainSettings,
    writes=True,
    method=_method,
    epilog="Example: rsforge vae train --data-dir training_data/corel/corel_all --output-dir vae_models",
)
def train(settings: VaeTrainSettings, console: TerminalConsole) -> dict[str, Any]:
    """Train an autoencoder on a folder of images."""
    from rsforge.recipes.vae.train import train as recipe

    return recipe(settings, console)


@command(
    app,
    "vae reconstruct",
    VaeReconstructSettings,
    writes=True,
    epilog="Example: rsforge vae reconstruct --checkpoint vae_models/best_model.pt --data-dir images",
)
def reconstruct(settings: VaeReconstructSettings, console: TerminalConsole) -> dict[str, Any]:
    """Write a picture of images above their reconstructions."""
    from rsforge.recipes.vae.reconstruct import reconstruct as recipe

    return recipe(settings, console)


@command(
    app,
    "vae evaluate",
    VaeEvaluateSettings,
    writes=True,
    epilog="Example: rsforge vae evaluate --checkpoint vae_models/best_model.pt --data-dir images --json",
)
def evaluate(settings: VaeEvaluateSettings, console: TerminalConsole) -> Result:
    """Measure how well an autoencoder reconstructs images, beside trivial baselines, with confidence intervals."""
    from rsforge.recipes.vae.evaluate import evaluate as recipe
    from rsforge.recipes.vae.evaluate import table

    return give_evaluation(recipe, table, settings, console)


@command(
    app,
    "vae export",
    VaeExportSettings,
    writes=True,
    epilog="Example: rsforge vae export --checkpoint vae_models/best_model.pt --output-dir vae_diffusers",
)
def export(settings: VaeExportSettings, console: TerminalConsole) -> dict[str, Any]:
    """Write a map autoencoder as a folder that diffusers loads."""
    from rsforge.recipes.vae.export import export as recipe

    return recipe(settings, console)
