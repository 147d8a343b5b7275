"""What an autoencoder computes without its network: a linear code of each patch, which principal components begin."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class LinearPath(nn.Module):
    """Images ``(B, C, H, W)`` to ``(B, latent_channels, H/factor, W/factor)`` and back, by linear maps with an offset.

    A patch of ``factor`` x ``factor`` pixels is coded by itself, in the order of channels of ``torch.pixel_unshuffle``;
    it is made again of its code and those of its eight neighbours, of which those beyond an edge are ``centre``. Sides
    must be multiples of ``factor`` (``RuntimeError``).
    """

    def __init__(self, channels: int, factor: int, latent_channels: int) -> None:
        super().__init__()
        self.factor, width = factor, channels * factor**2
        self.into, self.out_of = nn.Conv2d(width, latent_channels, 1), nn.Conv2d(latent_channels, width, 3, padding=1)
        self.centre = nn.Parameter(torch.zeros(latent_channels))

    def encode(self, x: Tensor) -> Tensor:
        z: Tensor = self.into(F.pixel_unshuffle(x, self.factor))
        return z

    def decode(self, z: Tensor) -> Tensor:
        return F.pixel_shuffle(self.out_of(z - self.centre[:, None, None]), self.factor)

    @torch.no_grad()
    def set_components(self, mean: Tensor, components: Tensor, variances: Tensor, decoder: Tensor) -> None:
        """Code patches by their principal components, all divided by one number, so that codes deviate by 1 on average.

        ``mean`` is ``(C * factor**2,)``, ``components`` orthonormal ``(k, C * factor**2)``, ``variances`` ``(k,)`` and
        ``decoder`` ``(C * factor**2, k, 3, 3)`` makes patches of components, but for the mean; k is at most
        ``latent_channels``, and what is left of these stays zero.
        """
        count, deviation = len(components), variances.mean().sqrt()
        for parameter in self.parameters():
            parameter.zero_()
        assert self.into.bias is not None and self.out_of.bias is not None
        self.into.weight[:count, :, 0, 0] = components / deviation
        self.into.bias[:count] = -(components @ mean) / deviation
        self.out_of.weight[:, :count] = decoder * deviation
        self.out_of.bias.copy_(mean)

    @torch.no_grad()
    def standardise(self, mean: Tensor, std: Tensor) -> None:
        """Compute with latents ``(z - mean) / std`` where it did with z, but for the offset of ``encode``: that stays.

        Both are ``(latent_channels,)``.
        """
        assert self.into.bias is not None
        self.into.weight /= std[:, None, None, None]
        self.into.bias /= std
        self.out_of.weight *= std[None, :, None, None]
        self.centre.copy_((self.centre - mean) / std)
