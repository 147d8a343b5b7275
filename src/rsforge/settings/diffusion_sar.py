"""What the user may say to ``rsforge diffusion train-sar``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from rsforge.settings.base import (
    FORMER_SIDES,
    AverageSettings,
    BatchSize,
    Count,
    Layers,
    LearningRate,
    LoopSettings,
    OptimSettings,
    RunSettings,
    Share,
    StoppingSettings,
    Weight,
    Width,
    Widths,
)
from rsforge.settings.diffusion import NoiseSettings
from rsforge.settings.document_keys import ADAM, DIVISION, MIRRORING, SECTIONS
from rsforge.settings.file_keys import FileKey, FixedKey, level_widths
from rsforge.settings.pairs import PromptedPairSettings
from rsforge.settings.perceptual import DESCRIPTION, PERCEPTUAL, VGG_WEIGHTS, PerceptualChoice
from rsforge.settings.sections import Prefix, Section, also
from rsforge.settings.vae import LINEAR_START


class SarDenoiserSettings(NoiseSettings):
    """Denoiser"""

    vae_checkpoint: Path | None = Field(
        None,
        description="Checkpoint of the autoencoder; without one an autoencoder is trained first, on the training "
        "pairs, in the folder autoencoder of the output folder.",
        json_schema_extra=also("--vae", basic=True),
    )
    clip_checkpoint: Path = Field(
        description="Checkpoint of the text encoder that reads the prompts.",
        json_schema_extra=also(made="checkpoints/clip/best_clip.pt", by="clip train"),
    )
    schedule: Literal["linear", "cosine", "scaled_linear", "flow"] = Field(
        "scaled_linear", description="Noise schedule; flow is the straight path."
    )
    prompt_template: str | None = Field(
        None,
        description="Prompt of an image, with columns of the CSV tables in braces, such as {season}.",
        json_schema_extra=also(absent="that of the text encoder"),
    )
    prompt_dropout: Share = Field(
        0.1, description="Share of training images whose prompt is left out, which guidance by the prompt needs."
    )
    sar_dropout: Share = Field(0.0, description="Share of training images whose SAR image is left out.")


class SarUNetSettings(Section):
    """U-Net"""

    channels: Widths = Field((320, 640, 1280, 1280), description="Widths of the levels.")
    layers_per_block: Layers = Field(2, description="Residual layers in each level.")
    attention_levels: Widths = Field(
        (4, 2, 1), description="Levels that attend to the image and the prompt, by how often the latent was halved: "
        "1 is the whole latent, 2 half of it.",
    )  # fmt: skip
    num_heads: Width = Field(8, description="Heads of attention; must divide the widths of those levels.")
    context_dim: Width | None = Field(
        None, description="Width of a token of the prompt.", json_schema_extra=also(absent="that of the text encoder")
    )


class FirstAutoencoderSettings(Section):
    """Autoencoder"""

    channels: Widths = Field((128, 256, 512, 512), description="Widths of the levels; each but the last halves.")
    layers_per_block: Layers = Field(2, description="Residual layers in each level.")
    latent_channels: Width = Field(4, description="Channels of the latent.")
    linear_start: bool = Field(False, description=LINEAR_START)
    epochs: Count = Field(50, description="Passes over the images of both modalities.")
    # The name of what it replaces has the prefix under which both commands hold this section.
    max_train_steps: Count | None = Field(
        None, description="Optimizer steps, instead of --vae-epochs.", json_schema_extra=also(replaces="vae_epochs")
    )
    batch_size: BatchSize = Field(8, description="Images per batch.")
    learning_rate: LearningRate = Field(1e-4, description="Learning rate of the autoencoder.")
    kl_weight: Weight = Field(1e-6, description="Weight of the KL term.")
    perceptual: PerceptualChoice = Field("auto", description=DESCRIPTION, json_schema_extra=PERCEPTUAL)


class TextEncoderKeys(Section):
    """Text encoder as a settings file describes it; what it says must hold of --clip-checkpoint"""

    vocab_size: Count | None = Field(None, description="Largest number of words.")
    embedding_dim: Width | None = Field(None, description="Width of a token.")
    max_length: Width | None = Field(None, description="Tokens of a prompt.")
    num_heads: Width | None = Field(None, description="Heads of attention.")
    num_layers: Layers | None = Field(None, description="Blocks.")


class AugmentSettings(Section):
    """Augmentation"""

    rotate_deg: Annotated[float, Field(ge=0, le=180)] = Field(
        0.0, description="Largest rotation of a pair in degrees; corners are filled by mirroring."
    )
    brightness: Share = Field(0.0, description="Strength of random brightness of the optical image.")
    contrast: Share = Field(0.0, description="Strength of random contrast of the optical image.")
    saturation: Share = Field(0.0, description="Strength of random saturation of the optical image.")
    hue: Annotated[float, Field(ge=0, le=0.5)] = Field(
        0.0, description="Largest shift of the hue of the optical image, in turns."
    )
    noise: Share = Field(0.0, description="Standard deviation of noise added to the optical image, in units of 0 to 1.")


class SarLossSettings(Section):
    """Loss"""

    mse_weight: Weight = Field(
        1.0, description="Weight of the squared error.", json_schema_extra=also("--mse-loss-weight")
    )
    perceptual_weight: Weight = Field(
        0.0,
        description="Weight of a perceptual distance of the decoded image; 0 needs no weights of VGG16.",
        json_schema_extra=also("--perceptual-loss-weight"),
    )
    perceptual_distance: Literal["vgg16", "lpips"] = Field(
        "vgg16",
        description="What --perceptual-weight weighs: vgg16 the squared error of its features, lpips their learned "
        "perceptual distance.",
    )
    adversarial_weight: Weight = Field(
        0.0,
        description="Weight of a patch discriminator of the decoded image; 0 trains none.",
        json_schema_extra=also("--adversarial-loss-weight"),
    )
    vgg_weights: Path | None = Field(None, description=VGG_WEIGHTS)


U, A = "diffusion_config", "augmentation"


class SarTrainSettings(Section):
    """Settings of ``rsforge diffusion train-sar``."""

    file_sections: ClassVar = {**SECTIONS, U: ("unet",)}
    file_keys: ClassVar = (
        *ADAM, *DIVISION, *MIRRORING,
        FileKey("unet_channels", (f"{U}.model_channels", f"{U}.channel_mult"), level_widths),
        FileKey("unet_attention_levels", (f"{U}.attention_resolutions",)),
        FileKey("unet_layers_per_block", (f"{U}.num_res_blocks",)),
        FixedKey(f"{U}.in_channels", (8,), "must be 8: four of the noisy latent, four of the SAR image's"),
        FixedKey(f"{U}.out_channels", (4,), "must be 4, the channels of the latent"),
        FixedKey(f"{U}.use_spatial_transformer", (True,), "must be true: prompts enter by cross-attention"),
        FileKey("clip_vocab_size", ("clip_config.n_vocab",)),
        FileKey("clip_embedding_dim", ("clip_config.n_embd",)),
        FileKey("clip_max_length", ("clip_config.max_length",)),
        FileKey("clip_num_heads", ("clip_config.n_head",)),
        FileKey("clip_num_layers", ("clip_config.n_layers",)),
        FileKey("rotate_deg", (f"{A}.rotation",)),
        FileKey("noise", (f"{A}.gaussian_noise",)),
        *(FileKey(name, (f"{A}.color_jitter.{name}",)) for name in ("brightness", "contrast", "saturation", "hue")),
    )  # fmt: skip
    former = FORMER_SIDES

    run: RunSettings = RunSettings(output_dir=Path("checkpoints/model"))
    data: PromptedPairSettings
    denoiser: SarDenoiserSettings
    unet: Annotated[SarUNetSettings, Prefix("unet")] = SarUNetSettings()
    autoencoder: Annotated[FirstAutoencoderSettings, Prefix("vae")] = FirstAutoencoderSettings()
    clip: Annotated[TextEncoderKeys, Prefix("clip")] = TextEncoderKeys()
    augment: AugmentSettings = AugmentSettings()
    loss: SarLossSettings = SarLossSettings()
    loop: LoopSettings = LoopSettings(
        epochs=100, batch_size=4, grad_accum=4, save_every=10, validate_every=5, mixed_precision="auto"
    )
    optim: OptimSettings = OptimSettings(
        learning_rate=1e-4, weight_decay=0.01, lr_scheduler="cosine", lr_min=1e-6, lr_warmup_steps=2000
    )
    average: AverageSettings = AverageSettings(ema=True, ema_decay=0.999)
    stopping: StoppingSettings = StoppingSettings(early_stopping_patience=0, oscillation_threshold=0.0)
