"""The best linear code of images by a map whose decoder repeats pixels and convolves, as autoencoders do."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from rsforge.metrics.pca import fit_patch_pca

_ITERATIONS = 80
_SCALE = 100.0
"""On the squared error, so that the optimizer's bounds on changes, meant for numbers near 1, do not end it early."""
_NOISE = 0.01
"""Deviation of the noise that the code withstands, in units of its own deviation."""


class UpsampledCode(NamedTuple):
    """Convolutions between images ``(B, C, H, W)`` and codes ``(B, k, H/factor, W/factor)``; edges see zeros.

    ``mean`` ``(C,)`` is that of each colour. ``encoder`` ``(k, C * factor**2, 3, 3)`` reads patches less the mean, in
    the order of ``torch.pixel_unshuffle``. ``decoder`` holds 3 x 3 kernels, each of which reads the pixels of the one
    before, the first those of the code, repeated to twice the size: ``factor`` is 2 to the number of kernels.
    """

    mean: Tensor
    encoder: Tensor
    decoder: tuple[Tensor, ...]


def fit_upsampled_code(images: Tensor, levels: int, channels: int, width: int) -> UpsampledCode:
    """The code that loses least of images, uint8 ``(N, C, H, W)``, at ``1 / 2**levels`` of their size.

    Between its kernels the decoder has ``width`` channels. Channels of the code are uncorrelated, the largest part of
    an image first, and have deviation 1 together. Noise in any of them is as much noise in an image: beside such noise
    a denoiser sees first what weighs most in images, which codes of deviation 1 each would hide. k is ``channels``, or
    less where patches vary in fewer directions. Least squares by L-BFGS from the principal components of single
    patches; the same images give the same code.
    """
    start = fit_patch_pca(images, 2**levels, channels)["components"]
    x = images.float() / 127.5 - 1
    mean = x.mean((0, 2, 3))
    x = x - mean[:, None, None]
    encoder = F.pad(start[:, :, None, None], (1, 1, 1, 1))
    decoder = _first_decoder(levels, x.shape[1], len(start), width)
    if len(start):
        encoder, decoder = _make_isotropic(x, *_descend(x, encoder, decoder))
    return UpsampledCode(mean, encoder, decoder)


def _encode(x: Tensor, encoder: Tensor, factor: int) -> Tensor:
    return F.conv2d(F.pixel_unshuffle(x, factor), encoder, padding=1)


def _decode(z: Tensor, decoder: tuple[Tensor, ...]) -> Tensor:
    for kernel in decoder:
        z = F.conv2d(F.interpolate(z, scale_factor=2.0), kernel, padding=1)
    return z


def _first_decoder(levels: int, colours: int, channels: int, width: int) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    sizes = (channels, *[width] * (levels - 1), colours)
    return tuple(
        torch.randn(after, before, 3, 3, generator=generator) / (9 * max(1, before)) ** 0.5
        for before, after in pairwise(sizes)
    )


def _answers(decoder: tuple[Tensor, ...]) -> Tensor:
    """What an image is of a code of one number, far from edges: ``(k, numbers)`` for the channel of that number."""
    channels = decoder[0].shape[1]
    impulses = torch.zeros(channels, channels, 9, 9)
    impulses[:, :, 4, 4] = torch.eye(channels)
    return _decode(impulses, decoder).flatten(1)


def _descend(x: Tensor, encoder: Tensor, decoder: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
    weights = [kernel.clone().requires_grad_() for kernel in (encoder, *decoder)]
    optimizer = torch.optim.LBFGS(weights, max_iter=_ITERATIONS, history_size=20, line_search_fn="strong_wolfe")
    factor = 2 ** len(decoder)

    def lose() -> Tensor:
        optimizer.zero_grad()
        into, *out_of = weights
        z = _encode(x, into, factor)
        error = (_decode(z, tuple(out_of)) - x).square().mean()
        noise = _NOISE**2 * z.square().mean() * _answers(tuple(out_of)).square().sum() / (x.shape[1] * factor**2)
        loss: Tensor = _SCALE * (error + noise)
        loss.backward()
        return loss

    with torch.enable_grad():
        optimizer.step(lose)
    into, *out_of = (kernel.detach() for kernel in weights)
    return into, tuple(out_of)


def _make_isotropic(x: Tensor, encoder: Tensor, decoder: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
    """The same code in channels whose answers are orthonormal up to one scale, and which are uncorrelated.

    With ``G`` the products of answers, ``sqrt(G) z`` has orthonormal ones; turning it along its principal axes keeps
    them so.
    """
    answers = _answers(decoder).double()
    values, vectors = torch.linalg.eigh(answers @ answers.T)
    root = (vectors * values.sqrt()) @ vectors.T
    codes = root @ _encode(x, encoder, 2 ** len(decoder)).movedim(1, 0).flatten(1).double()
    energies, axes = torch.linalg.eigh(codes @ codes.T / codes.shape[1])
    turn = axes.flip(1).T @ root / energies.mean().sqrt()
    first = torch.einsum("cjhw,jk->ckhw", decoder[0].double(), torch.linalg.inv(turn))
    return torch.einsum("ij,jchw->ichw", turn, encoder.double()).float(), (first.float(), *decoder[1:])
