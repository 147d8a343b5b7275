"""``rsforge diffusion train-sar``: optical images from SAR images and prompts, by latent diffusion."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from rsforge.data.pairs.augment import AugmentedPairs, Strengths
from rsforge.engine.cadence import Moment
from rsforge.engine.listener import Pictures
from rsforge.errors import RsforgeError
from rsforge.losses.perceptual import Distance, network_distance, no_perceptual, perceptual
from rsforge.models.conditioning import Conditioning
from rsforge.models.interfaces import Denoiser
from rsforge.models.recompute import use_checkpointing
from rsforge.noise.schedules import table_of
from rsforge.recipes import output_names
from rsforge.recipes.clip.load import load_text_encoder
from rsforge.recipes.console import Console
from rsforge.recipes.datasets.pair_split import PairSets
from rsforge.recipes.datasets.pairs import load_pairs
from rsforge.recipes.diffusion import encode_pairs, evaluate
from rsforge.recipes.diffusion.encode_latents import Store
from rsforge.recipes.diffusion.encode_pairs import MEASURED, PairLatents, Standard
from rsforge.recipes.diffusion.first_autoencoder import autoencoder_options, train_first
from rsforge.recipes.diffusion.load_sar import KIND, REQUIRED, ModelFiles
from rsforge.recipes.diffusion.networks import Networks, build_sar_networks, conditioning_of, describe_schedule
from rsforge.recipes.diffusion.output_names import DIFFUSION_SAR
from rsforge.recipes.diffusion.pipeline import LatentPipeline
from rsforge.recipes.diffusion.sar_data import SarData, read_data
from rsforge.recipes.diffusion.sar_pipeline import SAR, TEXT, PromptReader, Request, SarPipeline
from rsforge.recipes.diffusion.train import warn_of_signal_left
from rsforge.recipes.evaluation.baselines import fit_baselines, fitted_bytes
from rsforge.recipes.evaluation.learned_metrics import build_lpips
from rsforge.recipes.inference.broken_images import warn_of_preview
from rsforge.recipes.inference.labelled_grid import save_labelled_grid
from rsforge.recipes.tracking.loss_plots import Curves
from rsforge.recipes.training import changes, launch, output_dir
from rsforge.recipes.training.job import Compute, TrainingSpec
from rsforge.recipes.training.method import Method
from rsforge.recipes.training.run import fit
from rsforge.recipes.training.vgg_weights import Partners, load_features, load_network
from rsforge.recipes.vae import train as vae
from rsforge.samplers.timesteps import StepGrid
from rsforge.settings.diffusion_sar import SarLossSettings, SarTrainSettings
from rsforge.tasks.denoising_figures import draws_per_latent
from rsforge.tasks.diffusion import DiffusionTask
from rsforge.tasks.refined_diffusion import ImageWeights, RefinedDiffusionTask

SHOWN = 4
PREVIEW_STEPS = 20
ANY_WIDTH = 64  # of a token, where only the networks' own options are tried
CURVES: Curves = {"loss": ["loss", "val/loss", "val/linear"]}


def train(settings: SarTrainSettings, console: Console) -> dict[str, Any]:
    """Train the autoencoder where none is named, then the denoiser; returns where it lies and how good it became."""
    if launch.should_launch(settings.run) and not console.dry_run:
        return launch.torchrun(settings.run, console)
    if settings.denoiser.vae_checkpoint is None and not console.dry_run:
        check(settings, console)
        output_dir.find_state(settings.run, DIFFUSION_SAR, kind=METHOD.kind, console=console)
        if settings.run.resume is None:  # else a kept partner may stand in for what moved
            load_text_encoder(settings.denoiser.clip_checkpoint, torch.device("cpu"))
        with changes.name_source(settings.data.data_dir, console):
            pairs = load_pairs(settings.data, settings.run, console)
        denoiser = settings.denoiser.model_copy(update={"vae_checkpoint": train_first(settings, pairs, console)})
        settings = settings.model_copy(update={"denoiser": denoiser})
        return fit(replace(METHOD, datasets=partial(open_data, pairs=pairs)), settings, console)
    return fit(METHOD, settings, console)


def check(settings: SarTrainSettings, console: Console) -> None:
    """RSF-U005 for what cannot be trained, before an autoencoder is trained for it."""
    options, augment = settings.denoiser, settings.augment
    given = augment.model_dump() | {"half_turn": settings.data.half_turn}
    changed = [f"--{name.replace('_', '-')}" for name, value in given.items() if value]
    if options.latent_cache and (changed or settings.data.flip not in (0.0, 0.5)):
        raise RsforgeError(
            "RSF-U005", "stored latents allow no augmentation but --flip 0.5", where=", ".join(changed) or "--flip",
            fix="add --no-latent-cache to encode the images again at each step",
        )  # fmt: skip
    with torch.device("meta"):
        vae.build(autoencoder_options(settings.autoencoder), settings.data.image_size, channels="--vae-channels")
        build_sar_networks(settings, settings.autoencoder.latent_channels, settings.unet.context_dim or ANY_WIDTH)


@dataclass(frozen=True)
class EncodedData:
    """The data, and its latents."""

    data: SarData
    latents: PairLatents

    @property
    def identity(self) -> Mapping[str, Any]:
        return self.data.identity


def open_data(
    settings: SarTrainSettings, compute: Compute, console: Console, pairs: PairSets | None = None
) -> EncodedData:
    """The pairs, to be encoded at each step as long as nothing may be written; read unless they are given."""
    warn_of_signal_left(settings.denoiser, console)
    data = read_data(settings, compute, console, pairs)
    augmented = AugmentedPairs(data.pairs.train, Strengths(**settings.augment.model_dump()), seed=settings.run.seed)
    # What is measured here counts where images are encoded at each step: stored latents are measured themselves.
    measured = 1 if console.dry_run or settings.denoiser.latent_cache else MEASURED
    latents = encode_pairs.encode_fresh(
        data.pairs, augmented, data.tokens, data.composite, data.autoencoder, compute, measured=measured
    )
    return EncodedData(data, latents)


def store_latents(settings: SarTrainSettings, encoded: EncodedData, compute: Compute, console: Console) -> EncodedData:
    """The same data with latents encoded once, unless they are wanted anew at each step."""
    if not settings.denoiser.latent_cache:
        return encoded
    data = encoded.data
    folder = settings.denoiser.latent_cache_dir or settings.run.output_dir / output_names.LATENTS
    store = Store(folder, settings.data.image_size, data.autoencoder, data.vae.digest, compute, console)
    latents = encode_pairs.load_or_encode(settings, data.pairs, data.tokens, data.composite, store, console)
    return replace(encoded, latents=latents)


def make_networks(settings: SarTrainSettings, encoded: EncodedData, compute: Compute) -> Networks:
    data = encoded.data
    channels = data.autoencoder.latent_shape(settings.data.image_size)[0]
    return build_sar_networks(settings, channels, data.reader.encoder.width)


def spec(
    settings: SarTrainSettings, encoded: EncodedData, networks: Networks, compute: Compute, console: Console
) -> TrainingSpec:
    """The task, its monitor, and what checkpoints say of the model."""
    options, data, latents = settings.denoiser, encoded.data, encoded.latents
    reader, schedule = data.reader, describe_schedule(options)
    draws = options.validation_draws or draws_per_latent(len(latents.held_out), len(latents.train))
    conditioning = conditioning_of(settings, reader, latents.sar)
    denoiser = cast(Denoiser, networks["denoiser"].to(compute.device))
    size = settings.data.image_size
    shape = data.autoencoder.latent_shape(size)
    pipeline = LatentPipeline(
        denoiser, data.autoencoder, table_of(schedule), options.prediction, shape,
        latents.optical.mean, latents.optical.std, StepGrid.from_schedule(schedule), conditioning,
    )  # fmt: skip
    base = DiffusionTask(
        denoiser,
        alphas_cumprod=table_of(schedule),
        mean=latents.optical.mean,
        std=latents.optical.std,
        prediction=options.prediction,
        min_snr_gamma=options.min_snr_gamma,
        timestep_sampling=options.timestep_sampling,
        timestep_shift=options.timestep_shift,
        conditioning=conditioning,
        validation_draws=draws,
        moments_of=latents.moments_of,
        inputs_of=partial(read_inputs, reader, latents.sar_of, latents.sar),
    )
    task, vgg = refine(base, settings, encoded, networks, compute)
    drawing = SarPipeline(pipeline, reader, data.composite, latents.sar)
    return TrainingSpec(
        task,
        latents.train,
        latents.held_out,
        identity=_identity(settings, encoded, networks, conditioning) | {"validation_draws": draws},
        monitor="val/loss",
        preview=partial(preview, settings, drawing, data, console),
        frozen={"autoencoder": data.autoencoder, "text_encoder": reader.encoder},
        partners={**data.partners, **vgg},
        baselines=partial(fit_baselines, data.pairs.plain, image_of=itemgetter(1), sar_of=itemgetter(0)),
        fitted_bytes=fitted_bytes((3, size, size), sar_channels=data.pairs.sar_channels),
    )


def read_inputs(
    reader: PromptReader, sar_of: Callable[[Mapping[str, Any]], Tensor], sar: Standard, batch: Mapping[str, Any]
) -> dict[str, Tensor]:
    """The inputs of the conditioning, of a batch of latents or images and of token ids."""
    return {TEXT: reader.read(batch["tokens"]), SAR: sar.apply(sar_of(batch))}


def refine(
    base: DiffusionTask, settings: SarTrainSettings, encoded: EncodedData, networks: Networks, compute: Compute
) -> tuple[Any, Partners]:
    """``base``, with terms on decoded images where they have a weight, and the weights of VGG16 it builds on."""
    loss, optical = settings.loss, encoded.latents.optical
    weights = ImageWeights(loss.mse_weight, loss.perceptual_weight, loss.adversarial_weight)
    if not weights.any_image and weights.mse == 1:
        return base, {}
    distance, vgg = load_distance(loss, compute.device, resumed=settings.run.resume is not None)
    critic = networks["critic"].to(compute.device) if "critic" in networks else None
    autoencoder = encoded.data.autoencoder
    use_checkpointing(autoencoder, settings.denoiser.gradient_checkpointing)

    def decode(latents: Tensor) -> Tensor:
        return autoencoder.decode(latents * optical.std + optical.mean)

    return RefinedDiffusionTask(base, decode, weights=weights, critic=critic, perceptual=distance), vgg


def load_distance(loss: SarLossSettings, device: torch.device, *, resumed: bool) -> tuple[Distance, Partners]:
    """The perceptual distance of decoded images, and the weights of VGG16 that it builds on; RSF-E007 without them."""
    if not loss.perceptual_weight:
        return no_perceptual, {}
    given, what, otherwise = loss.vgg_weights, "--perceptual-weight", "leave out --perceptual-weight"
    if loss.perceptual_distance == "lpips":
        lpips, vgg = load_network(build_lpips, given, device, what=what, resumed=resumed, otherwise=otherwise)
        return partial(network_distance, lpips), vgg
    features, vgg = load_features(given, device, what=what, resumed=resumed, otherwise=otherwise)
    return partial(perceptual, features), vgg


def _identity(
    settings: SarTrainSettings, encoded: EncodedData, networks: Networks, conditioning: Conditioning
) -> dict[str, Any]:
    data, latents, size = encoded.data, encoded.latents, settings.data.image_size
    return {
        "architecture": {name: network.architecture for name, network in networks.items()},
        "image_size": size,
        "latent_shape": data.autoencoder.latent_shape(size),
        "prediction": settings.denoiser.prediction,
        "schedule": describe_schedule(settings.denoiser),
        "timestep_sampling": settings.denoiser.timestep_sampling,
        "timestep_shift": settings.denoiser.timestep_shift,
        "latent_mean": latents.optical.mean,
        "latent_std": latents.optical.std,
        "sar_latent_mean": latents.sar.mean,
        "sar_latent_std": latents.sar.std,
        "conditioning": conditioning.as_dict(),
        "composite": data.composite,
        "radiometry": data.pairs.radiometry.as_dict(),
        "sar_channels": data.pairs.sar_channels,
        "prompt_template": data.template.text,
        "normalisation": {"low": -1.0, "high": 1.0},
        "trained": list(data.pairs.trained),
        "scaled": data.pairs.scaled,
    }


def preview(
    settings: SarTrainSettings, pipeline: SarPipeline, data: SarData, console: Console, moment: Moment
) -> Pictures:
    """SAR, generated and optical image of the same few held-out pairs, a row each."""
    pairs, prompts = data.pairs.held_out, data.prompts[1]
    if not len(pairs):
        pairs, prompts = data.pairs.plain, data.prompts[0]
    count = min(SHOWN, len(pairs))
    indices = [index * len(pairs) // count for index in range(count)]
    sar, optical = encode_pairs.images_of(pairs, indices)
    latents = pipeline.latents
    few = None if latents.prediction == "flow" else min(PREVIEW_STEPS, len(latents.alphas_cumprod))
    request = Request(sar, [prompts[index] for index in indices])
    drawn = pipeline.draw(request, range(count), latents.walk(num_steps=few), seed=settings.run.seed).cpu()
    shown = sar[:, :1].expand(-1, 3, -1, -1)
    rows = torch.stack((shown, drawn, optical), 1).flatten(0, 1)
    path = settings.run.output_dir / DIFFUSION_SAR.sample_picture(moment)
    warn_of_preview(drawn, path.name, console)
    save_labelled_grid(path, rows, nrow=3, columns=("SAR", "generated", "optical"))
    return {"SAR": sar[:, :1], "generated": drawn, "optical": optical}


def judge(
    settings: SarTrainSettings, encoded: EncodedData, spec: TrainingSpec, path: Path, compute: Compute, console: Console
) -> dict[str, Any]:
    """The mean of a few draws of the checkpoint ``path``, beside its baselines, on what chose nothing."""
    data = encoded.data
    files = ModelFiles(path, data.partners["vae"].path, data.partners["clip"].path)
    return evaluate.judge(settings, data.pairs, data.template, files, compute.device)


def next_command(settings: SarTrainSettings, checkpoint: Path) -> str:
    words = ["--model-checkpoint", str(checkpoint), "--dataset-path", settings.data.data_dir]
    return shlex.join(["rsforge", "sample", "dataset", *words])


METHOD: Method[SarTrainSettings, EncodedData, Networks] = Method(
    kind=KIND,
    outputs=DIFFUSION_SAR,
    curves=CURVES,
    required=REQUIRED,
    check=check,
    datasets=open_data,
    networks=make_networks,
    spec=spec,
    prepare=store_latents,
    judge=judge,
    next_command=next_command,
)
