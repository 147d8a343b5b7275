"""``rsforge weights``: published weights that losses and metrics need."""

from __future__ import annotations

from typing import Any

from rsforge.cli.bridge import command
from rsforge.cli.group import group
from rsforge.cli.terminal import TerminalConsole
from rsforge.settings.weights import WeightsFetchSettings, WeightsListSettings

app = group()


@command(app, "weights ls", WeightsListSettings, tunable=False, epilog="Example: rsforge weights ls --json")
def list_weights(settings: WeightsListSettings, console: TerminalConsole) -> dict[str, Any]:
    """Show where the weights of VGG16, LPIPS and Inception are looked for, and which are there."""
    from rsforge.recipes.tools.doctor_weights import list_weights as recipe

    return recipe(settings, console)


@command(app, "weights fetch", WeightsFetchSettings, writes=True, epilog="Example: rsforge weights fetch vgg16")
def fetch(settings: WeightsFetchSettings, console: TerminalConsole) -> dict[str, Any]:
    """Download published weights to where they are looked for, checked by SHA-256: no other command connects."""
    from rsforge.recipes.weights.fetch import fetch as recipe

    return recipe(settings, console)
