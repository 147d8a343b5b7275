"""How well the best autoencoder of a training reconstructs images that chose nothing, beside its baselines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rsforge.recipes.console import Console, SilentConsole
from rsforge.recipes.datasets.image_folder import ImageSets
from rsforge.recipes.judging.judged_side import choose_side
from rsforge.recipes.judging.predictions import NO_LEARNED, judge_predictions
from rsforge.recipes.training.job import Compute, TrainingSpec
from rsforge.recipes.vae.evaluate import build_evaluation, list_baselines
from rsforge.recipes.vae.load import load_autoencoder
from rsforge.settings.vae import VaeTrainSettings


def judge(
    settings: VaeTrainSettings, data: ImageSets, spec: TrainingSpec, path: Path, compute: Compute, console: Console
) -> dict[str, Any]:
    """The reconstruction error of the checkpoint ``path``; nothing where nothing is held out."""
    side = choose_side(data.held_out, data.test, data.scenes)
    if side is None:
        return {}
    network, restored = load_autoencoder(path, compute.device)
    size, device = settings.data.image_size, compute.device
    baselines, _, _ = list_baselines(network, restored.state, side.samples, size, device, SilentConsole())
    evaluation = build_evaluation(network, NO_LEARNED, baselines)
    return judge_predictions(
        evaluation, side, seed=settings.run.seed, batch_size=settings.loop.batch_size, device=device
    )
