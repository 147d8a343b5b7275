"""The linear code of as many numbers and nats as a vector autoencoder spends: what it has to beat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from rsforge.engine.loader import IndexedDataset
from rsforge.losses.elbo import kl_to_standard_normal
from rsforge.metrics.linear_channel import fit_channel
from rsforge.models.interfaces import Autoencoder
from rsforge.recipes.datasets.batches import index_ranges, stack_samples
from rsforge.recipes.evaluation.baseline_predictors import training_images
from rsforge.recipes.evaluation.evaluation import Baseline, Batch, Prediction
from rsforge.recipes.evaluation.image_figures import IMAGE

NAME, PCA = "linear_channel", "pca"
NO_VARIANCES = "the checkpoint holds no variances of its components"
_AT_ONCE = 64


@torch.no_grad()
def measure_nats(network: Autoencoder, samples: IndexedDataset, device: torch.device) -> float:
    """The mean over ``samples`` of the nats that the latent of an image holds over the prior."""
    total = 0.0
    for indices in index_ranges(len(samples), _AT_ONCE):
        mu, logvar = network.encode(stack_samples(samples, indices).to(device))
        total += float(kl_to_standard_normal(mu, logvar).double().sum())
    return total / len(samples)


def add_channel(
    baselines: Sequence[Baseline],
    absent: Mapping[str, str],
    fitted: Mapping[str, Any],
    nats: float,
    target: str,
    device: torch.device,
) -> tuple[list[Baseline], dict[str, str]]:
    """The baselines of a vector autoencoder with its channel of ``nats`` an image, and why others are absent.

    Beside it the principal components are no baseline to beat: the nats of their numbers have no limit.
    """
    pca = fitted.get(PCA, {})
    if pca.get("patch", 1) or PCA in absent:
        return list(baselines), dict(absent)
    if "variances" not in pca:
        return list(baselines), {**absent, NAME: NO_VARIANCES}
    channel = fit_channel(pca["mean"], pca["components"], pca["variances"], nats).to(device)

    def predict(batch: Batch) -> Prediction:
        return {IMAGE: channel.expect(batch[target])}

    count = len(channel.kept)
    meaning = (
        f"the best linear code of normally distributed images in {count} numbers and {nats:.3g} nats, as many as the "
        f"latent holds of these images, of {training_images(fitted)}; its mean is decoded, as that of the latent"
    )
    own = [
        replace(one, reference=True, meaning=f"{one.meaning}, without a limit of nats") if one.name == PCA else one
        for one in baselines
    ]
    return [*own, Baseline(NAME, meaning, predict)], dict(absent)
