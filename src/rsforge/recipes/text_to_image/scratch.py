"""A small text-to-image model that has learnt nothing but its autoencoder, built like Stable Diffusion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from rsforge.data.clip_tokenizer import ClipTokenizer, Specials
from rsforge.data.clip_tokenizer_training import learn_tokenizer
from rsforge.errors import RsforgeError
from rsforge.models.autoencoder_kl import AutoencoderKL
from rsforge.models.interfaces import Autoencoder
from rsforge.models.pretrained.fold_latents import fold_latents
from rsforge.models.pretrained.networks import PretrainedNetworks
from rsforge.models.pretrained.scheduler_config import ForeignSchedule
from rsforge.models.pretrained.single_file import make_schedule
from rsforge.models.text_encoder import TextEncoder
from rsforge.noise.process import Prediction
from rsforge.recipes.console import Console
from rsforge.recipes.diffusion.first_autoencoder import FOLDER, autoencoder_options
from rsforge.recipes.diffusion.networks import build_unet
from rsforge.recipes.inference.checkpoints import LoadedModel
from rsforge.recipes.pretrained.model import PretrainedModel
from rsforge.recipes.text_to_image.base_model import BaseModel
from rsforge.recipes.text_to_image.captioned_images import CaptionedImages
from rsforge.recipes.training import partners
from rsforge.recipes.training.job import Compute, Partner
from rsforge.recipes.vae import train as vae
from rsforge.recipes.vae.load import load_autoencoder
from rsforge.seeds import derive
from rsforge.settings.finetune import FinetuneSettings, TextTowerSettings
from rsforge.wording import count_noun

SCALED = 1.0
"""The factor on latents that are standardised inside the autoencoder."""


def build_base(settings: FinetuneSettings, data: CaptionedImages, compute: Compute, console: Console) -> BaseModel:
    """The model for the captions of ``data``, under the seed of the run; its autoencoder is the one that is named.

    Without one, as in a plan, it is that which would be trained first, untrained.
    """
    autoencoder, built_on = _open_autoencoder(settings, compute, console)
    options, size = settings.text, settings.data.image_size
    tokenizer = learn_tokenizer(data.trained_texts, vocab_size=options.vocab_size, max_length=options.max_length)
    with torch.random.fork_rng():
        torch.manual_seed(derive(settings.run.seed, "weights"))
        tower = build_tower(options, len(tokenizer))
        channels = autoencoder.latent_channels
        unet = build_unet(settings.unet, channels, options.embedding_dim, in_channels=channels)
    networks = PretrainedNetworks(
        unet, autoencoder, tower, SCALED, autoencoder.latent_shape(size)[1],
        make_noise(settings.model.prediction or "v"),
    )  # fmt: skip
    console.say(
        f"model      from scratch: no --pretrained-model; {count_noun(len(tokenizer), 'token')} of the captions"
    )
    model = PretrainedModel(networks, tokenizer).to(compute.device)
    return BaseModel(model, built_on, describe_tokenizer(tokenizer), learns_texts=True)


def build_tower(options: TextTowerSettings, vocab_size: int) -> TextEncoder:
    """A text tower that has read nothing yet; RSF-U005 for a width that its heads do not divide."""
    try:
        return TextEncoder(
            vocab_size=vocab_size,
            embedding_dim=options.embedding_dim,
            max_length=options.max_length,
            num_heads=options.num_heads,
            num_layers=options.num_layers,
        )
    except ValueError as error:
        raise RsforgeError("RSF-U005", str(error), where="--text-num-heads, --text-embedding-dim") from error


def make_noise(prediction: Prediction) -> ForeignSchedule:
    """The noise schedule of Stable Diffusion; for v with a last step of pure noise, where drawing begins.

    Lin et al. 2023 (arXiv 2305.08891).
    """
    schedule = make_schedule()
    if prediction == "v":
        schedule |= {"zero_terminal_snr": True, "spacing": "trailing", "steps_offset": 0}
    return ForeignSchedule(schedule, prediction)


def _open_autoencoder(
    settings: FinetuneSettings, compute: Compute, console: Console
) -> tuple[AutoencoderKL, dict[str, Partner]]:
    path, size = settings.model.vae_checkpoint, settings.data.image_size
    if path is None:
        network = vae.build(autoencoder_options(settings.autoencoder), size, channels="--vae-channels")
        assert isinstance(network, AutoencoderKL)
        return network.to(compute.device), {}
    run = settings.run
    path = partners.locate("vae", path, run, console, run.output_dir / FOLDER / path.name)
    autoencoder, loaded = load_autoencoder(path, compute.device)
    folded = fold(autoencoder, loaded, where=str(path))
    try:
        folded.latent_shape(size)
    except ValueError as error:
        raise RsforgeError("RSF-C006", str(error), where="--image-size") from error
    return folded, {"vae": Partner(path, loaded.digest)}


def fold(autoencoder: Autoencoder, loaded: LoadedModel, *, where: str) -> AutoencoderKL:
    """The autoencoder with latents of mean 0 and, all channels together, deviation 1; RSF-C006 for vectors.

    Both are as its training measured them. One scale for all channels, as in Stable Diffusion, leaves them the weight
    that they have in images: of latents whose channels were standardised one by one the captions are learnt late.
    """
    if not isinstance(autoencoder, AutoencoderKL):
        what = "the autoencoder has vector latents, and a text-to-image model draws maps"
        raise RsforgeError("RSF-C006", what, where=where, fix="use one that was trained with --latent map")
    measured = loaded.state["parts"]["own/latents"]
    return fold_latents(autoencoder, measured["mean"], measured["std"].square().mean().sqrt())


def describe_tokenizer(tokenizer: ClipTokenizer) -> dict[str, Any]:
    """The tokenizer as checkpoints hold it."""
    return {
        "vocabulary": tokenizer.vocabulary,
        "merges": [" ".join(pair) for pair in tokenizer.merges],
        "max_length": tokenizer.max_length,
    }


def stored_tokenizer(state: Mapping[str, Any], *, where: str) -> ClipTokenizer:
    """The tokenizer of a checkpoint; RSF-C003 where it holds none."""
    try:
        merges = [(first, second) for first, second in (pair.split() for pair in state["merges"])]
        return ClipTokenizer(state["vocabulary"], merges, Specials(max_length=state["max_length"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = "the vocabulary of this checkpoint cannot be used"
        raise RsforgeError("RSF-C003", what, where=where, found=str(error)[:160]) from error
