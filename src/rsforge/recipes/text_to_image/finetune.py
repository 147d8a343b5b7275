"""``rsforge diffusion finetune``: a text-to-image model on captioned images."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy.typing as npt
import torch

from rsforge.engine.checkpoint_writer import nothing
from rsforge.errors import RsforgeError
from rsforge.metrics.caption_gaussian import CaptionGaussian
from rsforge.metrics.gaussian_denoiser import count_bytes
from rsforge.models.conditioning import Conditioning, ConditionInput
from rsforge.models.interfaces import Denoiser
from rsforge.models.recompute import use_checkpointing
from rsforge.models.text_denoiser import TextDenoiser
from rsforge.noise.schedules import table_of
from rsforge.recipes import output_names
from rsforge.recipes.console import Console
from rsforge.recipes.diffusion.encode_latents import EncodedImages, Latents
from rsforge.recipes.diffusion.first_autoencoder import autoencoder_options
from rsforge.recipes.diffusion.networks import build_unet
from rsforge.recipes.diffusion.sar_pipeline import TEXT
from rsforge.recipes.diffusion.train import CLOSED_FORMS, describe_gaussian
from rsforge.recipes.judging.judged_side import JudgedSide, choose_side
from rsforge.recipes.judging.validation_figures import FigureJudge
from rsforge.recipes.pretrained import save
from rsforge.recipes.pretrained.hub_upload import check_push
from rsforge.recipes.pretrained.model import PretrainedModel
from rsforge.recipes.text_to_image import encode_images, encode_texts, finish, scratch, validation_images
from rsforge.recipes.text_to_image.base_model import BaseModel, check_pretrained, open_pretrained
from rsforge.recipes.text_to_image.captioned_images import CaptionedImages, CaptionedSamples, load_captioned
from rsforge.recipes.text_to_image.encode_images import CAPTION_GAUSSIAN
from rsforge.recipes.text_to_image.first_autoencoder import train_first
from rsforge.recipes.text_to_image.load import KIND, REQUIRED
from rsforge.recipes.text_to_image.output_names import FINETUNE
from rsforge.recipes.text_to_image.trained_part import (
    ADAPTER,
    TEXT_ENCODER,
    TrainedPart,
    attach_trained,
    check_adapter,
    choose_trained,
)
from rsforge.recipes.tracking.loss_plots import Curves
from rsforge.recipes.training import changes, launch, output_dir
from rsforge.recipes.training.job import Compute, TrainingSpec
from rsforge.recipes.training.method import Method
from rsforge.recipes.training.run import fit
from rsforge.recipes.vae import train as vae
from rsforge.settings.finetune import AdapterSettings, FinetuneSettings
from rsforge.tasks.denoising_figures import draws_per_latent
from rsforge.tasks.diffusion import DiffusionTask, name_by_quarter

CURVES: Curves = {
    "loss": ["loss", "val/loss", "val/linear", "val/gaussian", "val/scale_mixture", "val/caption_gaussian"]
}
BASELINES = CLOSED_FORMS | {CAPTION_GAUSSIAN: name_by_quarter(CAPTION_GAUSSIAN)}


def train(settings: FinetuneSettings, console: Console) -> dict[str, Any]:
    """Fine-tune, or train an autoencoder and then the rest; returns where it lies and how good it became."""
    if launch.should_launch(settings.run) and not console.dry_run:
        return launch.torchrun(settings.run, console)
    options = settings.model
    if options.pretrained_model is None and options.vae_checkpoint is None and not console.dry_run:
        check(settings, console)
        output_dir.find_state(settings.run, FINETUNE, kind=KIND, console=console)
        with changes.name_source(settings.data.data_dir, console):
            captioned = load_captioned(settings.data, settings.run, console)
        options = options.model_copy(update={"vae_checkpoint": train_first(settings, captioned.images, console)})
        settings = settings.model_copy(update={"model": options})
        return fit(replace(METHOD, datasets=partial(open_data, captioned=captioned)), settings, console)
    return fit(METHOD, settings, console)


def check(settings: FinetuneSettings, console: Console) -> None:
    """RSF-U005 for what cannot be trained, before anything is read."""
    data, options = settings.data, settings.model
    if settings.denoiser.latent_cache and not data.center_crop:
        raise RsforgeError(
            "RSF-U005", "stored latents are of one crop", where="--no-center-crop",
            fix="add --no-latent-cache to encode the images again at each step",
        )  # fmt: skip
    if settings.hub.push_to_hub is not None:
        check_push(settings.hub.push_to_hub, settings.run.output_dir)
    if options.pretrained_model is not None:
        check_pretrained(settings, options.pretrained_model)
        check_adapter(settings, console)
        return
    if settings.adapter.lora_rank is not None:
        raise RsforgeError(
            "RSF-U005", "adapters are trained beside a pretrained model, and none is named", where="--lora-rank",
            fix="name one with --pretrained-model, or leave --lora-rank out to train a small model from scratch",
        )  # fmt: skip
    vae.build(autoencoder_options(settings.autoencoder), data.image_size, channels="--vae-channels")
    with torch.device("meta"):
        channels = settings.autoencoder.latent_channels
        build_unet(settings.unet, channels, settings.text.embedding_dim, in_channels=channels)
        scratch.build_tower(settings.text, settings.text.vocab_size)


@dataclass(frozen=True)
class TextData:
    """The images and their captions, the model that learns, and both as it takes them.

    ``tokens`` are the ids of the texts, and ``caption_gaussian`` is what they tell of stored latents without a network.
    """

    captioned: CaptionedImages
    base: BaseModel
    latents: Latents
    rows: npt.NDArray[Any]
    reads_tokens: bool
    tokens: npt.NDArray[Any]
    caption_gaussian: CaptionGaussian | None = None

    @property
    def model(self) -> PretrainedModel:
        return self.base.model

    @property
    def identity(self) -> Mapping[str, Any]:
        return self.captioned.identity


def open_data(
    settings: FinetuneSettings, compute: Compute, console: Console, captioned: CaptionedImages | None = None
) -> TextData:
    """Images and texts, to be encoded at each step as long as nothing may be written; read unless they are given."""
    if captioned is None:
        captioned = load_captioned(settings.data, settings.run, console, keep=not settings.denoiser.latent_cache)
    if settings.model.pretrained_model is None:
        base = scratch.build_base(settings, captioned, compute, console)
    else:
        base = open_pretrained(settings, compute, console)
    save.describe(base.model)  # what diffusers could not draw from is told before it is trained
    encode_texts.warn_of_long(base.model, captioned.texts, console)
    rows = encode_texts.number_tokens(base.model, captioned.texts)
    latents = encode_images.encode_fresh(captioned, base.model, compute)
    return TextData(captioned, base, latents, rows, reads_tokens=True, tokens=rows)


def store_data(settings: FinetuneSettings, data: TextData, compute: Compute, console: Console) -> TextData:
    """The same data with latents and vectors encoded once, unless they are wanted anew at each step."""
    options, folder = settings.denoiser, settings.run.output_dir / output_names.LATENTS
    folder = options.latent_cache_dir or folder
    if options.latent_cache:
        latents = encode_images.load_or_encode(settings, data.captioned, data.model, folder, compute, console)
        told = encode_images.fit_to_captions(latents, data.captioned, data.tokens, settings.run.seed)
        data = replace(data, latents=latents, caption_gaussian=told)
    if options.text_cache and not data.base.learns_texts:
        rows = encode_texts.load_or_encode(data.model, data.captioned.texts, folder, compute, console)
        data = replace(data, rows=rows, reads_tokens=False)
    return data


def choose_networks(settings: FinetuneSettings, data: TextData, compute: Compute) -> TrainedPart:
    trained = _choose(settings.adapter, data)
    if settings.loop.channels_last:
        data.model.unet.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    use_checkpointing(data.model.unet, settings.denoiser.gradient_checkpointing)
    return trained


def _choose(options: AdapterSettings, data: TextData) -> TrainedPart:
    if options.lora_rank is not None:
        return attach_trained(data.model, rank=options.lora_rank, alpha=options.lora_alpha)
    return choose_trained(data.model, text_encoder=data.base.learns_texts)


def spec(
    settings: FinetuneSettings, data: TextData, networks: TrainedPart, compute: Compute, console: Console
) -> TrainingSpec:
    """The task, its monitor, and what checkpoints say of the model."""
    options, model, latents = settings.denoiser, data.model, data.latents
    train, held_out = (
        CaptionedSamples(samples, numbers, data.rows, seed=settings.run.seed, tokens=tokens)
        for samples, numbers, tokens in zip(
            (latents.train, latents.held_out), data.captioned.numbers[:2], (None, data.tokens), strict=True
        )
    )
    shape = model.autoencoder.latent_shape(settings.data.image_size)
    draws = options.validation_draws or draws_per_latent(len(held_out), len(train))
    conditioning = _conditioning(settings, data)
    task = DiffusionTask(
        TextDenoiser(model.unet, model.text_encoder) if data.base.learns_texts else model.unet,
        alphas_cumprod=table_of(model.schedule),
        mean=latents.mean,
        std=latents.std,
        prediction=model.prediction,
        min_snr_gamma=options.min_snr_gamma,
        timestep_shift=options.timestep_shift,
        noise_offset=options.noise_offset,
        conditioning=conditioning,
        validation_draws=draws,
        trained=networks,
        moments_of=latents.moments_of,
        inputs_of=partial(read_inputs, data),
        closed_forms=latents.closed_forms,
        closed_forms_of=partial(encode_images.read_captions, data.caption_gaussian),
    )
    frozen: dict[str, torch.nn.Module] = {"autoencoder": model.autoencoder, "text_encoder": model.text_encoder}
    beside = ADAPTER in networks
    frozen |= {"unet": model.unet} if beside else {}
    return TrainingSpec(
        task,
        train,
        held_out,
        identity=_identity(settings, data, networks, conditioning) | {"validation_draws": draws},
        monitor="val/loss",
        preview=partial(validation_images.preview, settings, model),
        frozen=frozen,
        partners=data.base.partners,
        lr_factors={TEXT_ENCODER: settings.text.learning_rate_factor} if data.base.learns_texts else {},
        accompany=partial(finish.accompany_checkpoints, settings.run.output_dir) if beside else nothing,
        baselines=partial(describe_gaussian, latents),
        fitted_bytes=count_bytes(len(latents.train), math.prod(shape)),
    )


def choose_judging(data: TextData) -> JudgedSide | None:
    """The images that judge, each with its moments and one of its captions."""
    images, numbers = data.captioned.images, data.captioned.numbers
    side = choose_side(images.held_out, images.test, images.scenes)
    if side is None:
        return None
    encoded = EncodedImages(side.samples, data.model.autoencoder)
    own = numbers.by_name()[side.subset]
    return side.of(
        CaptionedSamples(encoded, [own[index] for index in side.indices], data.rows, seed=0, tokens=data.tokens)
    )


def read_inputs(data: TextData, batch: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """The text of a batch as the denoiser takes it: vectors, or token ids where it reads them itself."""
    text = batch[TEXT]
    return {TEXT: data.model.reader.read(text) if data.reads_tokens and not data.base.learns_texts else text}


def _conditioning(settings: FinetuneSettings, data: TextData) -> Conditioning:
    """The caption by attention; the empty text stands for none."""
    model, dropout = data.model, settings.denoiser.caption_dropout
    null = model.tokenizer.encode([""])[0] if data.base.learns_texts else model.reader([""])[0]
    return Conditioning((ConditionInput(TEXT, "context", dropout, null=null),))


def _identity(
    settings: FinetuneSettings, data: TextData, networks: TrainedPart, conditioning: Conditioning
) -> dict[str, Any]:
    model, size = data.model, settings.data.image_size
    described: dict[str, Any] = {name: _describe(network) for name, network in networks.items()}
    return {
        "architecture": described,
        "image_size": size,
        "latent_shape": model.autoencoder.latent_shape(size),
        "prediction": model.prediction,
        "schedule": model.schedule,
        "latent_mean": data.latents.mean.cpu(),
        "latent_std": data.latents.std.cpu(),
        "conditioning": conditioning.as_dict(),
        "normalisation": {"low": -1.0, "high": 1.0},
        **data.base.identity,
    }


def _describe(network: torch.nn.Module) -> Any:
    return network.architecture if isinstance(network, Denoiser) else getattr(network, "architecture", {})


METHOD: Method[FinetuneSettings, TextData, TrainedPart] = Method(
    kind=KIND,
    outputs=FINETUNE,
    curves=CURVES,
    required=REQUIRED,
    check=check,
    datasets=open_data,
    networks=choose_networks,
    spec=spec,
    prepare=store_data,
    judge=FigureJudge(name_by_quarter("loss"), BASELINES, choose_judging),
    finish=finish.write_product,
    publish=finish.publish,
    next_command=finish.next_command,
)
