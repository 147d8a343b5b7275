"""``rsforge clip``: text encoders for prompts."""

from __future__ import annotations

from typing import Any

from rsforge.cli.bridge import command
from rsforge.cli.evaluation import give_evaluation
from rsforge.cli.group import group
from rsforge.cli.terminal import TerminalConsole
from rsforge.cli.tree import Result
from rsforge.settings.clip import ClipEvaluateSettings, ClipTrainSettings

app = group()


def _method() -> Any:
    from rsforge.recipes.clip.train import METHOD

    return METHOD


@command(
    app,
    "clip train",
    ClipTrainSettings,
    writes=True,
    method=_method,
    epilog="Example: rsforge clip train --dataset-path Dataset --config clip-tiny",
)
def train(settings: ClipTrainSettings, console: TerminalConsole) -> dict[str, Any]:
    """Train a text encoder on the optical images of pairs and the prompts that their tables give."""
    from rsforge.recipes.clip.train import train as recipe

    return recipe(settings, console)


@command(
    app,
    "clip evaluate",
    ClipEvaluateSettings,
    writes=True,
    epilog="Example: rsforge clip evaluate --checkpoint checkpoints/clip/best_clip.pt --data-dir Dataset --side val",
)
def evaluate(settings: ClipEvaluateSettings, console: TerminalConsole) -> Result:
    """Measure how well images find their prompts and prompts their images, beside trivial baselines."""
    from rsforge.recipes.clip.evaluate import evaluate as recipe
    from rsforge.recipes.clip.evaluate import table

    return give_evaluation(recipe, table, settings, console)
