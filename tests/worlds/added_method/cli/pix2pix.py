"""``rsforge pix2pix``: SAR to optical, one way."""

from __future__ import annotations

from typing import Any

from rsforge.settings.pix2pix import Pix2PixTrainSettings

from rsforge.cli.bridge import command
from rsforge.cli.group import group
from rsforge.cli.terminal import TerminalConsole

app = group()


def _method() -> Any:
    from rsforge.recipes.pix2pix.train import METHOD

    return METHOD


@command(app, "pix2pix train", Pix2PixTrainSettings, writes=True, method=_method)
def train(settings: Pix2PixTrainSettings, console: TerminalConsole) -> dict[str, Any]:
    """Train a translator and its discriminator on a folder of pairs."""
    from rsforge.recipes.pix2pix.train import train as recipe

    return recipe(settings, console)
