"""The best linear code of images by a map: of patches that look at their neighbours, in both ways. Malvar 1992."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from rsforge.metrics.chroma import stretch_chroma, stretch_code
from rsforge.metrics.pca import fit_patch_pca

_ITERATIONS = 140
_SCALE = 100.0
"""On the squared error, so that the optimizer's bounds on changes, meant for numbers near 1, do not end it early."""


def fit_lapped_code(images: Tensor, patch: int, channels: int, chroma_weight: float = 1.0) -> dict[str, Tensor]:
    """Two convolutions of 3 x 3 patches that lose least of images, uint8 ``(N, C, H, W)``, through ``channels`` maps.

    Errors of chroma count ``chroma_weight`` times.

    ``mean`` ``(C * patch**2,)`` is that of each colour, in the order of ``torch.pixel_unshuffle``; ``encoder``
    ``(k, C * patch**2, 3, 3)`` makes codes of patches less the mean, uncorrelated and of deviation 1, and ``decoder``
    ``(C * patch**2, k, 3, 3)`` makes them patches again; beyond edges both see zeros. k is ``channels``, or less where
    patches vary in fewer directions. Least squares by L-BFGS from the principal components of single patches, and then
    the least change that makes images of one colour again, without a grid of patches, where k is at least C.
    """
    images = stretch_chroma(images.float(), chroma_weight)
    start = fit_patch_pca(images, patch, channels)
    mean = start["mean"].view(-1, patch**2).mean(1).repeat_interleave(patch**2)
    components = start["components"]
    patches = F.pixel_unshuffle(images / 127.5 - 1, patch) - mean.view(-1, 1, 1)
    encoder = F.pad(components[:, :, None, None], (1, 1, 1, 1))
    decoder = F.pad(components.T[:, :, None, None], (1, 1, 1, 1))
    if len(components):
        encoder, decoder = _descend(patches, *_whiten(patches, encoder, decoder))
        encoder, decoder = _whiten(patches, encoder, decoder)
        decoder = _even_out(encoder, decoder, patch)
    code = {"mean": mean, "encoder": encoder, "decoder": decoder}
    return code if chroma_weight == 1 else stretch_code(code, patch, chroma_weight)


def _descend(patches: Tensor, encoder: Tensor, decoder: Tensor) -> tuple[Tensor, Tensor]:
    weights = [encoder.clone().requires_grad_(), decoder.clone().requires_grad_()]
    optimizer = torch.optim.LBFGS(weights, max_iter=_ITERATIONS, history_size=20, line_search_fn="strong_wolfe")

    def lose() -> Tensor:
        optimizer.zero_grad()
        made = F.conv2d(F.conv2d(patches, weights[0], padding=1), weights[1], padding=1)
        loss = _SCALE * (made - patches).square().mean()
        loss.backward()
        return loss

    with torch.enable_grad():
        optimizer.step(lose)
    return weights[0].detach(), weights[1].detach()


def _whiten(patches: Tensor, encoder: Tensor, decoder: Tensor) -> tuple[Tensor, Tensor]:
    """The same code of the same images in uncorrelated numbers of deviation 1, the largest part of an image first."""
    codes = F.conv2d(patches, encoder, padding=1).movedim(1, 0).flatten(1).double()
    values, vectors = torch.linalg.eigh(codes @ codes.T / codes.shape[1])
    scale = values.clamp(min=1e-12).sqrt()
    into, out_of = (vectors / scale).T.float().flip(0), (vectors * scale).float().flip(1)
    whitened = torch.einsum("jk,kchw->jchw", into, encoder), torch.einsum("ckhw,kj->cjhw", decoder, out_of)
    return whitened[0].contiguous(), whitened[1].contiguous()


def _even_out(encoder: Tensor, decoder: Tensor, patch: int) -> Tensor:
    """A decoder that gives all pixels of a patch alike what it gave them on average of an image of one colour.

    With ``A`` the codes ``(k, C)`` of images of one colour and ``B`` the sum of the decoder over the neighbours, pixels
    differ by ``E``, that is ``B A`` less its mean over the pixels of a patch: ``E`` times the pseudo-inverse of ``A``
    is taken from the weights of the patch itself.
    """
    codes = encoder.sum((2, 3)).view(len(encoder), -1, patch**2).sum(2)
    made = (decoder.sum((2, 3)) @ codes).view(-1, patch**2, codes.shape[1])
    uneven = (made - made.mean(1, keepdim=True)).flatten(0, 1)
    even = decoder.clone()
    even[:, :, 1, 1] -= uneven @ torch.linalg.pinv(codes)
    return even
