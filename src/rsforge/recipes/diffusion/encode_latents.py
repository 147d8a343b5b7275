"""Latents for a diffusion model: encoded once and kept, or anew at each step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rsforge.data.images.gaps import has_gaps, masks_of
from rsforge.data.latent_cache import LatentDataset, Moments, cache_key, draw_latents, latent_statistics
from rsforge.data.stored_arrays import check_array, open_array, write_array
from rsforge.engine.distributed import SingleProcess
from rsforge.engine.loader import IndexedDataset
from rsforge.errors import RsforgeError
from rsforge.losses.gaps import VALID, shrink_valid
from rsforge.metrics.gaussian_denoiser import fit_denoiser, mix_scales
from rsforge.models.interfaces import Autoencoder
from rsforge.noise.gaussian_denoiser import GaussianDenoiser
from rsforge.recipes import output_names
from rsforge.recipes.console import Console
from rsforge.recipes.datasets.batches import index_ranges, stack_samples
from rsforge.recipes.datasets.image_folder import ImageSets
from rsforge.recipes.datasets.named_samples import NamedSamples
from rsforge.recipes.inference.checkpoints import LoadedModel
from rsforge.recipes.training.job import Compute
from rsforge.settings.diffusion import DiffusionTrainSettings
from rsforge.tasks.diffusion import already_encoded
from rsforge.wording import join_start

ENCODED_AT_ONCE, ENCODED_PIXELS = 32, 1 << 20
"""The most images, and the most pixels: an autoencoder of f8 takes about 3 GiB for these."""
FITTED = 1024
"""The most latents that a closed form is fitted to."""
GAUSSIAN, SCALE_MIXTURE = "gaussian", "scale_mixture"
ANOTHER_VAE = "train the autoencoder anew, or use another of its checkpoints with --vae"


@dataclass(frozen=True)
class Latents:
    """What a denoiser trains on, how a batch becomes moments, and how latents are standardised.

    ``closed_forms`` are denoisers that know the distribution of the training latents.
    """

    train: IndexedDataset
    held_out: IndexedDataset
    moments_of: Callable[[Mapping[str, Any]], Tensor]
    mean: Tensor
    std: Tensor
    closed_forms: Mapping[str, GaussianDenoiser] = field(default_factory=dict)


@dataclass(frozen=True)
class Encoder:
    """Images to moments ``(B, 2, *latent)``: mean and log-variance."""

    autoencoder: Autoencoder

    @torch.no_grad()
    def __call__(self, x: Tensor) -> Tensor:
        return torch.stack(self.autoencoder.encode(x), dim=1).float()

    def moments_of(self, batch: Mapping[str, Any]) -> Tensor:
        """The moments of a batch of ``images``."""
        return self(batch["images"])


class EncodedImages:
    """Images with their moments: ``images`` ``(C, S, S)`` and ``latents`` ``(2, *latent)``, encoded when asked for."""

    def __init__(self, samples: IndexedDataset, autoencoder: Autoencoder) -> None:
        self.samples, self.encode = samples, Encoder(autoencoder)

    def __len__(self) -> int:
        return len(self.samples)

    def name(self, index: int) -> str:
        return self.samples.name(index)

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Tensor]:
        item = NamedSamples(self.samples, ("images",))[key]
        device = next(self.encode.autoencoder.parameters()).device
        return {**item, "latents": self.encode(item["images"][None].to(device))[0].cpu()}


def fresh(data: ImageSets, autoencoder: Autoencoder, vae: LoadedModel, where: Compute) -> Latents:
    """Images encoded at each step, standardised by what the autoencoder's training measured."""
    measured = vae.state["parts"]["own/latents"]
    mean, std = to_standardise(measured["mean"], measured["std"], where.device)
    train, held_out = (NamedSamples(samples, ("images",)) for samples in (data.train, data.held_out))
    return Latents(train, held_out, Encoder(autoencoder).moments_of, mean, std)


def load_or_encode(
    settings: DiffusionTrainSettings,
    data: ImageSets,
    autoencoder: Autoencoder,
    vae: LoadedModel,
    where: Compute,
    console: Console,
) -> Latents:
    """Moments of every image on disk, standardised by the training ones' exact statistics.

    Mirroring is kept by storing both views.
    """
    folder = settings.denoiser.latent_cache_dir or settings.run.output_dir / output_names.LATENTS
    store = Store(folder, settings.data.image_size, autoencoder, vae.digest, where, console)
    train, names = store.moments(data.plain, "train", data.identity["split"], mirrored=settings.data.flip > 0)
    masks = find_masks(data.plain, train)
    mean, std = to_standardise(*latent_statistics(train, masks.get(VALID)), where.device)
    held_out, held_names = store.moments(data.held_out, "held out", data.identity["split"], mirrored=False)
    seed = settings.run.seed
    return Latents(
        LatentDataset({"latents": train, **masks}, names, seed=seed),
        LatentDataset({"latents": held_out, **find_masks(data.held_out, held_out)}, held_names, seed=seed),
        already_encoded,
        mean,
        std,
        fit_closed_forms(draw_latents(train, FITTED, seed=seed, valid=masks.get(VALID)), mean, std),
    )


def fit_closed_forms(latents: Tensor, mean: Tensor, std: Tensor) -> dict[str, GaussianDenoiser]:
    """The best denoiser of normally distributed ``latents`` ``(n, *latent)``, standardised, and of a mixture of scales.

    None of a single latent.
    """
    if len(latents) < 2:
        return {}
    standard = ((latents.to(mean.device) - mean) / std).flatten(1).cpu()
    gaussian = fit_denoiser(standard)
    return {GAUSSIAN: gaussian.to(mean.device), SCALE_MIXTURE: mix_scales(gaussian, standard).to(mean.device)}


def find_masks(samples: IndexedDataset, moments: Moments) -> dict[str, Any]:
    """Where the pixels of the cells of stored maps all hold data, bool ``(N, views, 1, h, w)``, under its name.

    Nothing where no image has gaps, and nothing of vectors. The second view is the first mirrored. RSF-D004 where no
    cell of any image is whole: nothing would be learnt.
    """
    if not has_gaps(samples) or moments.ndim != 6:
        return {}
    masks = (masks_of(samples)((0, index)) for index in range(len(samples)))
    cells = torch.stack([shrink_valid(mask, moments.shape[-2:]) for mask in masks if mask is not None])
    if not cells.any():
        what = "no cell of the latents holds data alone: gaps touch each of them"
        fix = "use an autoencoder with fewer levels, whose cells are smaller, or images with fewer gaps"
        raise RsforgeError("RSF-D004", what, where="--data-dir", fix=fix)
    views = torch.stack([cells, cells.flip(-1)][: moments.shape[1]], dim=1)
    return {VALID: views.numpy()}


def to_standardise(mean: Tensor, std: Tensor, device: torch.device) -> tuple[Tensor, Tensor]:
    """Mean and deviation on ``device``; RSF-T001 where they are not finite, since no latent would be after them."""
    if not (mean.isfinite().all() and std.isfinite().all()):
        raise RsforgeError("RSF-T001", "mean or deviation of the autoencoder's latents is not finite", fix=ANOTHER_VAE)
    return mean.to(device), std.to(device)


def check_augmentation(settings: DiffusionTrainSettings) -> None:
    """RSF-U005 for augmentation that stored latents cannot have."""
    if settings.denoiser.latent_cache and (settings.data.jitter or settings.data.flip not in (0.0, 0.5)):
        raise RsforgeError(
            "RSF-U005",
            "stored latents allow only --jitter 0 and --flip 0 or 0.5",
            where="--jitter, --flip",
            fix="add --no-latent-cache to encode the images again at each step",
        )


def load_or_make(
    path: Path,
    shape: tuple[int, ...],
    encode: Callable[[], Iterable[Tensor]],
    world: SingleProcess,
    console: Console,
    *,
    what: str,
) -> Moments:
    """The array ``shape`` at ``path``, mapped; where it is not there to the bit, the first process writes it first."""
    if world.writes and not _is_sound(path, shape, what, console):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_array(path, encode(), shape)
    world.barrier()
    return open_array(path, shape)


def _is_sound(path: Path, shape: tuple[int, ...], what: str, console: Console) -> bool:
    """Whether ``path`` holds the array to the bit; what is there and does not is said."""
    try:
        check_array(path, shape)
    except RsforgeError as error:
        if path.exists():
            console.warn(f"{path}: {error.found}: the {what} are encoded again")
        return False
    return True


class Store:
    """The folder of stored latents; files are named by all that determines their content."""

    def __init__(
        self, folder: Path, size: int, autoencoder: Autoencoder, digest: str, where: Compute, console: Console
    ) -> None:
        self.folder, self.size, self.device, self.world = folder, size, where.device, where.world
        self.encode, self.digest, self.console = Encoder(autoencoder), digest, console
        self.shape = autoencoder.latent_shape(size)

    def moments(
        self, samples: IndexedDataset, side: str, data_digest: str, *, mirrored: bool
    ) -> tuple[Moments, list[str]]:
        """Memory-mapped ``(N, views, 2, *latent)`` and the names of its rows; encoded by rank 0 when missing."""
        shape = (len(samples), 1 + mirrored, 2, *self.shape)
        path = self._path(side, data_digest, mirrored=mirrored)
        encode = partial(self._encode, samples, side, mirrored=mirrored)
        moments = load_or_make(path, shape, encode, self.world, self.console, what=f"{side} images")
        return moments, [samples.name(i) for i in range(len(samples))]

    def _path(self, side: str, data_digest: str, *, mirrored: bool) -> Path:
        key = cache_key(
            autoencoder_digest=self.digest,
            data_digest=f"{data_digest} {side}",
            image_size=self.size,
            mirrored=mirrored,
        )
        return self.folder / f"{key}.npy"

    def _encode(self, samples: IndexedDataset, side: str, *, mirrored: bool) -> Iterator[Tensor]:
        with self.console.progress(f"encoding {side}", len(samples)) as meter:
            for indices in index_ranges(len(samples), count_at_once(self.size)):
                x = stack_samples(samples, indices).to(self.device)
                views = [x, x.flip(-1)] if mirrored else [x]
                moments = torch.stack([self.encode(view) for view in views], dim=1)
                _check_moments(moments, [samples.name(i) for i in indices])
                yield moments
                meter.step(len(x))


def count_at_once(image_size: int) -> int:
    """How many images are encoded together: at full size few fill a GPU."""
    return max(1, min(ENCODED_AT_ONCE, ENCODED_PIXELS // image_size**2))


def _check_moments(moments: Tensor, names: list[str]) -> None:
    """RSF-T001 with the names of the first images whose latents are not finite."""
    sound = moments.flatten(1).isfinite().all(1).tolist()
    if not all(sound):
        bad = [name for name, finite in zip(names, sound, strict=True) if not finite]
        what = "the autoencoder's latents are not finite"
        raise RsforgeError("RSF-T001", what, where=join_start(bad, 3), fix=ANOTHER_VAE)
