"""``rsforge diffusion evaluate``: drawn images measured beside what costs nothing, and how far to trust them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from rsforge.data.images.gaps import has_gaps, masks_of
from rsforge.data.prompts import PromptTemplate
from rsforge.data.sar.radiometry import CLIP_DB, EIGHT_BIT, Radiometry
from rsforge.engine.loader import IndexedDataset, Key
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console, SilentConsole
from rsforge.recipes.datasets.measured_subset import MeasuredSubset, trained_digest
from rsforge.recipes.datasets.pair_split import PairSets
from rsforge.recipes.datasets.pairs_of_checkpoint import count_scaled, open_subset
from rsforge.recipes.datasets.prompts import write_prompts
from rsforge.recipes.diffusion.find_partner import DIVIDED_OTHERWISE
from rsforge.recipes.diffusion.first_autoencoder import name_division
from rsforge.recipes.diffusion.load import check_kind
from rsforge.recipes.diffusion.load_sar import KIND, ModelFiles, SarModel, describe_drawing, open_sar_model
from rsforge.recipes.diffusion.pipeline import Walk
from rsforge.recipes.diffusion.sar_pipeline import TEXT, Request
from rsforge.recipes.evaluation import files
from rsforge.recipes.evaluation.baseline_predictors import PairBaselines, pair_baselines
from rsforge.recipes.evaluation.draw_spread import DRAWS, DrawSpread
from rsforge.recipes.evaluation.evaluation import (
    Baseline,
    Batch,
    Evaluation,
    Figure,
    Panel,
    Prediction,
    SetFigures,
)
from rsforge.recipes.evaluation.image_figures import IMAGE, SHOWN_ERROR, error_panel, image_figures
from rsforge.recipes.evaluation.learned_metrics import LearnedMetrics, load_learned_metrics
from rsforge.recipes.evaluation.linear_sar import NAME as LINEAR_SAR
from rsforge.recipes.evaluation.run import EvaluationSet, plan_evaluation, run_evaluation
from rsforge.recipes.evaluation.selection import chosen_on, list_selection_caveats
from rsforge.recipes.evaluation.set_distances import SetDistances
from rsforge.recipes.evaluation.summary import Bootstrap, bootstrap_groups
from rsforge.recipes.evaluation.table import table as table
from rsforge.recipes.evaluation.world_coverage import WorldCoverage, WorldPlan
from rsforge.recipes.judging.judged_side import choose_side
from rsforge.recipes.judging.predictions import NO_LEARNED, judge_predictions
from rsforge.recipes.training import output_dir
from rsforge.seeds import derive
from rsforge.settings.diffusion_evaluate import DrawnEvaluationSettings, SarEvaluateSettings
from rsforge.settings.diffusion_sar import SarTrainSettings
from rsforge.settings.pairs import PairDataSettings

OF_MEAN = "_of_mean"
JUDGED, JUDGED_DRAWS, JUDGED_STEPS = 32, 4, 20
"""Pairs, draws of each and steps of a draw at the end of a training; flow models take their usual steps."""


def evaluate(settings: SarEvaluateSettings, console: Console) -> dict[str, Any]:
    """Figures of the model and of its baselines by image and over the set, and how far its draws are to be trusted."""
    own = settings.evaluation
    files.check_output(own.output_dir, overwrite=own.overwrite)
    files.check_outside(own.output_dir, settings.data.data_dir)
    check_kind(settings.model_checkpoint, KIND, where="--model-checkpoint")
    model, walk = open_sar_model(settings, console)
    if settings.trust.worlds:
        check_worlds(model, console)
    measured = open_subset(settings.data, own.side, console, on_bad=settings.on_bad, state=model.state)
    pairs = PromptedPairs(measured.samples, write_prompts(model.template, measured.metadata, console))
    device = model.pipeline.sar.mean.device
    learned = load_learned_metrics(own.vgg_weights, own.inception_weights, device, console)
    facts = describe_measured(settings, model, measured) | describe_drawing(model, walk, settings, seed=own.seed)
    if console.dry_run:
        return plan_evaluation(facts, learned.absent, own)
    if own.output_dir is not None:
        output_dir.make(own.output_dir)
    given = pair_baselines(model.state, measured.samples, device, console)
    sampler = SarSampler(model, walk, settings)
    of_set = list_set_figures(sampler, learned, measured, given, console)
    evaluation = build_evaluation(sampler, learned, given.baselines, of_set)
    doubts = [
        *given.doubts,
        *measured.list_caveats("pairs"),
        *list_selection_caveats(model.state, measured.subset, own=measured.own),
        *([] if measured.trained is None else doubt_autoencoder(model)),
        *doubt_worlds(settings, model),
    ]
    if facts["scaled"]:
        doubts.append(f"{facts['scaled']} of {facts['images']} pairs were scaled to {model.image_size} px")
    data = EvaluationSet(pairs, measured.scenes, doubts)
    facts, absent = facts | given.facts, learned.absent | given.absent
    return run_evaluation(evaluation, data, facts, absent, own, console, batch_size=settings.batch_size, device=device)


def build_evaluation(
    sampler: SarSampler, learned: LearnedMetrics, baselines: Sequence[Baseline], of_set: Sequence[SetFigures] = ()
) -> Evaluation:
    """How drawn images are measured beside those of ``baselines``; of several draws their mean is judged."""
    several = sampler.settings.samples > 1
    return Evaluation(
        model=partial(predict, sampler),
        figures=list_figures(learned, several=several),
        baselines=baselines,
        panels=show_panels,
        batch_of=collect,
        ranked_by="l1",
        judged_by=(f"l1{OF_MEAN}",) if several else (),
        of_set=of_set,
        task="sar-to-optical",
    )


def judge(
    settings: SarTrainSettings, sets: PairSets, template: PromptTemplate, files: ModelFiles, device: torch.device
) -> dict[str, Any]:
    """The mean absolute error of the mean of a few draws of a trained model; nothing where nothing is held out.

    It draws from noise alone: from an encoded SAR image it would be judged by what that image leaves in the latents.
    """
    side = choose_side(sets.held_out, sets.test, sets.scenes, most=JUDGED, noun="pair")
    if side is None:
        return {}
    steps = None if settings.denoiser.prediction == "flow" else min(JUDGED_STEPS, settings.denoiser.timesteps)
    own = SarEvaluateSettings(
        model_checkpoint=files.model, vae_checkpoint=files.vae, clip_checkpoint=files.clip, strength=1.0,
        guidance_scale=1.0, num_inference_steps=steps, samples=JUDGED_DRAWS,
        batch_size=settings.loop.batch_size, device=str(device),
        data=PairDataSettings(data_dir=settings.data.data_dir),
        evaluation=DrawnEvaluationSettings(seed=settings.run.seed),
    )  # fmt: skip
    model, walk = open_sar_model(own, SilentConsole())
    metadata = sets.test_metadata if side.subset == "test" else sets.held_out_metadata
    prompts = write_prompts(template, [metadata[index] for index in side.indices], SilentConsole())
    given = pair_baselines(model.state, side.samples, device, SilentConsole())
    evaluation = build_evaluation(SarSampler(model, walk, own), NO_LEARNED, given.baselines)
    pairs, size = side.of(PromptedPairs(side.samples, prompts)), settings.loop.batch_size
    pairs = replace(pairs, doubt="; ".join(doubt_autoencoder(model)))
    return judge_predictions(evaluation, pairs, seed=settings.run.seed, batch_size=size, device=device)


@dataclass(frozen=True)
class PromptedPairs:
    """Pairs with their prompts: (index, SAR, optical, prompt)."""

    samples: IndexedDataset
    prompts: Sequence[str]

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, key: Key) -> tuple[int, Tensor, Tensor, str]:
        sar, optical = self.samples[key]
        return key[1], sar, optical, self.prompts[key[1]]

    def name(self, index: int) -> str:
        return self.samples.name(index)

    @property
    def has_gaps(self) -> bool:
        """Whether some image holds no data somewhere."""
        return has_gaps(self.samples)

    def valid(self, key: Key) -> Tensor | None:
        """Where both images of a pair hold data."""
        return masks_of(self.samples)(key)


@dataclass(frozen=True)
class SarSampler:
    """Draws optical images as the settings say; each depends on the seed and its number alone, whatever the batch."""

    model: SarModel
    walk: Walk
    settings: SarEvaluateSettings

    def draw(self, sar: Tensor, prompts: Sequence[str], numbers: Sequence[int], seed: int, guidance: float) -> Tensor:
        """An image ``(3, S, S)`` for each SAR image, prompt and number."""
        request = Request(sar, prompts, guidance, self.settings.strength)
        size = self.settings.batch_size
        return self.model.pipeline.draw_in_batches(request, numbers, self.walk, seed=seed, batch_size=size)

    def draw_world(self, sar: Tensor, numbers: Sequence[int]) -> Tensor:
        """Images of one SAR image ``(C, S, S)`` with the empty prompt."""
        seed = derive(self.settings.evaluation.seed, "draws of worlds")
        return self.draw(sar.expand(len(numbers), *sar.shape), [""] * len(numbers), numbers, seed, 1.0)


def predict(sampler: SarSampler, batch: Batch) -> Prediction:
    """The first of the draws of every SAR image, and all ``(B, K, 3, S, S)``."""
    count, settings = sampler.settings.samples, sampler.settings
    numbers = [index * count + k for index in batch["index"] for k in range(count)]
    prompts = [prompt for prompt in batch["prompt"] for _ in range(count)]
    sar = batch["sar"].repeat_interleave(count, 0)
    images = sampler.draw(sar, prompts, numbers, settings.evaluation.seed, settings.guidance_scale)
    draws = images.unflatten(0, (-1, count))
    return {IMAGE: draws[:, 0], DRAWS: draws}


def collect(items: Sequence[tuple[int, Tensor, Tensor, str]]) -> Batch:
    """A batch of ``PromptedPairs``."""
    index, sar, optical, prompt = zip(*items, strict=True)
    return {"sar": torch.stack(sar), "optical": torch.stack(optical), "index": list(index), "prompt": list(prompt)}


def list_figures(learned: LearnedMetrics, *, several: bool) -> list[Figure]:
    """Figures of the first draw, and with ``several`` the same of the mean of all."""
    figures = image_figures("optical", learned, error="l1")
    if not several:
        return figures
    return figures + [
        Figure(one.name + OF_MEAN, one.unit, one.higher_is_better, measure_mean(one.of), True, one.name)
        for one in figures
        if one.of is not None
    ]


def measure_mean(of: Callable[[Prediction, Batch], Tensor]) -> Callable[[Prediction, Batch], Tensor]:
    """The figure of the mean of the draws."""
    return lambda prediction, batch: of({IMAGE: prediction[DRAWS].mean(1)}, batch)


def list_set_figures(
    sampler: SarSampler, learned: LearnedMetrics, measured: MeasuredSubset, given: PairBaselines, console: Console
) -> list[SetFigures]:
    """Distances of sets, and where they are asked for the spread of draws and their coverage of drawn scenes."""
    settings, own, device = sampler.settings, sampler.settings.evaluation, sampler.model.pipeline.sar.mean.device
    count, trust = len(measured.samples), settings.trust
    bootstrap = Bootstrap(own.resamples, own.confidence, derive(own.seed, "bootstrap"))
    parts: list[SetFigures] = [SetDistances(learned.inception, "optical", count=count, seed=own.seed, device=device)]
    if settings.samples > 1:
        parts.append(DrawSpread("optical", bootstrap_groups(measured.scenes)[0], bootstrap))
    if trust.worlds:
        plan = WorldPlan(trust.worlds, trust.world_samples, sampler.model.image_size, own.seed)
        linear = [one for one in given.baselines if one.name == LINEAR_SAR]
        parts.append(WorldCoverage(plan, sampler.draw_world, linear, bootstrap, console))
    return parts


def describe_measured(settings: SarEvaluateSettings, model: SarModel, measured: MeasuredSubset) -> dict[str, Any]:
    """What is measured."""
    return {
        "checkpoint": str(settings.model_checkpoint),
        "data_dir": str(settings.data.data_dir),
        "side": measured.subset,
        "side_reason": measured.reason,
        "chosen_on": chosen_on(model.state),
        "images": len(measured.samples),
        "scenes": len(set(measured.scenes) - {""}),
        "image_size": model.image_size,
        "scaled": count_scaled(measured.samples, model.image_size),
        "trained_on": measured.trained,
    }


def check_worlds(model: SarModel, console: Console) -> None:
    """RSF-D009 where the model takes other SAR images than drawn ones; a warning where their unit is another."""
    bands = model.state["sar_channels"]
    if bands != 1:
        what, fix = f"drawn scenes have one SAR band, and the model takes {bands}", "leave out --worlds"
        raise RsforgeError("RSF-D009", what, where="--worlds", fix=fix)
    if model.radiometry not in (EIGHT_BIT, Radiometry("db", *CLIP_DB)):
        console.warn(f"the model was trained on SAR images in {model.radiometry.unit}, drawn ones are 8-bit grey")


def doubt_autoencoder(model: SarModel) -> list[str]:
    """A doubt where the autoencoder was not trained on the training side of the model's division of pairs."""
    alike = trained_digest(model.vae.state) == name_division(trained_digest(model.state))
    return [] if alike else [DIVIDED_OTHERWISE]


def doubt_worlds(settings: SarEvaluateSettings, model: SarModel) -> list[str]:
    """A doubt where the empty prompt, with which the scenes of --worlds are drawn, is one the model never saw."""
    inputs = model.pipeline.latents.conditioning.inputs
    if not settings.trust.worlds or any(one.name == TEXT and one.dropout for one in inputs):
        return []
    return ["the model was trained without the empty prompt, with which the scenes of --worlds are drawn"]


def show_panels(batch: Batch, prediction: Prediction) -> list[Panel]:
    """SAR, optical, drawn image and its error, and the spread of several draws."""
    sar, optical, y, draws = batch["sar"][0, :1], batch["optical"][0], prediction[IMAGE][0], prediction[DRAWS][0]
    panels = [Panel("SAR", sar), Panel("optical", optical), Panel("drawn", y), error_panel(y, optical)]
    if len(draws) > 1:
        panels.append(Panel(f"spread of {len(draws)} draws", draws.std(0).mean(0), SHOWN_ERROR))
    return panels
