"""What the user may say to ``rsforge diffusion``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from rsforge.settings.base import (
    DATA_DIR,
    FORMER_SIDES,
    RECOMPUTE,
    AverageSettings,
    DataFolder,
    ImageSize,
    Layers,
    LoopSettings,
    OptimSettings,
    RunSettings,
    ShareBelowOne,
    StoppingSettings,
    Weight,
    Width,
    Widths,
)
from rsforge.settings.document_keys import ADAM, DIVISION, JITTER, MIRRORING, SECTIONS
from rsforge.settings.images import TileSettings
from rsforge.settings.sections import Section, also

FLOW_DEFAULTS = {"schedule": "flow", "timestep_sampling": "logit_normal"}


class NoiseSettings(Section):
    """Denoiser"""

    prediction: Literal["eps", "v", "x_0", "flow"] = Field(
        "eps",
        description="What the network predicts: the noise, the velocity, the clean latent, or the velocity of the "
        "straight path (rectified flow, sampled in 4 steps), which brings its own schedule and timesteps.",
        json_schema_extra=also(basic=True),
    )
    schedule: Literal["linear", "cosine", "scaled_linear", "flow"] = Field(
        "linear", description="Noise schedule; flow is the straight path."
    )
    timesteps: int = Field(1000, ge=2, le=100_000, description="Steps of the noise schedule.")
    zero_terminal_snr: bool = Field(
        False, description="Rescale the schedule so that the last step is pure noise; needs prediction v or x_0."
    )
    timestep_sampling: Literal["uniform", "logit_normal"] = Field(
        "uniform",
        description="Distribution of the timesteps in training: uniform, or logit-normal with more in the middle.",
    )
    timestep_shift: float = Field(
        1.0,
        gt=0,
        le=100,
        description="Factor on the odds of noise to signal of the timesteps in training: above 1 more noise, where "
        "what SAR image and prompt say must be learnt.",
    )
    validation_draws: Annotated[int, Field(ge=1, le=4096)] | None = Field(
        None,
        description="Timesteps at which each held-out image is measured, 1 or an even number; without it 4 to 256, "
        "the more the fewer images are held out.",
    )
    min_snr_gamma: Weight = Field(0.0, description="Clip of the signal-to-noise loss weight; 0 weighs equally.")
    gradient_checkpointing: bool = Field(False, description=RECOMPUTE)
    latent_cache: bool = Field(True, description="Encode the images once and train on the stored latents.")
    latent_cache_dir: Path | None = Field(None, description="Folder of stored latents; else in the output folder.")

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_prediction(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("prediction") == "flow":
            return FLOW_DEFAULTS | data
        return data

    @model_validator(mode="after")
    def _the_path_of_flow(self) -> Self:
        if self.prediction == "flow" and self.schedule != "flow":
            raise ValueError(f"--prediction flow needs --schedule flow, not {self.schedule}")
        if self.prediction == "eps" and self.schedule == "flow":
            raise ValueError(
                "--schedule flow ends in pure noise, from which --prediction eps cannot be turned into an image; "
                "use --prediction flow"
            )
        return self

    @model_validator(mode="after")
    def _draws_in_pairs(self) -> Self:
        if self.validation_draws is not None and self.validation_draws > 1 and self.validation_draws % 2:
            raise ValueError("--validation-draws must be 1 or even: two from each part of the schedule")
        return self

    @model_validator(mode="after")
    def _a_last_step_without_signal(self) -> Self:
        if self.zero_terminal_snr and self.prediction == "eps":
            raise ValueError(
                "--zero-terminal-snr does not fit --prediction eps, which cannot be turned into an image at a step of "
                "pure noise; use --prediction v or x_0, or --no-zero-terminal-snr"
            )
        if self.zero_terminal_snr and self.schedule == "flow":
            raise ValueError(
                "--zero-terminal-snr does not fit --schedule flow, which ends in pure noise without it; "
                "use --no-zero-terminal-snr"
            )
        return self


class DenoiserSettings(NoiseSettings):
    """Denoiser"""

    vae_checkpoint: Path = Field(
        description="Checkpoint of the autoencoder whose latents are learnt.",
        json_schema_extra=also("--vae", made="vae_models/best_model.pt", by="vae train"),
    )
    hidden: Widths = Field((256, 256, 512, 512), description="Widths of the network for vector latents.")
    time_dim: int = Field(256, ge=2, le=65_536, multiple_of=2, description="Width of the embedding of the timestep.")
    dropout: ShareBelowOne = Field(0.1, description="Share of activations dropped in training.")
    channels: Widths = Field((128, 256, 256), description="Widths of the U-Net's levels for map latents.")
    layers_per_block: Layers = Field(2, description="Residual layers in each level of the U-Net.")
    head_width: Width = Field(32, description="Channels of one attention head.")
    gaussian_path: bool = Field(
        False,
        description="Start from the closed form of latents that are normally distributed up to their scale, fitted to "
        "the training latents: the network learns what that leaves, and adds as much of it as the held-out images bear "
        "out in each quarter of the timesteps. Needs stored latents.",
    )


class LatentImageSettings(TileSettings):
    """Data"""

    data_dir: DataFolder = Field(
        description=DATA_DIR,
        json_schema_extra=also("--image-dir", "--dataset-path", metavar="PATH", absent="that of the autoencoder"),
    )
    image_size: ImageSize = Field(
        128,
        description="Width and height in pixels that images are scaled and cropped to.",
        json_schema_extra=also(absent="that of the autoencoder", basic=True),
    )


class DiffusionTrainSettings(Section):
    """Settings of ``rsforge diffusion train``."""

    former: ClassVar[Mapping[str, Any]] = {"validation_draws": 1, **FORMER_SIDES}

    file_sections = SECTIONS
    file_keys = (*ADAM, *DIVISION, *MIRRORING, *JITTER)

    run: RunSettings = RunSettings(output_dir=Path("diffusion_models"), seed=42)
    data: LatentImageSettings
    denoiser: DenoiserSettings
    loop: LoopSettings = LoopSettings(epochs=500, batch_size=16, save_every=10, mixed_precision="auto")
    optim: OptimSettings = OptimSettings(
        learning_rate=1e-4, weight_decay=1e-4, lr_scheduler="cosine_warm_restarts", lr_min=1e-5
    )
    average: AverageSettings = AverageSettings(ema=True, ema_decay=0.995)
    stopping: StoppingSettings = StoppingSettings(
        early_stopping_patience=30,
        early_stopping_delta=1e-5,
        oscillation_window=10,
        oscillation_threshold=0.0005,
    )
