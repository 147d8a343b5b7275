"""``rsforge hsi train-spatial``: spectra of fine pixels from those of coarse ones."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from rsforge.errors import RsforgeError
from rsforge.models.recompute import use_checkpointing
from rsforge.models.spectral.spatial_sr import LightweightSR, SpatialSR
from rsforge.recipes.console import Console, is_given
from rsforge.recipes.hsi.first_stage import ROLE, describe_predictions
from rsforge.recipes.hsi.load import SPATIAL_KIND, SPATIAL_REQUIRED
from rsforge.recipes.hsi.networks import as_tensor, set_range
from rsforge.recipes.hsi.output_names import HSI
from rsforge.recipes.hsi.patch_pairs import describe_bands
from rsforge.recipes.hsi.spatial_pairs import SpatialSets, choose_judging, load_spatial_pairs, use_predictions
from rsforge.recipes.hsi.train_spectral import ANY_BANDS, warn_of_unused
from rsforge.recipes.judging.validation_figures import FigureJudge
from rsforge.recipes.output_names import PREDICTIONS
from rsforge.recipes.tracking.loss_plots import Curves
from rsforge.recipes.training.job import Compute, TrainingSpec
from rsforge.recipes.training.method import Method, info_command
from rsforge.recipes.training.plan import Undrawn
from rsforge.recipes.training.run import fit
from rsforge.settings.hsi_spatial import SpatialNetworkSettings, SpatialTrainSettings
from rsforge.tasks.hsi_spatial import SpatialTask
from rsforge.tasks.spectral_figures import Normalisation

Network = SpatialSR | LightweightSR
CURVES: Curves = {
    "loss": ["loss", "val/loss"],
    "L1": ["l1", "val/l1"],
    "spectral angle (degrees)": ["val/sam_deg", "val/bicubic_sam_deg"],
    "RMSE": ["val/rmse", "val/bicubic_rmse"],
}
TRACKED = {
    "loss": "Loss/train", "val/loss": "Loss/val", "lr": "LR",
    **{name: f"Train/{name}" for name in ("l1", "sam")},
    **{f"val/{name}": f"Val/{name}" for name in ("l1", "sam")},
}  # fmt: skip
OWN_OPTIONS = {
    "spatial_sr": {"num_groups", "num_blocks", "attention_window"},
    "lightweight": {"num_layers"},
}
"""The options of the network that each model takes."""

MEASURING = ("percentiles", "per_band", "clip_outliers")
WIDTHS = {"spatial_sr": 64, "lightweight": 16}


def train_spatial(settings: SpatialTrainSettings, console: Console) -> dict[str, Any]:
    """Train a network that sharpens spectra; returns where it lies and how good it became."""
    return fit(METHOD, settings, console)


def check(settings: SpatialTrainSettings, console: Console) -> None:
    """RSF-U005 for a network that cannot be built and for a missing stage 1; warnings of options that do nothing."""
    data = settings.data
    with Undrawn():
        build(settings.network, ANY_BANDS)
    if data.source != "truth" and data.stage1_checkpoint is None:
        raise RsforgeError(
            "RSF-U005", f"--source {data.source} takes what stage 1 predicts, and no stage 1 is named",
            where="--stage1-checkpoint",
            fix="train it with `rsforge hsi train-spectral`, name its checkpoint, or use --source truth",
        )  # fmt: skip
    warn_of_unused(OWN_OPTIONS, settings.network.model, console)
    if data.source == "truth" and is_given("stage1_checkpoint", console):
        console.warn("--stage1-checkpoint is not used: --source truth takes the true spectra alone")
    for name in MEASURING if data.source != "truth" else ():
        if is_given(name, console):
            console.warn(f"--{name.replace('_', '-')} is not used: the normalisation is that of stage 1")


def build(options: SpatialNetworkSettings, bands: int) -> Network:
    """The network that the settings describe, at random; RSF-U005 for a scale or window that it cannot have."""
    width = options.num_features or WIDTHS[options.model]
    try:
        if options.model == "lightweight":
            network: Network = LightweightSR(
                bands=bands,
                scale=options.scale,
                width=width,
                layers=options.num_layers,
                corrections=options.corrections,
            )
        else:
            network = SpatialSR(
                bands=bands,
                scale=options.scale,
                width=width,
                groups=options.num_groups,
                blocks=options.num_blocks,
                window=options.attention_window,
                corrections=options.corrections,
            )
    except ValueError as error:
        raise RsforgeError("RSF-U005", str(error), where="--scale, --attention-window") from error
    use_checkpointing(network, options.gradient_checkpointing)
    return network


def build_network(settings: SpatialTrainSettings, data: SpatialSets, compute: Compute) -> Network:
    """A network that starts as bicubic resampling, and whose residual is in units of the error of that.

    Of a run that goes on it is that of its checkpoint anyway.
    """
    options = settings.network
    if data.corrections is not None:  # a run from before there were corrections goes on without them
        options = options.model_copy(update={"corrections": data.corrections})
    network = build(options, data.file.bands)
    if data.start:
        set_range(network, data.start.pixels, data.spectra)
        network.set_residual_scale(as_tensor(data.start.error))
    return network


def store_predictions(
    settings: SpatialTrainSettings, data: SpatialSets, compute: Compute, console: Console
) -> SpatialSets:
    return use_predictions(settings, data, settings.run.output_dir / PREDICTIONS, compute, console)


def spec(
    settings: SpatialTrainSettings, data: SpatialSets, network: Network, compute: Compute, console: Console
) -> TrainingSpec:
    """The task, its monitor, and what checkpoints say of the model."""
    gain, offset = data.spectra.gain_and_offset()
    weights = settings.loss
    task = SpatialTask(
        network,
        normalisation=Normalisation(as_tensor(gain), as_tensor(offset)),
        weights={"l1": weights.l1_weight, "l2": weights.l2_weight, "sam": weights.sam_weight},
    )
    return TrainingSpec(
        task,
        *data.inputs,
        identity={
            "architecture": network.architecture,
            **describe_bands(data.file),
            "scale": str(data.scale),
            "source": settings.data.source,
            "predictions": describe_predictions(data.stage1),
            "trained": data.trained,
            "normalisation": {"landsat": data.landsat.as_dict(), "spectra": data.spectra.as_dict()},
        },
        monitor="val/loss",
        fitted_start=True,
        frozen={ROLE: data.stage1.model.network} if data.stage1 else {},
        partners={ROLE: data.stage1.partner} if data.stage1 else {},
        tracked=TRACKED,
    )


def next_command(settings: SpatialTrainSettings, checkpoint: Path) -> str:
    """The evaluation of both stages, or a look at the checkpoint where no stage 1 was used."""
    first, data = settings.data.stage1_checkpoint, settings.data
    if data.source == "truth" or first is None:
        return info_command(settings, checkpoint)
    words = ["--stage1-checkpoint", str(first), "--stage2-checkpoint", str(checkpoint), "--data-dir", data.data_dir]
    return shlex.join(["rsforge", "hsi", "evaluate", *words])


METHOD: Method[SpatialTrainSettings, SpatialSets, Network] = Method(
    kind=SPATIAL_KIND,
    outputs=HSI,
    curves=CURVES,
    required=SPATIAL_REQUIRED,
    check=check,
    datasets=load_spatial_pairs,
    resumed_datasets=load_spatial_pairs,
    networks=build_network,
    spec=spec,
    prepare=store_predictions,
    judge=FigureJudge(
        ("sam_deg", "rmse"), {"corrected_bicubic": ("bicubic_sam_deg", "bicubic_rmse")}, choose_judging, prefix="mean_"
    ),
    next_command=next_command,
)
