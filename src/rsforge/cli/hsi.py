"""``rsforge hsi``: hyperspectral super-resolution."""

from __future__ import annotations

from typing import Any

from rsforge.cli.bridge import command
from rsforge.cli.group import group
from rsforge.cli.terminal import TerminalConsole
from rsforge.cli.tree import Result
from rsforge.settings.hsi import SpectralTrainSettings
from rsforge.settings.hsi_selftest import SelftestSettings

app = group()


def _spectral_method() -> Any:
    from rsforge.recipes.hsi.train_spectral import METHOD

    return METHOD


@command(
    app,
    "hsi train-stage1",
    SpectralTrainSettings,
    writes=True,
    method=_spectral_method,
    epilog="The same as rsforge hsi train-spectral.",
)
@command(
    app,
    "hsi train-spectral",
    SpectralTrainSettings,
    writes=True,
    method=_spectral_method,
    epilog="Example: rsforge hsi train-spectral --data-dir outputs/dataset_small --output-dir outputs/stage1_training",
)
def train_spectral(settings: SpectralTrainSettings, console: TerminalConsole) -> dict[str, Any]:
    """Train a network that predicts many bands from those of Landsat."""
    from rsforge.recipes.hsi.train_spectral import train_spectral as recipe

    return recipe(settings, console)


@command(app, "hsi selftest", SelftestSettings, epilog="Example: rsforge hsi selftest --data-dir patches")
def selftest(settings: SelftestSettings, console: TerminalConsole) -> Result:
    """Test both stages on small images: one step each, and a checkpoint that is read back."""
    from rsforge.recipes.hsi.selftest import describe, run

    report = run(settings, console)
    return Result(report, describe(report))
