"""The beginning of an autoencoder: the best linear code of its training images, on a path of its own or in layers."""

from __future__ import annotations

import torch
from torch import Tensor

from rsforge.data.images.gaps import stack_valid
from rsforge.engine.loader import IndexedDataset
from rsforge.metrics.constant_images import fill_with_mean
from rsforge.metrics.lapped_code import fit_lapped_code
from rsforge.metrics.linear_channel import allot_distortion
from rsforge.metrics.pca import fit_pca
from rsforge.metrics.upsampled_code import fit_upsampled_code
from rsforge.models.autoencoder_kl import AutoencoderKL
from rsforge.models.interfaces import Autoencoder
from rsforge.models.linear_layout import inner_width, write_linear_code
from rsforge.models.vector_vae import VectorVae
from rsforge.recipes.datasets.batches import stack_samples
from rsforge.recipes.selected_items import SelectedItems

_MOST_NUMBERS = 1 << 23
"""Of all images together: the fit takes half a minute for them."""
_MOST_OF_LAYERS = 1 << 20
"""The same for layers, whose fit is slower."""
_MOST_WHOLE = 512
"""Images whose components are found, each in all orientations."""


def start_linear(network: Autoencoder, samples: IndexedDataset, *, nats: float, chroma_weight: float = 1.0) -> None:
    """Fit the linear path of ``network``, or its layers where it has none, to training ``samples``.

    Images are taken as they are, of many some that are spread evenly.
    Patches for a map, whose errors of chroma count ``chroma_weight`` times on a linear path; for a vector whole images
    at ``nats`` each, seen from above and thus in all eight orientations. The same samples give the same weights.
    ``TypeError`` for another network.
    """
    match network:
        case AutoencoderKL(linear_path=None):
            images = _take_evenly(samples, max(1, _MOST_OF_LAYERS // samples[0, 0].numel()))
            levels, channels = network.factor.bit_length() - 1, network.latent_channels
            write_linear_code(network, *fit_upsampled_code(images, levels, channels, inner_width(network)))
        case AutoencoderKL():
            count = max(1, _MOST_NUMBERS // samples[0, 0].numel())
            images = _take_evenly(samples, count)
            code = fit_lapped_code(images, network.factor, network.latent_channels, chroma_weight)
            network.start_from_code(**code)
        case VectorVae():
            count = max(2, min(_MOST_WHOLE, _MOST_NUMBERS // samples[0, 0].numel()))
            fitted = fit_pca(turn_all_ways(_take_evenly(samples, count)), network.latent_dim)
            network.start_from_channel(**fitted, distortion=allot_distortion(fitted["variances"], nats))
        case _:
            raise TypeError(f"{type(network).__name__} has no linear path")


def turn_all_ways(images: Tensor) -> Tensor:
    """Square images ``(N, C, S, S)`` in all eight orientations, ``(8 N, C, S, S)``."""
    return torch.cat([view.rot90(k, (2, 3)) for view in (images, images.flip(3)) for k in range(4)])


def _take_evenly(samples: IndexedDataset, most: int) -> Tensor:
    """At most so many images, uint8 ``(N, C, S, S)``, their mean where they hold no data."""
    total = len(samples)
    count = min(total, most)
    chosen = SelectedItems(samples, [k * total // count for k in range(count)])
    images = ((stack_samples(chosen, range(count)) + 1) * 127.5).round().clamp(0, 255).byte()
    valid = stack_valid(chosen, range(count))
    return images if valid is None else fill_with_mean(images, valid)
