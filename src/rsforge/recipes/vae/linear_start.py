"""The beginning of a map autoencoder with a linear path: the best linear code of the patches of training images."""

from __future__ import annotations

from rsforge.engine.loader import IndexedDataset
from rsforge.metrics.pca import fit_patch_decoder, fit_patch_pca
from rsforge.models.autoencoder_kl import AutoencoderKL
from rsforge.recipes.datasets.batches import stack_samples
from rsforge.recipes.datasets.image_folder import SelectedItems

_MOST_IMAGES, _MOST_BYTES = 1024, 1 << 27


def start_linear(network: AutoencoderKL, samples: IndexedDataset) -> None:
    """Fit the linear path of ``network`` to training ``samples``, images as they are: at most ``_MOST_IMAGES``.

    They are evenly spread, and fewer where they are of more than 128 KiB; the same samples give the same weights.
    """
    total = len(samples)
    count = min(total, _MOST_IMAGES, max(1, _MOST_BYTES // samples[0, 0].numel()))
    chosen = SelectedItems(samples, [k * total // count for k in range(count)])
    images = ((stack_samples(chosen, range(count)) + 1) * 127.5).round().clamp(0, 255).byte()
    fitted = fit_patch_pca(images, network.factor, network.latent_channels)
    decoder = fit_patch_decoder(images, network.factor, fitted["mean"], fitted["components"])
    network.start_from_components(**fitted, decoder=decoder)
