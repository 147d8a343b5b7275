"""``rsforge vae reconstruct`` and ``rsforge vae evaluate``: a trained autoencoder shown and measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rsforge.data.images.tile_dataset import Tile, TileDataset, TileIndex, scan, scan_one
from rsforge.data.io.image_writer import check_picture_path, save_grid
from rsforge.data.synthetic.tile_dataset import SyntheticTiles
from rsforge.engine import devices
from rsforge.engine.loader import IndexedDataset
from rsforge.errors import RsforgeError
from rsforge.losses.elbo import kl_to_standard_normal, negative_elbo
from rsforge.metrics.image import active_units, psnr, ssim
from rsforge.models.interfaces import Autoencoder
from rsforge.recipes.console import Console
from rsforge.recipes.datasets.batches import stacked
from rsforge.recipes.datasets.image_folder import SYNTHETIC, SYNTHETIC_COUNT
from rsforge.recipes.datasets.stored_split import one_side
from rsforge.recipes.training import output_dir
from rsforge.recipes.vae.load import load_autoencoder
from rsforge.settings.vae import VaeEvaluateSettings, VaeReconstructSettings

ROW = 8


Chosen = Callable[[TileIndex], list[Tile]]


def _everything(index: TileIndex) -> list[Tile]:
    return index.tiles


def _images(
    place: str, image_size: int, show: Console, *, on_bad: Any = "error", chosen: Chosen = _everything
) -> IndexedDataset:
    """Images as they are, those ``chosen`` of a folder, from one file, or drawn."""
    if place == SYNTHETIC:
        show.warn(f"--data-dir synthetic: {SYNTHETIC_COUNT} drawn scenes, not satellite images")
        return SyntheticTiles(SYNTHETIC_COUNT, image_size=image_size, seed=0)
    index = _found(Path(place), on_bad)
    for name, reason in index.bad:
        show.warn(f"left out {name}: {reason}")
    show.say(f"images     {index.summary()}")
    return TileDataset(chosen(index), image_size=image_size, seed=0, flip=0.0, jitter=0.0)


def _found(place: Path, on_bad: Any) -> TileIndex:
    return scan_one(place) if place.is_file() else scan(place, on_bad=on_bad)


def reconstruct(settings: VaeReconstructSettings, show: Console) -> dict[str, Any]:
    """Write images above their reconstructions, eight in a row."""
    check_picture_path(settings.output)
    device = devices.choose(settings.device)
    network, restored = load_autoencoder(settings.checkpoint, device)
    samples = _images(settings.data_dir, restored.state["image_size"], show)
    count = min(settings.num_images, len(samples))
    told = {"output": str(settings.output), "images": count, "device": str(device)}
    if show.dry_run:
        return told
    output_dir.make(settings.output.parent)
    pairs = [(x, network(x.to(device)).cpu()) for x in _batches(samples, count, settings.batch_size)]
    originals, restored_images = (torch.cat(side) for side in zip(*pairs, strict=True))
    rows = [side[i : i + ROW] for i in range(0, count, ROW) for side in (originals, restored_images)]
    save_grid(settings.output, torch.cat(_filled(rows)), nrow=min(ROW, count))
    return {**told, "psnr_db": round(float(psnr(restored_images, originals).mean()), 3)}


def _filled(rows: Sequence[Tensor]) -> list[Tensor]:
    """Rows of equal length, so that a short last pair still stands one above the other."""
    width = len(rows[0])
    return [torch.cat([r, r.new_full((width - len(r), *r.shape[1:]), -1.0)]) for r in rows]


def _batches(samples: IndexedDataset, count: int, size: int) -> Iterator[Tensor]:
    return (stacked(samples, range(i, min(i + size, count))) for i in range(0, count, size))


@torch.no_grad()
def evaluate(settings: VaeEvaluateSettings, show: Console) -> dict[str, Any]:
    """Reconstruction and latent figures, beside those of giving every image the mean image."""
    device = devices.choose(settings.device)
    network, restored = load_autoencoder(settings.checkpoint, device)
    size = settings.image_size or restored.state["image_size"]
    _check_size(network, size)
    if settings.data_dir == SYNTHETIC and settings.side != "all":
        raise RsforgeError("RSF-U005", "drawn scenes have no sides", where="--side", found=settings.side)
    trained = restored.state.get("images", {}).get("split", "")
    chosen = partial(one_side, settings.split, settings.side, show=show, trained=trained)
    samples = _images(settings.data_dir, size, show, on_bad=settings.on_bad, chosen=chosen)
    mean_image = sum(x.sum(0).double() for x in _batches(samples, len(samples), settings.batch_size)) / len(samples)
    rows, mus = [], []
    with show.progress("image", len(samples)) as meter:
        for x in _batches(samples, len(samples), settings.batch_size):
            figures, mu = _figures(network, x.to(device), torch.as_tensor(mean_image).to(device).float())
            rows.append(figures)
            mus.append(mu.flatten(1).cpu())
            meter.step(len(x))
    told = {name: round(float(torch.cat([r[name] for r in rows]).mean()), 6) for name in rows[0]}
    mu = torch.cat(mus)
    return {"images": len(samples), **told, "active_units": active_units(mu), "latent_numbers": mu.shape[1]}


def _check_size(network: Autoencoder, size: int) -> None:
    """RSF-U005 when the autoencoder cannot take images of this size."""
    try:
        network.latent_shape(size)
    except ValueError as error:
        raise RsforgeError("RSF-U005", str(error), where="--image-size", found=str(size)) from error


def _figures(network: Autoencoder, x: Tensor, mean_image: Tensor) -> tuple[dict[str, Tensor], Tensor]:
    mu, logvar = network.encode(x)
    restored = network.decode(mu).float().clamp(-1, 1)
    mse, kl = (restored - x).square().flatten(1).mean(1), kl_to_standard_normal(mu, logvar)
    trivial = (mean_image - x).square().flatten(1).mean(1)
    figures = {
        "psnr_db": psnr(restored, x),
        "ssim": ssim(restored, x),
        "mse": mse,
        "kl_nats": kl,
        "neg_elbo": negative_elbo(mse, kl, x[0].numel()),
        "mean_image_mse": trivial,
    }
    return {name: value.cpu() for name, value in figures.items()}, mu
