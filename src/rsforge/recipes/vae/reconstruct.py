"""``rsforge vae reconstruct``: images above what a trained autoencoder makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from rsforge import leftovers
from rsforge.data.images.gaps import stack_valid
from rsforge.data.io.image_writer import check_picture_path
from rsforge.engine import devices
from rsforge.losses.gaps import Gaps
from rsforge.metrics.image import psnr
from rsforge.recipes.console import Console
from rsforge.recipes.datasets.batches import index_ranges, stack_samples
from rsforge.recipes.datasets.images_of_checkpoint import open_images
from rsforge.recipes.inference.broken_images import refuse_broken
from rsforge.recipes.inference.labelled_grid import save_labelled_grid
from rsforge.recipes.training import output_dir
from rsforge.recipes.vae.load import load_autoencoder
from rsforge.settings.vae import VaeReconstructSettings

ROW = 8


def reconstruct(settings: VaeReconstructSettings, console: Console) -> dict[str, Any]:
    """Write images above their reconstructions, eight in a row."""
    check_picture_path(settings.output)
    device = devices.choose(settings.device)
    network, restored = load_autoencoder(settings.checkpoint, device)
    samples = open_images(settings.data_dir, restored.state["image_size"], console, state=restored.state, data=settings)
    count = min(settings.num_images, len(samples))
    result = {"output": str(settings.output), "images": count, "device": str(device)}
    if console.dry_run:
        return result
    output_dir.make(settings.output.parent)
    originals, reconstructions = [], []
    for indices in index_ranges(count, settings.batch_size):
        x = stack_samples(samples, indices)
        originals.append(x)
        reconstructions.append(network(x.to(device)).cpu())
    above, below = torch.cat(originals), torch.cat(reconstructions)
    refuse_broken(below, [samples.name(k) for k in range(count)], kept="nothing was written")
    rows = [images[first : first + ROW] for first in range(0, count, ROW) for images in (above, below)]
    names = ("image", "reconstruction") * (len(rows) // 2)
    leftovers.sweep_for([settings.output])
    save_labelled_grid(settings.output, torch.cat(_fill_rows(rows)), nrow=min(ROW, count), rows=names)
    return {**result, "psnr_db": measure_psnr(below, above, stack_valid(samples, range(count)))}


def measure_psnr(made: Tensor, images: Tensor, valid: Tensor | None) -> float | None:
    """The mean over images, of pixels that hold data; None where none does."""
    if valid is not None:
        some = valid.flatten(1).any(1)
        if not some.any():
            return None
        made, images, valid = made[some], images[some], valid[some]
        made = Gaps(valid).fill(made, images)
    return round(float(psnr(made, images, valid).mean()), 3)


def _fill_rows(rows: Sequence[Tensor]) -> list[Tensor]:
    """Rows of equal length, so that a short last pair still stands one above the other."""
    width = len(rows[0])
    return [torch.cat([row, row.new_full((width - len(row), *row.shape[1:]), -1.0)]) for row in rows]
