"""Latents as a linear function of the words of their captions: what captions tell without any network."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from rsforge.metrics.caption_words import Captions, choose_words, mark_words
from rsforge.metrics.gaussian_denoiser import number_folds

STRENGTHS = (*(10 ** (k / 2) for k in range(-2, 9)), math.inf)
"""Penalties, in images: what is known of a word counts as if as many images more said nothing of it. Infinitely many
leave the mean of all."""


@dataclass(frozen=True)
class WordRegression:
    """The mean of latents ``(d,)`` is ``mean + (bag - rates) @ weight`` for the ``bag`` of the words of a caption.

    ``words`` ``(k,)`` are the token ids that count, rising, ``rates`` ``(k,)`` the shares of captions that have them,
    and ``weight`` is ``(k, d)``. ``strength`` is the penalty of the fit.
    """

    mean: Tensor
    words: Tensor
    rates: Tensor
    weight: Tensor
    strength: float

    def predict(self, tokens: Tensor) -> Tensor:
        """The means ``(B, d)`` of captions ``(B, N)``, those of all latents for captions without a known word."""
        bags = mark_words(tokens, self.words)
        return self.mean + torch.where(bags.any(1, keepdim=True), bags - self.rates, 0.0) @ self.weight

    def to(self, device: torch.device) -> WordRegression:
        """The same on ``device``."""
        return replace(self, **{name: value.to(device) for name, value in vars(self).items() if name != "strength"})


def fit_words(latents: Tensor, captions: Captions) -> tuple[WordRegression, Tensor]:
    """The ridge regression of ``latents`` ``(n, d)`` on the words of their captions, and what it leaves ``(n, d)``.

    Each image counts as much as another, however many captions it has. The penalty is that of ``STRENGTHS`` with the
    least error on folds of the images. What is left is that of the first caption of each image by the fit to other
    folds, since a fit leaves too little of what it was fitted to. One image has no other: ``ValueError``.
    """
    if len(latents) < 2:
        raise ValueError("one image has no other to be told by")
    words = choose_words(captions)
    folds = number_folds(len(latents))
    errors = torch.zeros(len(STRENGTHS), dtype=torch.float64)
    for fold in folds.unique():
        known = _sum_up(latents, captions, words, folds != fold)
        errors += _measure_strengths(known, _sum_up(latents, captions, words, folds == fold, about=known))
    strength = STRENGTHS[int(errors.argmin())]
    left = torch.empty_like(latents)
    for fold in folds.unique():
        own = folds == fold
        fit = _solve(_sum_up(latents, captions, words, ~own), words, strength)
        left[own] = latents[own] - fit.predict(captions.select(own).first)
    every = torch.ones(len(latents), dtype=torch.bool)
    return _solve(_sum_up(latents, captions, words, every), words, strength), left


class _Sums(NamedTuple):
    """The means of latents ``(d,)`` and words ``(k,)``, and sums of products: of words, and of words and latents."""

    mean: Tensor
    rates: Tensor
    squares: Tensor
    products: Tensor


def _sum_up(latents: Tensor, captions: Captions, words: Tensor, images: Tensor, *, about: _Sums | None = None) -> _Sums:
    """The sums of some images, about their own means or those that are given."""
    captions, latents = captions.select(images), latents[images]
    shares, bags = captions.shares[:, None], mark_words(captions.tokens, words)
    by_image = torch.zeros(len(latents), len(words)).index_add_(0, captions.image, shares * bags)
    mean, rates = (latents.mean(0), by_image.mean(0)) if about is None else (about.mean, about.rates)
    squares = (bags - rates).T @ (shares * (bags - rates))
    products = (by_image - rates).T @ (latents - mean)
    return _Sums(mean, rates, squares, products)


def _solve(sums: _Sums, words: Tensor, strength: float) -> WordRegression:
    weight = torch.zeros_like(sums.products)
    if math.isfinite(strength):
        weight = torch.linalg.solve(sums.squares + strength * torch.eye(len(words)), sums.products)
    return WordRegression(sums.mean, words, sums.rates, weight, strength)


def _measure_strengths(known: _Sums, others: _Sums) -> Tensor:
    """The squared error that the fit to ``known`` makes on ``others`` with each strength, but for what all share."""
    values, exact = torch.linalg.eigh(known.squares.double())
    vectors = exact.float()
    told, true = vectors.T @ known.products, vectors.T @ others.products
    across, among = (told * true).sum(1), (vectors.T @ others.squares @ vectors) * (told @ told.T)
    inverses = torch.stack([1 / (values.clamp(min=0) + strength) for strength in STRENGTHS])
    errors: Tensor = ((inverses @ among.double()) * inverses - 2 * inverses * across).sum(1)
    return errors
