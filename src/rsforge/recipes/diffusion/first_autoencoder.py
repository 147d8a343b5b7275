"""The autoencoder of ``diffusion train-sar`` where none is named: trained first, on both images of the pairs."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from rsforge.data.images.gaps import has_gaps, masks_of
from rsforge.data.sar.composite import composite_for
from rsforge.engine.loader import IndexedDataset
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console, StageConsole
from rsforge.recipes.datasets.image_folder import ImageSets, count_samples
from rsforge.recipes.datasets.pair_split import PairSets
from rsforge.recipes.diffusion.encode_pairs import OPTICAL, SAR, OneModality
from rsforge.recipes.training.job import Compute
from rsforge.recipes.training.run import fit
from rsforge.recipes.vae import train as vae
from rsforge.recipes.vae.output_names import VAE
from rsforge.recipes.views import VIEW, VIEWS
from rsforge.settings.base import LoopSettings, OptimSettings, RunSettings
from rsforge.settings.diffusion_sar import FirstAutoencoderSettings, SarTrainSettings
from rsforge.settings.vae import AutoencoderSettings, VaeTileSettings, VaeTrainSettings

FOLDER = "autoencoder"


class BothModalities:
    """The optical images of some pairs, and behind them the SAR images as three channels."""

    def __init__(self, pairs: IndexedDataset, sar_channels: int) -> None:
        composite = composite_for(sar_channels)
        self.parts = [OneModality(pairs, modality, composite) for modality in (OPTICAL, SAR)]
        self.pairs, self.count = pairs, len(pairs)

    def __len__(self) -> int:
        return 2 * self.count

    def name(self, index: int) -> str:
        modality = ("optical", "SAR")[index // self.count]
        return f"{self.parts[0].name(index % self.count)} ({modality})"

    @property
    def has_gaps(self) -> bool:
        """Whether some image holds no data somewhere."""
        return has_gaps(self.pairs)

    def valid(self, key: tuple[int, int]) -> Tensor | None:
        """Where both images of the pair of an item hold data."""
        epoch, index = key
        return masks_of(self.pairs)((epoch, index % self.count))

    def __getitem__(self, key: tuple[int, int]) -> Tensor:
        epoch, index = key
        return self.parts[index // self.count][epoch, index % self.count]


def as_images(pairs: PairSets) -> ImageSets:
    """Both images of every pair, on the side of their pair."""
    train, plain, held_out, test = (
        BothModalities(samples, pairs.sar_channels)
        for samples in (pairs.train, pairs.plain, pairs.held_out, pairs.test)
    )
    identity = {"split": name_division(pairs.identity["split"]), **count_samples(len(train), len(held_out), len(test))}
    if VIEWS in pairs.identity:
        identity[VIEW] = pairs.identity[VIEWS]["optical"]
    return ImageSets(train, plain, held_out, identity, test)


def name_division(split: str) -> str:
    """The digest of the division of both images of pairs that were divided as the digest ``split`` says."""
    return hashlib.sha256(f"both modalities of {split}".encode()).hexdigest()


def settings_of(settings: SarTrainSettings) -> VaeTrainSettings:
    """The training of the autoencoder, in a folder of its own below the run's; it goes on where it was interrupted."""
    data = VaeTileSettings(
        data_dir=settings.data.data_dir, image_size=settings.data.image_size, flip=settings.data.flip, jitter=0.0,
        test_fraction=0.0,  # the pairs are divided by the settings of the denoiser
        bands=settings.data.bands, range=settings.data.range, fill=settings.data.fill,
    )  # fmt: skip
    own = autoencoder_options(settings.autoencoder, settings.loss.vgg_weights)
    checkpointing = settings.denoiser.gradient_checkpointing
    return stage_settings(settings.autoencoder, own, settings.run, data, settings.loop.mixed_precision, checkpointing)


def stage_settings(
    options: FirstAutoencoderSettings,
    autoencoder: AutoencoderSettings,
    run: RunSettings,
    data: VaeTileSettings,
    mixed_precision: Any,
    gradient_checkpointing: bool,
) -> VaeTrainSettings:
    """The training of ``autoencoder`` in the folder ``autoencoder`` of ``run``, from where it was interrupted."""
    folder = run.output_dir / FOLDER
    interrupted = not run.overwrite and (folder / VAE.names.latest).is_file()
    own = run.model_dump() | {"output_dir": folder, "resume": "auto" if interrupted else None, "log_dir": None}
    return VaeTrainSettings(
        run=RunSettings(**own),
        data=data,
        autoencoder=autoencoder.model_copy(update={"gradient_checkpointing": gradient_checkpointing}),
        loop=LoopSettings(
            epochs=options.epochs,
            max_train_steps=options.max_train_steps,
            batch_size=options.batch_size,
            mixed_precision=mixed_precision,
            save_every=max(1, options.epochs),
            sample_every=max(1, options.epochs // 5),
        ),
        optim=OptimSettings(learning_rate=options.learning_rate, lr_scheduler="cosine"),
    )


def autoencoder_options(options: FirstAutoencoderSettings, vgg_weights: Path | None = None) -> AutoencoderSettings:
    """The autoencoder as ``vae train`` would be told of it."""
    shared = {"latent_channels", "channels", "layers_per_block", "linear_start", "kl_weight", "perceptual"}
    own = options.model_dump(include=shared)
    # Without a linear path, which the folders of diffusers have no place for, and regularised as README's figures were.
    given = {"latent": "map", "linear_path": False, "kl_per_pixel": False, **own, "vgg_weights": vgg_weights}
    return AutoencoderSettings.model_validate(given)


def train_first(settings: SarTrainSettings, pairs: PairSets, console: Console) -> Path:
    """The checkpoint of the autoencoder of both images of ``pairs``, trained now or before."""
    own = settings_of(settings)
    console.say(f"autoencoder  first, on both images of the training pairs, in {own.run.output_dir}")
    return fit_first(own, as_images(pairs), console)


def fit_first(own: VaeTrainSettings, images: ImageSets, console: Console) -> Path:
    """The checkpoint of an autoencoder that is trained before another model, on images that both are trained on."""

    def images_read_before(settings: VaeTrainSettings, compute: Compute, inner: Console) -> ImageSets:
        return images

    stage = StageConsole(console, command=console.command, argv=console.argv, origins={})
    try:
        result: dict[str, Any] = fit(replace(vae.METHOD, datasets=images_read_before), own, stage, more_follows=True)
    except RsforgeError as error:
        if error.code.startswith("RSF-I"):  # the same command goes on here; --resume is for the denoiser
            error.fix = console.command
        raise
    return Path(result["best_model"])
