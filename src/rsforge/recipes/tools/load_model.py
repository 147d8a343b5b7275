"""``rsforge.load``: a trained model for other programs, from its checkpoint alone."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, overload

import torch
from torch import Tensor

from rsforge.data.prompts import PromptTemplate
from rsforge.data.sar.radiometry import Radiometry
from rsforge.data.word_tokenizer import WordTokenizer
from rsforge.engine import checkpoint, devices
from rsforge.errors import RsforgeError
from rsforge.models.interfaces import Autoencoder, Translator
from rsforge.models.text_encoder import TextEncoder
from rsforge.recipes.clip.load import load_text_encoder, stored_template
from rsforge.recipes.cyclegan.load import load_generator
from rsforge.recipes.diffusion.load import open_model
from rsforge.recipes.diffusion.pipeline import LatentPipeline
from rsforge.recipes.inference.broken_images import refuse_broken
from rsforge.recipes.vae.load import load_autoencoder

BATCH = 16


@dataclass(frozen=True)
class LoadedModel:
    """A trained model, frozen and in evaluation mode on ``device``.

    ``kind`` is ``vae``, ``diffusion``, ``cyclegan`` or ``clip``; ``image_size`` the side in pixels of the training's
    images.
    """

    path: Path
    kind: str
    image_size: int
    device: torch.device


@dataclass(frozen=True)
class LoadedAutoencoder(LoadedModel):
    """An autoencoder: images ``(B, 3, H, W)`` in [-1, 1] to latents and back."""

    network: Autoencoder

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """The mean latents ``(B, *latent_shape)`` of images, as the network makes them (not standardised)."""
        return self.network.encode(x.to(self.device))[0]

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Images ``(B, 3, H, W)`` in [-1, 1] of latents."""
        return self.network.decode(latents.to(self.device)).clamp(-1, 1)

    def reconstruct(self, x: Tensor) -> Tensor:
        """What is left of images on the way through the latents."""
        return self.decode(self.encode(x))


@dataclass(frozen=True)
class LoadedSampler(LoadedModel):
    """A diffusion model with the autoencoder that it was trained with."""

    pipeline: LatentPipeline

    def draw(self, count: int, *, seed: int, steps: int | None = None, sampler: str | None = None) -> Tensor:
        """``count`` images ``(count, 3, H, W)`` in [-1, 1], on the CPU.

        Each depends on ``seed`` and its number alone. ``sampler`` is ``ddpm``, ``ddim``, ``dpm++`` or ``euler``;
        without it, and without ``steps``, what suits the model. ``ValueError`` for steps that the schedule lacks,
        ``RsforgeError`` (RSF-T004) for images that are not finite.
        """
        walk = self.pipeline.walk(sampler, steps)
        batches = [range(first, min(first + BATCH, count)) for first in range(0, count, BATCH)]
        drawn = torch.cat([self.pipeline.draw(indices, walk, seed=seed).cpu() for indices in batches])
        refuse_broken(drawn, [f"image {number}" for number in range(count)])
        return drawn


@dataclass(frozen=True)
class LoadedTranslator(LoadedModel):
    """The two generators of a CycleGAN; ``radiometry`` maps SAR values of the training's unit to [-1, 1] and back."""

    gen_ab: Translator
    gen_ba: Translator
    radiometry: Radiometry

    @torch.no_grad()
    def to_optical(self, sar: Tensor) -> Tensor:
        """Optical images ``(B, 3, H, W)`` of SAR ones ``(B, C, H, W)``, both in [-1, 1].

        ``ValueError`` unless the sides are multiples of ``gen_ab.factor``.
        """
        return _translate(self.gen_ab, sar, self.device)

    @torch.no_grad()
    def to_sar(self, optical: Tensor) -> Tensor:
        """SAR images of optical ones, as :meth:`to_optical`."""
        return _translate(self.gen_ba, optical, self.device)


@dataclass(frozen=True)
class LoadedTextEncoder(LoadedModel):
    """A text encoder; ``tokenizer`` numbers the words that it knows, ``template`` makes prompts of metadata."""

    network: TextEncoder
    tokenizer: WordTokenizer
    template: PromptTemplate

    @torch.no_grad()
    def encode(self, prompts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """One vector a token ``(B, N, width)``, and which tokens are no padding ``(B, N)``."""
        tokens = self.tokenizer.encode(prompts).to(self.device)
        return self.network(tokens), self.tokenizer.mask(tokens)


M = TypeVar("M", bound=LoadedModel)


@overload
def load(path: str | os.PathLike[str], *, device: str = "auto") -> LoadedModel: ...
@overload
def load(path: str | os.PathLike[str], expected: type[M], *, device: str = "auto") -> M: ...
def load(
    path: str | os.PathLike[str], expected: type[LoadedModel] = LoadedModel, *, device: str = "auto"
) -> LoadedModel:
    """The model of a checkpoint, with averaged weights where it has them; what its class can do depends on its kind.

    ``expected`` is one of ``LoadedAutoencoder``, ``LoadedSampler``, ``LoadedTranslator`` and ``LoadedTextEncoder``: it
    tells type checkers what comes back, and another kind is refused (RSF-C004). ``device`` as the option --device. A
    diffusion model looks for its autoencoder as ``rsforge sample`` does. ``RsforgeError`` says what is wrong with a
    file.
    """
    place = Path(path)
    state = checkpoint.load(place)
    kind = str(state.get("kind"))
    made = _LOADERS.get(kind)
    if made is None or not issubclass(made[0], expected):
        what = f"{place} is a checkpoint of kind {kind}"
        raise RsforgeError("RSF-C004", what, where=str(place), found=f"{expected.__name__} was expected")
    return made[1](place, state, devices.choose(device))


def _translate(network: Translator, x: Tensor, device: torch.device) -> Tensor:
    if x.shape[-1] % network.factor or x.shape[-2] % network.factor:
        raise ValueError(f"the sides of {tuple(x.shape)} are no multiples of {network.factor}")
    made: Tensor = network(x.to(device))
    return made


def _load_autoencoder(path: Path, state: Mapping[str, Any], device: torch.device) -> LoadedModel:
    network, restored = load_autoencoder(path, device)
    return LoadedAutoencoder(path, "vae", restored.state["image_size"], device, network)


def _load_sampler(path: Path, state: Mapping[str, Any], device: torch.device) -> LoadedModel:
    model = open_model(path, None, device, averaged=True)
    return LoadedSampler(path, "diffusion", state["image_size"], device, model.pipeline)


def _load_translator(path: Path, state: Mapping[str, Any], device: torch.device) -> LoadedModel:
    gen_ab, restored = load_generator(path, device, "sar2optical")
    gen_ba, _ = load_generator(path, device, "optical2sar")
    radiometry = Radiometry.from_dict(restored.state["radiometry"], where=str(path))
    return LoadedTranslator(path, "cyclegan", restored.state["image_size"], device, gen_ab, gen_ba, radiometry)


def _load_text_encoder(path: Path, state: Mapping[str, Any], device: torch.device) -> LoadedModel:
    network, restored, tokenizer = load_text_encoder(path, device)
    template = stored_template(restored.state)
    return LoadedTextEncoder(path, "clip", restored.state["image_size"], device, network, tokenizer, template)


_LOADERS = {
    "vae": (LoadedAutoencoder, _load_autoencoder),
    "diffusion": (LoadedSampler, _load_sampler),
    "cyclegan": (LoadedTranslator, _load_translator),
    "clip": (LoadedTextEncoder, _load_text_encoder),
}
