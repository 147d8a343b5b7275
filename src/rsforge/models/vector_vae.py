"""The variational autoencoder whose latent is one vector per image."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rsforge.models.interfaces import Autoencoder, describe
from rsforge.models.linear_path import VectorPath

SLOPE = 0.2


class _Residual(nn.Module):
    """Two 3×3 convolutions, each normalised over the batch, beside the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu(x + self.body(x), SLOPE)


def _down(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.LeakyReLU(SLOPE),
        _Residual(out_channels),
    )


def _up(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        _Residual(in_channels),
        nn.Conv2d(in_channels, 4 * out_channels, 3, padding=1, bias=False),
        nn.PixelShuffle(2),
        nn.BatchNorm2d(out_channels),
        nn.LeakyReLU(SLOPE),
    )


def _to_image(in_channels: int, out_channels: int) -> nn.Sequential:
    convolution = nn.Conv2d(in_channels, 4 * out_channels, 3, padding=1)
    return nn.Sequential(_Residual(in_channels), convolution, nn.PixelShuffle(2), nn.Tanh())


def _head(in_features: int, latent_dim: int, bias: float) -> nn.Linear:
    head = nn.Linear(in_features, latent_dim)
    nn.init.xavier_uniform_(head.weight, gain=0.01)
    nn.init.constant_(head.bias, bias)
    return head


class VectorVae(Autoencoder):
    """Square images of one size to a vector and back. Kingma & Welling 2014.

    ``encode`` gives ``mu`` and ``logvar`` ``(B, latent_dim)``, ``logvar`` in [-10, 2]; ``decode`` gives images
    in [-1, 1]. ``image_size`` must be a multiple of 2 to the number of ``channels`` (``ValueError``).

    With a ``linear_path`` a linear code of the image is added to ``mu`` and ``logvar``, and to the image what it says
    linearly: the network learns the remainder, and images are near [-1, 1] instead of within.
    """

    def __init__(
        self,
        *,
        image_size: int = 128,
        latent_dim: int = 128,
        channels: Sequence[int] = (64, 128, 256, 512),
        in_channels: int = 3,
        linear_path: bool = False,
    ) -> None:
        super().__init__()
        self.architecture = describe("vector_vae", locals())
        channels = tuple(channels)
        self.factor = 2 ** len(channels)
        if image_size < self.factor or image_size % self.factor:
            raise ValueError(f"image_size {image_size} is not a multiple of {self.factor}")
        self.image_size, self.latent_dim = image_size, latent_dim
        corner = (channels[-1], image_size // self.factor, image_size // self.factor)
        features = corner[0] * corner[1] * corner[2]
        self.encoder = nn.Sequential(*(_down(i, o) for i, o in pairwise((in_channels, *channels))), nn.Flatten())
        self.to_mu = _head(features, latent_dim, bias=0.0)
        # A narrow posterior at first, so that the decoder sees the latent and not noise.
        self.to_logvar = _head(features, latent_dim, bias=-3.0)
        self.decoder = nn.Sequential(
            nn.Linear(latent_dim, features),
            nn.Unflatten(1, corner),
            *(_up(i, o) for i, o in pairwise(reversed(channels))),
            _to_image(channels[0], in_channels),
        )
        shape = (in_channels, image_size, image_size)
        self.linear_path = VectorPath(shape, latent_dim) if linear_path else None

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if tuple(x.shape[2:]) != (self.image_size, self.image_size):
            raise ValueError(f"images are {tuple(x.shape[2:])}, the network was built for {self.image_size}")
        h = self.encoder(x)
        mu, logvar = self.to_mu(h), self.to_logvar(h)
        if self.linear_path is not None:
            linear_mu, linear_logvar = self.linear_path.encode(x)
            mu, logvar = mu + linear_mu, logvar + linear_logvar
        return mu, logvar.clamp(-10, 2)

    def decode(self, z: Tensor) -> Tensor:
        x: Tensor = self.decoder(z)
        return x if self.linear_path is None else x + self.linear_path.decode(z)

    @torch.no_grad()
    def start_from_channel(self, mean: Tensor, components: Tensor, variances: Tensor, distortion: Tensor) -> None:
        """Be the linear code that :meth:`VectorPath.set_channel` describes; the network adds nothing to it yet.

        ``ValueError`` without a linear path.
        """
        if self.linear_path is None:
            raise ValueError("this autoencoder has no linear path")
        self.linear_path.set_channel(mean, components, variances, distortion)
        last = next(layer for layer in reversed(list(self.decoder.modules())) if isinstance(layer, nn.Conv2d))
        for layer in (self.to_mu, self.to_logvar, last):
            for parameter in layer.parameters():
                parameter.zero_()

    def latent_shape(self, image_size: int) -> tuple[int, ...]:
        if image_size != self.image_size:
            raise ValueError(f"image_size {image_size} is not the {self.image_size} of this network")
        return (self.latent_dim,)
