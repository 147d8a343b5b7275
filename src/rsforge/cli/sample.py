"""``rsforge sample``: draw images from trained models."""

from __future__ import annotations

from typing import Any

import typer

from rsforge.cli.bridge import command
from rsforge.cli.help import HELP
from rsforge.cli.terminal import TerminalConsole
from rsforge.settings.sample import SampleSettings

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
