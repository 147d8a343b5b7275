"""The settings that commands to come will have, and the settings files that their document shows."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from rsforge.settings.base import Count, Layers, LoopSettings, OptimSettings, RunSettings, Share, Width
from rsforge.settings.document_keys import ADAM, DIVISION, SECTIONS
from rsforge.settings.images import TileSettings
from rsforge.settings.sections import Section


class EncoderSettings(Section):
    """Text encoder"""

    vocab_size: Count = Field(1000, description="Words.")
    embedding_dim: Width = Field(768, description="Width of a token.")
    max_length: Width = Field(77, description="Tokens of a prompt.")
    num_heads: Width = Field(12, description="Heads of attention.")
    num_layers: Layers = Field(12, description="Blocks.")
    dropout: Share = Field(0.0, description="Share dropped.")


class ClipLoop(LoopSettings):
    """Training loop"""

    validate_every: Count = Field(1, description="Epochs between two validations.")


class UNetSettings(Section):
    """Denoiser"""

    channels: Widths = Field((64,), description="Widths of the levels.")
    layers_per_block: Layers = Field(2, description="Residual layers of a level.")
    attention_levels: Widths = Field((), description="Factors of downsampling that attend.")
    num_heads: Width = Field(8, description="Heads of attention.")
    context_dim: Width = Field(768, description="Width of the text's tokens.")


class AugmentSettings(Section):
    """Augmentation"""

    rotate_deg: Annotated[float, Field(ge=0, le=180)] = Field(0.0, description="Largest rotation.")
    brightness: Share = Field(0.0, description="Strength.")
    contrast: Share = Field(0.0, description="Strength.")
    saturation: Share = Field(0.0, description="Strength.")
    hue: Share = Field(0.0, description="Strength.")
    noise: Share = Field(0.0, description="Deviation of added noise.")


class LossSettings(Section):
    """Loss"""

    mse_weight: Share = Field(1.0, description="Weight.", json_schema_extra=also("--mse-loss-weight"))
    perceptual_weight: Share = Field(0.0, description="Weight.", json_schema_extra=also("--perceptual-loss-weight"))
    adversarial_weight: Share = Field(0.0, description="Weight.", json_schema_extra=also("--adversarial-loss-weight"))


U, A = "diffusion_config", "augmentation"


class SarTrainSettings(Section):
    """What ``rsforge diffusion train-sar`` will have."""

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

    run: RunSettings = RunSettings()
    data: TileSettings
    clip: Annotated[EncoderSettings, Prefix("clip")] = EncoderSettings()
    unet: Annotated[UNetSettings, Prefix("unet")] = UNetSettings()
    augment: AugmentSettings = AugmentSettings()
    loss: LossSettings = LossSettings()
    loop: ClipLoop = ClipLoop()
    optim: OptimSettings = OptimSettings()


# The two files that the document shows, as it shows them.
CLIP_CONFIG = """{
    "model": {
        "vocab_size": 1000,
        "embedding_dim": 768,
        "max_length": 77,
        "num_heads": 12,
        "num_layers": 12
    },
    "training": {
        "batch_size": 32,
        "learning_rate": 1e-4,
        "weight_decay": 0.01,
        "epochs": 50,
        "warmup_steps": 1000,
        "save_every": 5
    },
    "data": {
        "train_split": 0.8,
        "num_workers": 4,
        "pin_memory": true
    }
}
"""
MODEL_CONFIG = """{
    "clip_config": {
        "n_vocab": 1000,
        "n_embd": 768,
        "max_length": 77,
        "n_head": 12,
        "n_layers": 12
    },
    "diffusion_config": {
        "in_channels": 8,
        "out_channels": 4,
        "model_channels": 320,
        "attention_resolutions": [4, 2, 1],
        "num_res_blocks": 2,
        "channel_mult": [1, 2, 4, 4],
        "num_heads": 8,
        "use_spatial_transformer": true,
        "context_dim": 768
    },
    "training": {
        "batch_size": 4,
        "learning_rate": 1e-4,
        "weight_decay": 0.01,
        "epochs": 100,
        "warmup_steps": 2000,
        "save_every": 10,
        "validate_every": 5,
        "mixed_precision": true,
        "gradient_accumulation_steps": 4,
        "max_grad_norm": 1.0
    },
    "data": {
        "train_split": 0.8,
        "num_workers": 4,
        "pin_memory": true
    }
}
"""
