"""``rsforge hsi``: hyperspectral super-resolution."""

from __future__ import annotations

from typing import Any

from rsforge.cli.bridge import command
from rsforge.cli.evaluation import give_evaluation
from rsforge.cli.group import group
from rsforge.cli.terminal import TerminalConsole
from rsforge.cli.tree import Result
from rsforge.settings.hsi import SpectralTrainSettings
from rsforge.settings.hsi_evaluate import SpectralEvaluateSettings
from rsforge.settings.hsi_predict import HsiPredictSettings
from rsforge.settings.hsi_selftest import SelftestSettings
from rsforge.settings.hsi_spatial import SpatialTrainSettings

app = group()


def _spectral_method() -> Any:
    from rsforge.recipes.hsi.train_spectral import METHOD

    return METHOD


def _spatial_method() -> Any:
    from rsforge.recipes.hsi.train_spatial import METHOD

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


@command(
    app,
    "hsi train-stage2",
    SpatialTrainSettings,
    writes=True,
    method=_spatial_method,
    epilog="The same as rsforge hsi train-spatial.",
)
@command(
    app,
    "hsi train-spatial",
    SpatialTrainSettings,
    writes=True,
    method=_spatial_method,
    epilog="Example: rsforge hsi train-spatial --data-dir outputs/dataset_small "
    "--stage1-checkpoint outputs/stage1_training/best_model.pth",
)
def train_spatial(settings: SpatialTrainSettings, console: TerminalConsole) -> dict[str, Any]:
    """Train a network that sharpens spectra of many bands, from pixels of 30 m to pixels of 4 m."""
    from rsforge.recipes.hsi.train_spatial import train_spatial as recipe

    return recipe(settings, console)


@command(
    app,
    "hsi evaluate",
    SpectralEvaluateSettings,
    writes=True,
    epilog="Example: rsforge hsi evaluate --data-dir outputs/dataset_small --output-dir outputs/evaluation",
)
def evaluate(settings: SpectralEvaluateSettings, console: TerminalConsole) -> Result:
    """Measure predicted spectra beside trivial baselines, with confidence intervals and a report."""
    from rsforge.recipes.hsi_evaluation.evaluate import evaluate as recipe
    from rsforge.recipes.hsi_evaluation.evaluate import table

    return give_evaluation(recipe, table, settings, console)


@command(
    app,
    "hsi predict",
    HsiPredictSettings,
    writes=True,
    epilog="Example: rsforge hsi predict --stage1-checkpoint outputs/stage1_training/best_model.pth "
    "--input scene.tif --output spectra.tif",
)
def predict(settings: HsiPredictSettings, console: TerminalConsole) -> Result:
    """Predict the spectra of scenes and patches from their Landsat bands."""
    from rsforge.recipes.hsi.predict import describe
    from rsforge.recipes.hsi.predict import predict as recipe

    data = recipe(settings, console)
    return Result(data, describe(data))


@command(app, "hsi selftest", SelftestSettings, epilog="Example: rsforge hsi selftest --data-dir patches")
def selftest(settings: SelftestSettings, console: TerminalConsole) -> Result:
    """Test both stages on small images: one step each, and a checkpoint that is read back."""
    from rsforge.recipes.hsi_selftest.selftest import describe, run

    report = run(settings, console)
    return Result(report, describe(report))
