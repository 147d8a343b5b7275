"""How well images that chose nothing find their prompts with the best model of a training, beside its baselines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rsforge.recipes.clip.evaluate import build_evaluation
from rsforge.recipes.clip.load import load_text_encoder, load_towers
from rsforge.recipes.clip.prompted_images import PromptedImages, PromptedSets, number_prompts
from rsforge.recipes.console import Console, SilentConsole
from rsforge.recipes.datasets.prompts import write_prompts
from rsforge.recipes.judging.judged_side import choose_side
from rsforge.recipes.judging.predictions import judge_predictions
from rsforge.recipes.training.job import Compute, TrainingSpec
from rsforge.settings.clip import ClipTrainSettings
from rsforge.tasks.clip import ClipTask


def judge(
    settings: ClipTrainSettings,
    data: PromptedSets,
    spec: TrainingSpec,
    path: Path,
    compute: Compute,
    console: Console,
) -> dict[str, Any]:
    """The place of each image's prompt among those of its side; nothing where they have one prompt alone."""
    pairs, device = data.pairs, compute.device
    side = choose_side(pairs.held_out, pairs.test, pairs.scenes)
    if side is None:
        return {}
    metadata = pairs.test_metadata if side.subset == "test" else pairs.held_out_metadata
    prompts = write_prompts(data.template, [metadata[index] for index in side.indices], SilentConsole())
    distinct, labels = number_prompts(prompts)
    if len(distinct) < 2:
        return {}
    text_encoder, restored, tokenizer = load_text_encoder(path, device)
    task = ClipTask(text_encoder, *load_towers(path, device), tokenizer.encode(distinct).to(device))
    evaluation = build_evaluation(task, restored.state, distinct)
    own = side.of(PromptedImages(side.samples, labels))
    size = settings.loop.batch_size
    return judge_predictions(evaluation, own, seed=settings.run.seed, batch_size=size, device=device)
