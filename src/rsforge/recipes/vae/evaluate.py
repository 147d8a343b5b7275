"""``rsforge vae evaluate``: reconstructions measured beside what costs nothing, with intervals, and the latent."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from rsforge.engine import devices
from rsforge.engine.loader import IndexedDataset
from rsforge.errors import RsforgeError
from rsforge.losses.elbo import kl_to_standard_normal, negative_elbo
from rsforge.losses.gaps import find_gaps
from rsforge.metrics.image import LEAST_SAMPLES, active_units, chroma_share, total_correlation
from rsforge.models.interfaces import Autoencoder
from rsforge.recipes.console import Console
from rsforge.recipes.datasets.images_of_checkpoint import open_subset
from rsforge.recipes.datasets.measured_subset import MeasuredSubset
from rsforge.recipes.evaluation import files
from rsforge.recipes.evaluation.baseline_predictors import (
    NOT_STORED,
    component_baselines,
    constant_baselines,
    measured_baseline,
    measured_means,
)
from rsforge.recipes.evaluation.baselines import KEY
from rsforge.recipes.evaluation.evaluation import (
    MODEL,
    Baseline,
    Batch,
    Column,
    Evaluation,
    Figure,
    Panel,
    Predict,
    Prediction,
    SetFigures,
    Values,
)
from rsforge.recipes.evaluation.image_figures import (
    IMAGE,
    compare_images,
    compare_pixels,
    error_panel,
    image_figures,
    mse,
)
from rsforge.recipes.evaluation.learned_metrics import LearnedMetrics, load_learned_metrics
from rsforge.recipes.evaluation.run import EvaluationSet, plan_evaluation, run_evaluation
from rsforge.recipes.evaluation.selection import chosen_on, list_selection_caveats
from rsforge.recipes.evaluation.set_distances import SetDistances
from rsforge.recipes.evaluation.table import table as table
from rsforge.recipes.training import output_dir
from rsforge.recipes.vae.linear_channel import add_channel, measure_nats
from rsforge.recipes.vae.load import load_autoencoder
from rsforge.recipes.vae.thumbnail import thumbnail_baseline
from rsforge.settings.vae import VaeEvaluateSettings
from rsforge.wording import count_noun

TARGET = "target"
CHROMA = Figure("chroma_share", "of 1", True, compare_images(chroma_share, TARGET))


class LatentUse:
    """How much of the latent the images use; means of the model's figures as the numbers that scripts read."""

    figures: Sequence[Figure] = ()

    def __init__(self) -> None:
        self.mu: list[Tensor] = []

    def update(self, predictions: Mapping[str, Prediction], batch: Batch) -> None:
        """Keep the posterior means."""
        self.mu.append(predictions[MODEL]["mu"].flatten(1).cpu())

    def add_to(self, result: dict[str, Any], values: Values) -> list[str]:
        """``active_units``, ``latent_numbers``, ``total_correlation_nats``, and means of figures by their names."""
        result |= {name: _rounded_mean(column) for name, column in values[MODEL].items()}
        result["mean_image_mse"] = _rounded_mean(values["mean_image"]["mse"])
        mu = torch.cat(self.mu)
        result |= {"active_units": active_units(mu), "latent_numbers": mu.shape[1]}
        result["total_correlation_nats"] = total_correlation(mu)
        if result["total_correlation_nats"] is None:
            few = (
                f"{count_noun(len(mu), 'image')}; {LEAST_SAMPLES * mu.shape[1]} are the least for {mu.shape[1]} numbers"
            )
            result["absent"] = {**result["absent"], "total_correlation_nats": few}
        return []


def _rounded_mean(column: Column) -> float | None:
    mean = float(column.mean())
    return round(mean, 6) if math.isfinite(mean) else None


def evaluate(settings: VaeEvaluateSettings, console: Console) -> dict[str, Any]:
    """Reconstruction and latent figures by image and over the set, beside those of constant images and of a PCA."""
    own = settings.evaluation
    files.check_output(own.output_dir, overwrite=own.overwrite)
    files.check_outside(own.output_dir, settings.data_dir, excluded=settings.checkpoint.parent)
    device = devices.choose(settings.device)
    network, restored = load_autoencoder(settings.checkpoint, device)
    size = settings.image_size or restored.state["image_size"]
    _check_size(network, size)
    measured = _open(settings, size, restored.state, console)
    learned = load_learned_metrics(own.vgg_weights, own.inception_weights, device, console)
    facts = {
        "checkpoint": str(settings.checkpoint),
        "weights": restored.digest,
        "data_dir": str(settings.data_dir),
        "side": measured.subset,
        "side_reason": measured.reason,
        "chosen_on": chosen_on(restored.state),
        "images": len(measured.samples),
        "scenes": len(set(measured.scenes) - {""}),
        "image_size": size,
        "trained_on": measured.trained,
    }
    if console.dry_run:
        return plan_evaluation(facts, learned.absent, own)
    if own.output_dir is not None:
        output_dir.make(own.output_dir)
    baselines, absent, doubts = list_baselines(network, restored.state, measured.samples, size, device, console)
    distances = SetDistances(learned.inception, TARGET, count=len(measured.samples), seed=own.seed, device=device)
    evaluation = build_evaluation(network, learned, baselines, [distances, LatentUse()])
    doubts += measured.list_caveats("images") + list_selection_caveats(
        restored.state, measured.subset, own=measured.own
    )
    data = EvaluationSet(measured.samples, measured.scenes, doubts)
    absent |= learned.absent
    return run_evaluation(evaluation, data, facts, absent, own, console, batch_size=settings.batch_size, device=device)


def build_evaluation(
    network: Autoencoder, learned: LearnedMetrics, baselines: Sequence[Baseline], of_set: Sequence[SetFigures] = ()
) -> Evaluation:
    """How reconstructions are measured beside those of ``baselines``."""
    return Evaluation(
        model=_predict_with(network),
        figures=[*image_figures(TARGET, learned, error="mse"), CHROMA, *_latent_figures()],
        baselines=baselines,
        panels=_panels,
        batch_of=_batch_of,
        ranked_by="mse",
        of_set=of_set,
        task="autoencoder",
    )


def _check_size(network: Autoencoder, size: int) -> None:
    """RSF-U005 when the autoencoder cannot take images of this size."""
    try:
        network.latent_shape(size)
    except ValueError as error:
        raise RsforgeError("RSF-U005", str(error), where="--image-size", found=str(size)) from error


def _open(settings: VaeEvaluateSettings, size: int, state: Mapping[str, Any], console: Console) -> MeasuredSubset:
    return open_subset(
        settings.data_dir,
        settings.evaluation.side,
        console,
        split_choice=settings.split,
        image_size=size,
        on_bad=settings.on_bad,
        state=state,
        exclude=settings.checkpoint.parent,
        data=settings,
    )


def list_baselines(
    network: Autoencoder,
    state: Mapping[str, Any],
    samples: IndexedDataset,
    size: int,
    device: torch.device,
    console: Console,
) -> tuple[list[Baseline], dict[str, str], list[str]]:
    """Those that the checkpoint stores, why others are absent, and doubts to tell.

    A vector's channel is of as many nats as ``network`` spends on ``samples``.
    """
    stored, thumbnail = state.get(KEY), thumbnail_baseline(TARGET, network.latent_shape(size))
    if stored:
        components, absent = component_baselines(stored, TARGET, size, device)
        found = [*constant_baselines(stored, size, device), *components]
        if len(network.latent_shape(size)) == 1:
            nats = measure_nats(network, samples, device)
            found, absent = add_channel(found, absent, stored, nats, TARGET, device)
        return [*found, thumbnail], absent, []
    console.warn(NOT_STORED)
    with console.progress("mean image", len(samples)) as meter:
        mean_image, _ = measured_means(samples, lambda item: item, meter.step)
    return [measured_baseline("mean_image", mean_image, size, device), thumbnail], {}, [NOT_STORED]


def _predict_with(network: Autoencoder) -> Predict:
    def predict(batch: Batch) -> Prediction:
        mu, logvar = network.encode(batch[TARGET])
        return {IMAGE: network.decode(mu).float().clamp(-1, 1), "mu": mu, "logvar": logvar}

    return predict


def _latent_figures() -> list[Figure]:
    return [
        Figure("kl_nats", "nats", False, _kl_nats, model_only=True),
        Figure("neg_elbo", "nats per number", False, _neg_elbo, model_only=True),
    ]


def _kl_nats(prediction: Prediction, batch: Batch) -> Tensor:
    return kl_to_standard_normal(prediction["mu"], prediction["logvar"])


def _neg_elbo(prediction: Prediction, batch: Batch) -> Tensor:
    error, gaps = compare_pixels(mse, TARGET)(prediction, batch), find_gaps(batch)
    return negative_elbo(error, gaps.over_valid_of_each(_kl_nats(prediction, batch)), batch[TARGET][0].numel())


def _batch_of(items: Sequence[Tensor]) -> Batch:
    return {TARGET: torch.stack(list(items))}


def _panels(batch: Batch, prediction: Prediction) -> list[Panel]:
    x, y = batch[TARGET][0], prediction[IMAGE][0]
    return [Panel("image", x), Panel("reconstruction", y), error_panel(y, x)]
