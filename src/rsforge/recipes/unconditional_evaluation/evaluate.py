"""``rsforge diffusion evaluate-unconditional``: a denoiser and its samples measured beside closed forms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from rsforge.engine import devices
from rsforge.noise.process import q_sample, to_x_0
from rsforge.recipes.console import Console
from rsforge.recipes.datasets.batches import index_ranges
from rsforge.recipes.datasets.images_of_checkpoint import count_trained, open_subset
from rsforge.recipes.datasets.measured_subset import MeasuredSubset, trained_digest
from rsforge.recipes.diffusion.load import KIND, OpenModel, check_kind, open_model
from rsforge.recipes.diffusion.pipeline import LatentPipeline, Walk
from rsforge.recipes.evaluation import files
from rsforge.recipes.evaluation.evaluation import MODEL, Batch, Evaluation, Panel, Prediction
from rsforge.recipes.evaluation.learned_metrics import load_inception, load_vgg_features
from rsforge.recipes.evaluation.run import EvaluationSet, plan_evaluation, run_evaluation
from rsforge.recipes.evaluation.selection import chosen_on, list_selection_caveats
from rsforge.recipes.evaluation.set_distances import SetDistances
from rsforge.recipes.evaluation.summary import bootstrap_groups
from rsforge.recipes.evaluation.table import table as table
from rsforge.recipes.inference.broken_images import find_flat, refuse_broken, warn_of_flat
from rsforge.recipes.sample.images import choose_walk, say_partner
from rsforge.recipes.training import output_dir
from rsforge.recipes.unconditional_evaluation.closed_forms import (
    ABSENT,
    MEANINGS,
    STANDARD_NORMAL,
    Forms,
    draw_latents,
    restore_closed_forms,
)
from rsforge.recipes.unconditional_evaluation.denoising import (
    IMAGES,
    INDEX,
    LATENTS,
    NAMES,
    DenoisingLosses,
    EncodedItems,
    build_task,
    choose_draws,
    collect,
    list_figures,
)
from rsforge.recipes.unconditional_evaluation.sample_distances import Features, SampleDistances, mean_features
from rsforge.samplers.noise_source import SeededNoise
from rsforge.seeds import derive
from rsforge.settings.diffusion_unconditional import UnconditionalEvaluateSettings

SAMPLES = "samples.png"
FILES = (*files.FILES, SAMPLES)
SHOWN_SIGNAL = 0.5
"""Share of the signal's power that is left in the noisy latents of examples."""


@dataclass(frozen=True)
class Judges:
    """Networks whose features distances are of, None where their weights are not there; ``absent`` says why."""

    features: Features | None
    inception: Features | None
    absent: dict[str, str]


def evaluate(settings: UnconditionalEvaluateSettings, console: Console) -> dict[str, Any]:
    """The losses of the denoiser and the distances of its samples, beside those of closed forms."""
    own = settings.evaluation
    files.check_output(own.output_dir, overwrite=own.overwrite, names=FILES)
    files.check_outside(own.output_dir, settings.data_dir, excluded=settings.diffusion_checkpoint.parent)
    check_kind(settings.diffusion_checkpoint, KIND, where="--diffusion-checkpoint")
    device = devices.choose(settings.device)
    model = open_model(settings.diffusion_checkpoint, settings.vae_checkpoint, device, averaged=settings.use_ema)
    say_partner(settings.diffusion_checkpoint, settings.vae_checkpoint, model, console)
    pipeline, state = model.pipeline, model.loaded.state
    walk = choose_walk(pipeline, choose_sampler(settings, pipeline), settings.num_inference_steps)
    forms = restore_closed_forms(state, pipeline.latent_shape, device)
    measured = open_measured(settings, state, console)
    judges = load_judges(settings, device, console)
    draws = choose_draws(state, settings.validation_draws)
    facts = describe(settings, model, measured, walk) | {"validation_draws": draws}
    absent = judges.absent | {name: ABSENT for name in MEANINGS if name not in (*forms, STANDARD_NORMAL)}
    if console.dry_run:
        return plan_evaluation(facts, absent, own)
    if own.output_dir is not None:
        output_dir.make(own.output_dir)
    made = make_samples(settings, pipeline, forms, walk, console)
    distances = gather_distances(settings, pipeline, made, judges, measured.scenes)
    items = EncodedItems(measured.samples, pipeline)
    losses = DenoisingLosses.of_training(state, build_task(pipeline, forms, draws), own.seed)
    doubts = [
        *measured.list_caveats("images"),
        *list_selection_caveats(state, measured.subset, own=measured.own),
        *doubt_autoencoder(settings, model, measured),
    ]
    data = EvaluationSet(items, measured.scenes, doubts)
    evaluation = build_evaluation(losses, distances, pipeline, forms, own.seed)
    return run_evaluation(evaluation, data, facts, absent, own, console, batch_size=settings.batch_size, device=device)


def choose_sampler(settings: UnconditionalEvaluateSettings, pipeline: LatentPipeline) -> str | None:
    """DDIM where nobody says more, since DDPM would take every step; what suits flow models."""
    return settings.sampler or (None if pipeline.prediction == "flow" else "ddim")


def open_measured(
    settings: UnconditionalEvaluateSettings, state: Mapping[str, Any], console: Console
) -> MeasuredSubset:
    """The images that are measured."""
    return open_subset(
        settings.data_dir,
        settings.evaluation.side,
        console,
        split_choice=settings.split,
        image_size=state["image_size"],
        on_bad=settings.on_bad,
        state=state,
        exclude=settings.diffusion_checkpoint.parent,
        data=settings,
    )


def doubt_autoencoder(settings: UnconditionalEvaluateSettings, model: OpenModel, measured: MeasuredSubset) -> list[str]:
    """A doubt where the autoencoder was trained on measured images, or may have been; none where both divided alike."""
    if trained_digest(model.vae.state) == trained_digest(model.loaded.state) or measured.trained is None:
        return []
    count = count_trained(
        settings.data_dir,
        measured,
        split_choice=settings.split,
        on_bad=settings.on_bad,
        state=model.vae.state,
        exclude=settings.diffusion_checkpoint.parent,
        data=settings,
    )
    if count is None:
        return ["whether the autoencoder was trained on these images is unknown: it divided them otherwise"]
    return [f"{count} of these {len(measured.samples)} images were trained on by the autoencoder"] if count else []


def load_judges(settings: UnconditionalEvaluateSettings, device: torch.device, console: Console) -> Judges:
    """The networks of distances; a line for each that is not there."""
    own = settings.evaluation
    vgg, absent = load_vgg_features(own.vgg_weights, device)
    inception, without = load_inception(own.inception_weights, device)
    absent |= without
    for name, reason in absent.items():
        console.say(f"{name:<10} not measured: {reason}")
    return Judges(None if vgg is None else mean_features(vgg, device), inception, absent)


def describe(
    settings: UnconditionalEvaluateSettings, model: OpenModel, measured: MeasuredSubset, walk: Walk
) -> dict[str, Any]:
    """What is measured, and how."""
    state = model.loaded.state
    return {
        "checkpoint": str(settings.diffusion_checkpoint),
        "weights": model.loaded.digest,
        "vae_checkpoint": str(model.vae_path),
        "data_dir": str(settings.data_dir),
        "side": measured.subset,
        "side_reason": measured.reason,
        "chosen_on": chosen_on(state),
        "images": len(measured.samples),
        "scenes": len(set(measured.scenes) - {""}),
        "image_size": state["image_size"],
        "trained_on": measured.trained,
        "prediction": state["prediction"],
        "sampler": walk.sampler,
        "steps": len(walk.steps),
        "samples": settings.num_images,
    }


def make_samples(
    settings: UnconditionalEvaluateSettings, pipeline: LatentPipeline, forms: Forms, walk: Walk, console: Console
) -> Iterator[tuple[str, Tensor]]:
    """Batches of samples of the model, then of as many images of decoded noise, with the name of what makes them.

    RSF-T004 where the model's are not finite.
    """
    count, size, seed, flat = settings.num_images, settings.batch_size, settings.evaluation.seed, list[str]()
    runs = list(index_ranges(count, size))
    with console.progress("step", len(walk.steps) * len(runs)) as meter:
        for indices in runs:
            drawn = pipeline.draw(indices, walk, seed=seed, on_step=lambda done: meter.step(1))
            names = [f"sample {k}" for k in indices]
            refuse_broken(drawn, names, kept="nothing was written")
            flat += [name for name, one in zip(names, find_flat(drawn).tolist(), strict=True) if one]
            yield MODEL, drawn
    warn_of_flat(flat, console)
    for name, latents in draw_latents(forms, pipeline, count, seed).items():
        for some in latents.split(size):
            yield name, pipeline.decode(some.to(pipeline.mean.device))


def gather_distances(
    settings: UnconditionalEvaluateSettings,
    pipeline: LatentPipeline,
    made: Iterable[tuple[str, Tensor]],
    judges: Judges,
    scenes: Sequence[str],
) -> SampleDistances:
    """What was made, taken in to be measured beside images of these scenes."""
    own, device = settings.evaluation, pipeline.mean.device
    fewest, groups = min(len(scenes), settings.num_images), bootstrap_groups(scenes)[0]
    sets = SetDistances(judges.inception, IMAGES, count=fewest, seed=own.seed, device=device)
    distances = SampleDistances(pipeline, judges.features, sets, confidence=own.confidence, groups=groups)
    with torch.no_grad():
        for name, images in made:
            distances.take(name, images)
    return distances


def build_evaluation(
    losses: DenoisingLosses, distances: SampleDistances, pipeline: LatentPipeline, forms: Forms, seed: int
) -> Evaluation:
    """How the denoiser is measured beside closed forms, with the best of which examples are shown."""
    return Evaluation(
        model=partial(losses.read, MODEL),
        figures=list_figures(pipeline.prediction),
        baselines=[losses.baseline(name) for name in (*forms, STANDARD_NORMAL)],
        panels=partial(show_panels, pipeline, forms, seed),
        batch_of=collect,
        ranked_by=NAMES[0],
        judged_by=NAMES,
        of_set=[distances],
        pictures={SAMPLES: distances.save_picture},
        task="unconditional",
    )


def show_panels(pipeline: LatentPipeline, forms: Forms, seed: int, batch: Batch, prediction: Prediction) -> list[Panel]:
    """An image, its reconstruction, and what model and closed form make of it where half of the power is noise."""
    mu = batch[LATENTS][:, 0]
    x_0 = (mu - pipeline.mean) / pipeline.std
    t = int((pipeline.alphas_cumprod - SHOWN_SIGNAL).abs().argmin())
    alpha_bar = pipeline.alphas_cumprod[[t]]
    eps = SeededNoise(derive(seed, "example"), batch[INDEX]).draw(x_0)
    x_t = q_sample(x_0, eps, alpha_bar)
    answer = pipeline.denoiser(x_t, torch.tensor([t], device=x_t.device))
    pictures = {"reconstruction": x_0, "noisy": x_t, "denoised": to_x_0(pipeline.prediction, answer, x_t, alpha_bar)}
    for name, form in forms.items():
        pictures[f"denoised by {name}"] = form(x_t, alpha_bar)[0]
    decoded = {title: pipeline.decode(latents)[0] for title, latents in pictures.items()}
    return [Panel("image", batch[IMAGES][0]), *(Panel(title, image) for title, image in decoded.items())]
