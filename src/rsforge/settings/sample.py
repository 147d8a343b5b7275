"""What the user may say to ``rsforge sample``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from rsforge.settings.base import BASE_DIR, BATCH, DEVICE, DEVICES, BatchSize, Count, Device, Seed, Share
from rsforge.settings.sections import Section, also

CHECKPOINT = "Checkpoint of the diffusion model."
VAE_CHECKPOINT = "Checkpoint of the autoencoder it was trained with."
PARTNER = also(
    "--vae", absent="the one that the diffusion model names, looked for beside it and where it was then", basic=True
)


class SampleSettings(Section):
    """Settings of ``rsforge sample``."""

    diffusion_checkpoint: Path = Field(
        description=CHECKPOINT,
        json_schema_extra=also(made="diffusion_models/best_model.pt", by="diffusion train"),
    )
    vae_checkpoint: Path | None = Field(None, description=VAE_CHECKPOINT, json_schema_extra=PARTNER)
    output: Path = Field(
        Path("generated_images.png"),
        description="Picture to write, all images in a grid.",
        json_schema_extra=also(basic=True),
    )
    base_dir: Path = Field(Path(), description=BASE_DIR)
    num_images: Count = Field(
        16, description="Images to sample; up to 16 are also written one by one.", json_schema_extra=also(basic=True)
    )
    sampler: Literal["ddpm", "ddim", "dpm++", "euler"] | None = Field(
        None,
        description="Sampler; without it Euler for flow models, else DDIM in the steps of --ddim-steps, or DDPM.",
    )
    ddim_steps: Count | None = Field(
        None,
        description="Sample in this many steps, by DDIM unless --sampler says otherwise; without it DDPM takes "
        "every step, DDIM and Euler 50, DPM++ 20, and flow models 4.",
        json_schema_extra=also("--num-inference-steps", basic=True),
    )
    eta: Share = Field(
        0.0, description="Noise of DDIM: 0 is deterministic, 1 as noisy as DDPM; above 0 the sampler is DDIM."
    )
    batch_size: BatchSize = Field(16, description=BATCH)
    seed: Seed | None = Field(None, description="Seed of the images; without it every call gives others.")
    nrow: Count = Field(4, description="Images in a row of the grid.")
    device: Device = Field("auto", description=DEVICE, json_schema_extra=DEVICES)
    use_ema: bool = Field(True, description="Sample with the averaged weights where the checkpoint has them.")

    @model_validator(mode="after")
    def _noise_of_ddim(self) -> Self:
        if self.eta and self.sampler not in (None, "ddim"):
            raise ValueError(f"--eta is the noise of --sampler ddim; {self.sampler} has none to choose")
        return self
