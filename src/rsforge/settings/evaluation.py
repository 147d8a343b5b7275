"""The options that every ``evaluate`` has."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from rsforge.settings.base import Seed
from rsforge.settings.sections import Section, also

LPIPS_WEIGHTS = "File of VGG16 weights for LPIPS; else the torch hub cache."
PublishedName = Literal[
    "qxs-saropt",
    "sar2opt",
    "sen12-v2",
    "rsicd",
    "rsicd-utility",
    "ntire-2022",
    "chikusei-x4",
    "chikusei-x8",
    "pavia-x8",
    "latent-diffusion-autoencoders",
]
Side = Literal["auto", "all", "train", "val", "test"]


class MeasuringSettings(Section):
    """Evaluation"""

    side: Side = Field(
        "auto",
        description="Subset of the split to measure; auto takes test where the split has one, else val, and all "
        "where nothing was held out.",
        json_schema_extra=also(basic=True),
    )
    output_dir: Path | None = Field(
        None,
        description="Folder for evaluation.json, per_image.csv and examples.png; nothing is written when absent.",
        json_schema_extra=also(basic=True),
    )
    resamples: int = Field(1000, ge=100, le=1_000_000, description="Bootstrap resamples for each confidence interval.")
    confidence: float = Field(0.95, gt=0, lt=1, description="Confidence level of the intervals.")
    seed: Seed = Field(42, description="Seed of the bootstrap.")
    overwrite: bool = Field(False, description="Replace an earlier evaluation.")
    compare_published: PublishedName | None = Field(
        None,
        description="Published figures to set beside those of the model, as far as they were measured alike; what is "
        "not comparable is named with the reason.",
    )
    fail_below_baseline: bool = Field(
        False,
        description="End with exit code 5, after everything is written, where the model is not better than the best of "
        "its baselines.",
    )


class EvaluationSettings(MeasuringSettings):
    """Evaluation"""

    vgg_weights: Path | None = Field(None, description=LPIPS_WEIGHTS)
    inception_weights: Path | None = Field(
        None,
        description="File of the Inception weights of FID and KID, as torch-fidelity and pytorch-fid load them; else "
        "the torch hub cache.",
    )
