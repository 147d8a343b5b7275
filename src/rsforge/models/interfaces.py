"""What a task, a sampler or a recipe may expect of an autoencoder, a translator and a denoiser."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn


def describe(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The ``architecture`` of a network: its catalogue name and its options, sequences as lists.

    ``options`` are the ``locals()`` of its constructor before anything else is assigned.
    """
    plain = {k: v for k, v in options.items() if k not in ("self", "__class__")}
    return {"name": name} | {k: list(v) if isinstance(v, list | tuple) else v for k, v in plain.items()}


class Autoencoder(nn.Module, ABC):
    """Images ``(B, C, H, W)`` in [-1, 1] to the mean and log-variance of a Gaussian latent, and back.

    ``factor`` is what image sides must be a multiple of; ``architecture`` rebuilds the network through
    :func:`rsforge.models.catalogue.build`.
    """

    factor: int
    architecture: dict[str, Any]
    __call__: Callable[..., Tensor]

    @abstractmethod
    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """``mu`` and ``logvar``, each ``(B, *latent_shape)``."""

    @abstractmethod
    def decode(self, z: Tensor) -> Tensor:
        """The image of latents ``(B, *latent_shape)``."""

    @abstractmethod
    def latent_shape(self, image_size: int) -> tuple[int, ...]:
        """Shape of one latent of a square image; ``ValueError`` for a size the network cannot take."""

    def forward(self, x: Tensor) -> Tensor:
        """The reconstruction through the mean."""
        return self.decode(self.encode(x)[0])


class Translator(nn.Module, ABC):
    """Images ``(B, in_channels, H, W)`` in [-1, 1] to others ``(B, out_channels, H, W)`` of the same size.

    ``factor`` is what image sides must be a multiple of (``ValueError``).
    """

    in_channels: int
    out_channels: int
    factor: int
    architecture: dict[str, Any]
    __call__: Callable[..., Tensor]


class Denoiser(nn.Module, ABC):
    """Noisy latents ``(B, *latent_shape)`` at timesteps ``t`` to a prediction of the same shape."""

    architecture: dict[str, Any]
    __call__: Callable[..., Tensor]

    @abstractmethod
    def forward(
        self,
        x_t: Tensor,
        t: Tensor | int,
        context: Tensor | None = None,
        condition: Tensor | None = None,
        context_mask: Tensor | None = None,
        vector: Tensor | None = None,
    ) -> Tensor:
        """Predict eps, v, x_0 or flow, whichever the network was trained for.

        ``t`` is ``(B,)`` or a scalar; ``context`` is a text of ``(B, tokens, width)``, whose tokens count where
        ``context_mask`` ``(B, tokens)`` is True or not given; ``condition`` has the spatial size of ``x_t`` and is
        concatenated behind it; ``vector`` ``(B, D)`` is added to the time embedding. ``ValueError`` for an input the
        network has no place for, and for one that it misses.
        """

    @abstractmethod
    def start_at_zero(self) -> None:
        """Make the last layer answer zero, as a network does that adds to another answer."""
