"""The autoencoder of a training from scratch where none is named: trained first, on the same images."""

from __future__ import annotations

from pathlib import Path

from rsforge.recipes.console import Console
from rsforge.recipes.datasets.image_folder import ImageSets
from rsforge.recipes.diffusion.first_autoencoder import autoencoder_options, fit_first, stage_settings
from rsforge.recipes.text_to_image.captioned_images import FLIPPED
from rsforge.settings.finetune import FinetuneSettings
from rsforge.settings.vae import VaeTileSettings, VaeTrainSettings


def settings_of(settings: FinetuneSettings) -> VaeTrainSettings:
    """The training of the autoencoder, in a folder of its own below the run's; it goes on where it was interrupted."""
    data, options = settings.data, settings.autoencoder
    flip = FLIPPED if data.random_flip else 0.0
    tiles = VaeTileSettings(
        data_dir=data.data_dir, image_size=data.image_size, flip=flip, jitter=0.0,
        test_fraction=0.0,  # the images are divided by the settings of the denoiser
        bands=data.bands, range=data.range, fill=data.fill,
    )  # fmt: skip
    own = autoencoder_options(options, settings.vgg_weights)
    checkpointing = settings.denoiser.gradient_checkpointing
    return stage_settings(options, own, settings.run, tiles, settings.loop.mixed_precision, checkpointing)


def train_first(settings: FinetuneSettings, images: ImageSets, console: Console) -> Path:
    """The checkpoint of the autoencoder of ``images``, trained now or before."""
    own = settings_of(settings)
    console.say(f"autoencoder  first, on the training images, in {own.run.output_dir}")
    return fit_first(own, images, console)
