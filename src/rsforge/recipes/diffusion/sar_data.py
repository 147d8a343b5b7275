"""What ``diffusion train-sar`` trains on: pairs and prompts, and the two models that read them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from rsforge.data.prompts import PromptTemplate
from rsforge.data.sar.composite import Composite, composite_for
from rsforge.errors import RsforgeError
from rsforge.models.interfaces import Autoencoder
from rsforge.recipes.clip.load import TEXT, load_text_encoder, stored_template
from rsforge.recipes.console import Console
from rsforge.recipes.datasets.pair_split import PairSets
from rsforge.recipes.datasets.pairs import load_pairs
from rsforge.recipes.datasets.prompts import check_lengths, warn_of_unknown_words, write_prompts
from rsforge.recipes.diffusion.first_autoencoder import FOLDER, autoencoder_options
from rsforge.recipes.diffusion.sar_pipeline import PromptReader
from rsforge.recipes.inference.checkpoints import LoadedModel
from rsforge.recipes.training import partners
from rsforge.recipes.training.job import Compute, Partner
from rsforge.recipes.vae import train as vae
from rsforge.recipes.vae.load import load_autoencoder
from rsforge.settings.diffusion_sar import SarTrainSettings, TextEncoderKeys
from rsforge.wording import join_start


@dataclass(frozen=True)
class SarData:
    """Pairs with their prompts (training, held out), and the frozen models in whose terms a denoiser learns."""

    pairs: PairSets
    prompts: tuple[list[str], list[str]]
    template: PromptTemplate
    composite: Composite
    autoencoder: Autoencoder
    vae: LoadedModel
    reader: PromptReader
    clip: LoadedModel
    partners: Mapping[str, Partner]

    @property
    def tokens(self) -> tuple[Tensor, Tensor]:
        """Token ids of the prompts, training and held out."""
        train, held_out = (self.reader.encode(prompts) for prompts in self.prompts)
        return train, held_out

    @property
    def identity(self) -> Mapping[str, Any]:
        digest = hashlib.sha256(repr(self.prompts).encode()).hexdigest()
        return {**self.pairs.identity, "prompts": digest}


def read_data(settings: SarTrainSettings, compute: Compute, console: Console, pairs: PairSets | None = None) -> SarData:
    """Read and divide the pairs unless they are given, make their prompts, and load the models."""
    options, run = settings.denoiser, settings.run
    clip_path = partners.locate("clip", options.clip_checkpoint, run, console)
    encoder, clip, tokenizer = load_text_encoder(clip_path, compute.device)
    check_clip(settings.clip, clip, clip_path)
    template = PromptTemplate(options.prompt_template) if options.prompt_template else stored_template(clip.state)
    pairs = load_pairs(settings.data, run, console) if pairs is None else pairs
    composite = find_composite(pairs.sar_channels)
    prompts = make_prompts(pairs, template, console)
    check_lengths(tokenizer, [*prompts[0], *prompts[1]])
    warn_of_unknown_words(tokenizer, prompts[0], console)
    autoencoder, loaded, vae_partner = _load_autoencoder(settings, compute, console)
    reader = PromptReader(tokenizer.encode, encoder)
    built_on = {"clip": Partner(clip_path, clip.digest), **vae_partner}
    return SarData(pairs, prompts, template, composite, autoencoder, loaded, reader, clip, built_on)


def _load_autoencoder(
    settings: SarTrainSettings, compute: Compute, console: Console
) -> tuple[Autoencoder, LoadedModel, dict[str, Partner]]:
    """The autoencoder that is named; without one, as in a plan, that which would be trained first, untrained."""
    path, size = settings.denoiser.vae_checkpoint, settings.data.image_size
    if path is None:
        network = (
            vae.build(autoencoder_options(settings.autoencoder), size, channels="--vae-channels")
            .to(compute.device)
            .eval()
        )
        return network, LoadedModel(network, {"image_size": size}, ""), {}
    path = partners.locate("vae", path, settings.run, console, settings.run.output_dir / FOLDER / path.name)
    autoencoder, loaded = load_autoencoder(path, compute.device)
    if len(autoencoder.latent_shape(size)) != 3:
        what = "the autoencoder has vector latents, and a SAR image is given to the denoiser as a map"
        raise RsforgeError("RSF-C006", what, where=str(path), fix="use one that was trained with --latent map")
    return autoencoder, loaded, {"vae": Partner(path, loaded.digest)}


def find_composite(bands: int) -> Composite:
    """How SAR images become three channels; RSF-U005 where there is no rule for so many bands."""
    try:
        return composite_for(bands)
    except ValueError as error:
        raise RsforgeError("RSF-U005", str(error), where="--data-dir") from error


def make_prompts(pairs: PairSets, template: PromptTemplate, console: Console) -> tuple[list[str], list[str]]:
    """The prompts of the training and of the held-out pairs, by index."""
    train, held_out = (
        write_prompts(template, metadata, console) for metadata in (pairs.train_metadata, pairs.held_out_metadata)
    )
    kinds = sorted({*train, *held_out})
    console.say(f"prompts    {len(kinds)} different ones: {join_start(kinds, 3)}")
    return train, held_out


def check_clip(wanted: TextEncoderKeys, clip: LoadedModel, path: Path) -> None:
    """RSF-C006 where a settings file describes another text encoder than the one given."""
    has = clip.state["architecture"][TEXT]
    # The vocabulary has as many words as the prompts had: a settings file says how many it may have.
    asked = wanted.model_dump(exclude_none=True, exclude={"vocab_size"})
    other = [f"{name} {value}, not {has[name]}" for name, value in asked.items() if value != has[name]]
    if other:
        raise RsforgeError(
            "RSF-C006", "the text encoder is not the one that the settings describe", where=str(path),
            found="; ".join(other), fix="give the checkpoint of that encoder, or leave out the section clip_config",
        )  # fmt: skip
