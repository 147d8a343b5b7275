"""What an autoencoder computes without its network: a linear code of patches and their neighbours."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEAST_LOGVAR = -40.0
"""A number that is told better than so has no noise beside its own rounding in single precision."""


class LinearPath(nn.Module):
    """Images ``(B, C, H, W)`` to ``(B, latent_channels, H/factor, W/factor)`` and back, by linear maps with an offset.

    A patch of ``factor`` x ``factor`` pixels, in the order of channels of ``torch.pixel_unshuffle``, is coded with its
    eight neighbours, and made again of its code and theirs. Beyond the edges patches are ``mean`` and codes ``centre``.
    Sides must be multiples of ``factor`` (``RuntimeError``).
    """

    def __init__(self, channels: int, factor: int, latent_channels: int) -> None:
        super().__init__()
        self.factor, width = factor, channels * factor**2
        self.into = nn.Conv2d(width, latent_channels, 3, padding=1, bias=False)
        self.out_of = nn.Conv2d(latent_channels, width, 3, padding=1, bias=False)
        self.mean, self.centre = nn.Parameter(torch.zeros(width)), nn.Parameter(torch.zeros(latent_channels))

    def encode(self, x: Tensor) -> Tensor:
        z: Tensor = self.into(F.pixel_unshuffle(x, self.factor) - self.mean[:, None, None])
        return z

    def decode(self, z: Tensor) -> Tensor:
        return F.pixel_shuffle(self.out_of(z - self.centre[:, None, None]) + self.mean[:, None, None], self.factor)

    @torch.no_grad()
    def set_code(self, mean: Tensor, encoder: Tensor, decoder: Tensor) -> None:
        """Compute with a linear code ``encoder`` ``(k, width, 3, 3)`` and ``decoder`` ``(width, k, 3, 3)`` of patches.

        ``width`` is C times the square of ``factor``, k at most ``latent_channels``: what is left of these stays zero.
        """
        for parameter in self.parameters():
            parameter.zero_()
        self.mean.copy_(mean)
        self.into.weight[: len(encoder)] = encoder
        self.out_of.weight[:, : len(encoder)] = decoder

    @torch.no_grad()
    def standardise(self, mean: Tensor, std: Tensor) -> None:
        """Compute with latents ``(z - mean) / std`` where it did with z, but for the offset of ``encode``: that stays.

        Both are ``(latent_channels,)``.
        """
        self.into.weight /= std[:, None, None, None]
        self.out_of.weight *= std[None, :, None, None]
        self.centre.copy_((self.centre - mean) / std)


class VectorPath(nn.Module):
    """Images ``(B, C, H, W)`` to the mean and log-variance of ``latent_dim`` numbers and back, linearly.

    It is fitted and not trained. At first it says nothing: every image has the prior, and the image made is 0.
    """

    mean: Tensor
    components: Tensor
    encoded: Tensor
    decoded: Tensor
    logvar: Tensor

    def __init__(self, shape: tuple[int, int, int], latent_dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("components", torch.zeros(latent_dim, *shape))
        self.register_buffer("encoded", torch.zeros(latent_dim))
        self.register_buffer("decoded", torch.zeros(latent_dim))
        self.register_buffer("logvar", torch.zeros(latent_dim))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The mean ``(B, latent_dim)``, and the log-variance ``(latent_dim,)``, which all images share."""
        codes = (x - self.mean).flatten(1) @ self.components.flatten(1).T
        return codes * self.encoded, self.logvar

    def decode(self, z: Tensor) -> Tensor:
        return ((z * self.decoded) @ self.components.flatten(1)).view(-1, *self.mean.shape) + self.mean

    @torch.no_grad()
    def set_channel(self, mean: Tensor, components: Tensor, variances: Tensor, distortion: Tensor) -> None:
        """Tell each of orthonormal ``components`` ``(k, C, H, W)`` to a mean squared error of ``distortion`` ``(k,)``.

        ``variances`` ``(k,)`` are those of the images along them. The latents are standard normal together, and of each
        the share 1 - D / V is signal: the nats of the prior are those of the channel, Cover & Thomas 2006, section
        10.3.2. Components beyond ``latent_dim`` are not told (``ValueError``), and what is left of these says nothing.
        """
        count = len(components)
        if count > len(self.encoded):
            raise ValueError(f"{count} components do not fit into {len(self.encoded)} numbers")
        spread = variances.double()
        noise = distortion.double() / spread
        told = 1 - noise
        for buffer in self.buffers():
            buffer.zero_()
        self.mean.copy_(mean)
        self.components[:count] = components.float()
        self.encoded[:count] = (told / spread).sqrt().float()
        self.decoded[:count] = (told * spread).sqrt().float()
        self.logvar[:count] = noise.log().clamp(min=LEAST_LOGVAR).float()
