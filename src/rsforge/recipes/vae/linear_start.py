"""The beginning of a map autoencoder with a linear path: the best linear code of the patches of training images."""

from __future__ import annotations

from rsforge.engine.loader import IndexedDataset
from rsforge.metrics.lapped_code import fit_lapped_code
from rsforge.models.autoencoder_kl import AutoencoderKL
from rsforge.recipes.datasets.batches import stack_samples
from rsforge.recipes.datasets.image_folder import SelectedItems

_MOST_NUMBERS = 1 << 23
"""Of all images together: the fit takes half a minute for them."""


def start_linear(network: AutoencoderKL, samples: IndexedDataset) -> None:
    """Fit the linear path of ``network`` to training ``samples``, images as they are; evenly spread of many.

    The same samples give the same weights.
    """
    total = len(samples)
    count = min(total, max(1, _MOST_NUMBERS // samples[0, 0].numel()))
    chosen = SelectedItems(samples, [k * total // count for k in range(count)])
    images = ((stack_samples(chosen, range(count)) + 1) * 127.5).round().clamp(0, 255).byte()
    network.start_from_code(**fit_lapped_code(images, network.factor, network.latent_channels))
