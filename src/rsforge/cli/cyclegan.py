"""``rsforge cyclegan``: SAR to optical in one pass."""

from __future__ import annotations

from typing import Any

from rsforge.cli.bridge import command
from rsforge.cli.evaluation import give_evaluation
from rsforge.cli.group import group
from rsforge.cli.terminal import TerminalConsole
from rsforge.cli.tree import Result
from rsforge.settings.cyclegan import (
    CycleGanEvaluateSettings,
    CycleGanExportSettings,
    CycleGanTrainSettings,
    CycleGanTranslateSettings,
)

app = group()


def _method() -> Any:
    from rsforge.recipes.cyclegan.train import METHOD

    return METHOD


@command(
    app,
    "cyclegan train",
    CycleGanTrainSettings,
    writes=True,
    method=_method,
    epilog="Example: rsforge cyclegan train --data-dir v_2 --terrains agri --vgg-weights vgg16-397923af.pth",
)
def train(settings: CycleGanTrainSettings, console: TerminalConsole) -> dict[str, Any]:
    """Train two generators and two discriminators on a folder of pairs."""
    from rsforge.recipes.cyclegan.train import train as recipe

    return recipe(settings, console)


@command(
    app,
    "cyclegan translate",
    CycleGanTranslateSettings,
    writes=True,
    epilog="Example: rsforge cyclegan translate --checkpoint cyclegan_models/best_model.pt --input s1 --output optical",
)
def translate(settings: CycleGanTranslateSettings, console: TerminalConsole) -> Result:
    """Translate images of any size; a GeoTIFF becomes a GeoTIFF."""
    from rsforge.recipes.cyclegan.translate import describe
    from rsforge.recipes.cyclegan.translate import translate as recipe

    data = recipe(settings, console)
    return Result(data, describe(data))


@command(
    app,
    "cyclegan evaluate",
    CycleGanEvaluateSettings,
    writes=True,
    epilog="Example: rsforge cyclegan evaluate --checkpoint cyclegan_models/best_model.pt --data-dir v_2 --side val",
)
def evaluate(settings: CycleGanEvaluateSettings, console: TerminalConsole) -> Result:
    """Measure translations beside trivial baselines, with confidence intervals."""
    from rsforge.recipes.cyclegan.evaluate import evaluate as recipe
    from rsforge.recipes.cyclegan.evaluate import table

    return give_evaluation(recipe, table, settings, console)


@command(
    app,
    "cyclegan export",
    CycleGanExportSettings,
    writes=True,
    epilog="Example: rsforge cyclegan export --checkpoint cyclegan_models/best_model.pt --output-dir exported",
)
def export(settings: CycleGanExportSettings, console: TerminalConsole) -> dict[str, Any]:
    """Package a generator for other programs, checked against the model."""
    from rsforge.recipes.cyclegan.export import export as recipe

    return recipe(settings, console)
