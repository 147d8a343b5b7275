"""``rsforge diffusion train``: a denoiser in the latent space of a trained autoencoder."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from rsforge.data.images.gaps import has_gaps
from rsforge.data.pairs.layouts import holds_pair_folders
from rsforge.engine.cadence import Moment
from rsforge.engine.listener import Pictures
from rsforge.engine.validation import Validation
from rsforge.errors import RsforgeError
from rsforge.metrics.gaussian_denoiser import count_bytes
from rsforge.models.gaussian_path import GAINS, GaussianPath
from rsforge.models.interfaces import Autoencoder, Denoiser
from rsforge.noise.schedules import table_of
from rsforge.recipes.console import Console
from rsforge.recipes.datasets import image_folder
from rsforge.recipes.datasets.image_folder import ImageSets
from rsforge.recipes.datasets.measured_subset import trained_digest
from rsforge.recipes.diffusion import encode_latents
from rsforge.recipes.diffusion.encode_latents import Latents
from rsforge.recipes.diffusion.find_partner import DIVIDED_OTHERWISE
from rsforge.recipes.diffusion.load import REQUIRED
from rsforge.recipes.diffusion.networks import build, describe_schedule
from rsforge.recipes.diffusion.output_names import DIFFUSION
from rsforge.recipes.diffusion.pipeline import LatentPipeline
from rsforge.recipes.inference.broken_images import warn_of_preview
from rsforge.recipes.inference.checkpoints import LoadedModel
from rsforge.recipes.inference.labelled_grid import save_labelled_grid
from rsforge.recipes.judging.judged_side import JudgedSide, choose_side
from rsforge.recipes.judging.validation_figures import FigureJudge
from rsforge.recipes.tracking.loss_plots import Curves
from rsforge.recipes.training import partners
from rsforge.recipes.training.build import build_loader
from rsforge.recipes.training.job import Compute, Partner, TrainingSpec
from rsforge.recipes.training.method import Method
from rsforge.recipes.training.run import fit
from rsforge.recipes.vae.inherit import check_same_images
from rsforge.recipes.vae.load import load_autoencoder
from rsforge.samplers.timesteps import StepGrid
from rsforge.seeds import derive
from rsforge.settings.diffusion import DiffusionTrainSettings, NoiseSettings
from rsforge.tasks.denoising_figures import choose_judging_draws, draws_per_latent
from rsforge.tasks.diffusion import DiffusionTask, name_by_quarter
from rsforge.tasks.remainder_gain import RemainderGain

SHOWN = 4
CURVES: Curves = {"loss": ["loss", "val/loss", "val/linear", "val/gaussian", "val/scale_mixture"]}
CLOSED_FORMS = {
    encode_latents.GAUSSIAN: name_by_quarter(encode_latents.GAUSSIAN),
    encode_latents.SCALE_MIXTURE: name_by_quarter(encode_latents.SCALE_MIXTURE),
    "standard_normal": name_by_quarter("linear"),
}
"""Denoisers without a network, and what the validation calls their losses: of all noise levels and of each quarter."""
PREVIEW_SAMPLER = "ddim"
SIGNAL_LEFT = 0.1  # amplitude at the last timestep that is no reason to warn; 1000 steps of scaled_linear leave 0.07


def train(settings: DiffusionTrainSettings, console: Console) -> dict[str, Any]:
    """Train a denoiser; returns where it lies and how good it became."""
    return fit(METHOD, settings, console)


@dataclass(frozen=True)
class DiffusionData:
    """ImageSets, the autoencoder of whose latents the denoiser learns, and how those are read."""

    images: ImageSets
    autoencoder: Autoencoder
    vae: LoadedModel
    vae_path: Path
    latents: Latents

    @property
    def identity(self) -> Mapping[str, Any]:
        return self.images.identity


def check(settings: DiffusionTrainSettings, console: Console) -> None:
    encode_latents.check_augmentation(settings)
    if settings.denoiser.gaussian_path and not settings.denoiser.latent_cache:
        raise RsforgeError(
            "RSF-U005", "the closed form of normally distributed latents is fitted to stored latents",
            where="--gaussian-path", found="--no-latent-cache", fix="leave out --no-latent-cache or --gaussian-path",
        )  # fmt: skip
    if holds_pair_folders(Path(settings.data.data_dir)):
        raise RsforgeError(
            "RSF-U005", "the folder holds pairs of SAR and optical images, and this command draws single images",
            where="--data-dir", found=settings.data.data_dir,
            fix="use `rsforge diffusion train-sar`, or name the folder of the optical images",
        )  # fmt: skip


def read_data(settings: DiffusionTrainSettings, compute: Compute, console: Console) -> DiffusionData:
    """The images, to be encoded at each step as long as nothing may be written."""
    warn_of_signal_left(settings.denoiser, console)
    path = partners.locate("vae", settings.denoiser.vae_checkpoint, settings.run, console)
    autoencoder, vae = load_autoencoder(path, compute.device)
    check_size(settings.data.image_size, vae)
    images = image_folder.load_images(settings.data, settings.run, console, keep=not settings.denoiser.latent_cache)
    check_same_images(vae.state, images.identity, console)
    if has_gaps(images.train) and len(autoencoder.latent_shape(settings.data.image_size)) == 1:
        console.warn(
            "vectors hold no places: pixels without data are learned as black ones; leave such images out, or use an "
            "autoencoder of --latent map, whose cells without data are not counted"
        )
    return DiffusionData(images, autoencoder, vae, path, encode_latents.fresh(images, autoencoder, vae, compute))


def store_latents(
    settings: DiffusionTrainSettings, data: DiffusionData, compute: Compute, console: Console
) -> DiffusionData:
    """The same data with latents encoded once, unless they are wanted anew at each step."""
    if not settings.denoiser.latent_cache:
        return data
    stored = encode_latents.load_or_encode(settings, data.images, data.autoencoder, data.vae, compute, console)
    return replace(data, latents=stored)


def build_network(settings: DiffusionTrainSettings, data: DiffusionData, compute: Compute) -> Denoiser:
    return build(settings.denoiser, data.autoencoder.latent_shape(settings.data.image_size))


def check_size(image_size: int, vae: LoadedModel) -> None:
    """RSF-C006 when images of this size are not what the autoencoder was trained on."""
    trained = vae.state["image_size"]
    if image_size != trained:
        raise RsforgeError(
            "RSF-C006",
            f"the autoencoder was trained on images of {trained} pixels",
            where="--image-size",
            found=str(image_size),
            fix=f"use --image-size {trained}",
        )


def spec(
    settings: DiffusionTrainSettings, data: DiffusionData, network: Denoiser, compute: Compute, console: Console
) -> TrainingSpec:
    """The task, its monitor, and what checkpoints say of the model."""
    options, latents = settings.denoiser, data.latents
    draws = options.validation_draws or draws_per_latent(len(latents.held_out), len(latents.train))
    schedule = describe_schedule(options)
    table = table_of(schedule)
    shape = data.autoencoder.latent_shape(settings.data.image_size)
    if isinstance(network, GaussianPath) and encode_latents.SCALE_MIXTURE in latents.closed_forms:
        network.take(latents.closed_forms[encode_latents.SCALE_MIXTURE])
    task = DiffusionTask(
        network.to(compute.device),
        alphas_cumprod=table,
        mean=latents.mean,
        std=latents.std,
        prediction=options.prediction,
        min_snr_gamma=options.min_snr_gamma,
        timestep_sampling=options.timestep_sampling,
        timestep_shift=options.timestep_shift,
        validation_draws=draws,
        moments_of=latents.moments_of,
        closed_forms=latents.closed_forms,
    )
    grid = StepGrid.from_schedule(schedule)
    pipeline = LatentPipeline(
        network, data.autoencoder, table, options.prediction, shape, latents.mean, latents.std, grid
    )
    return TrainingSpec(
        task,
        latents.train,
        latents.held_out,
        identity=_identity(settings, network, latents, shape) | {"validation_draws": draws},
        monitor="val/loss",
        fitted_start=options.gaussian_path,
        preview=partial(preview, settings, pipeline, console),
        measure=partial(fit_gains, settings, task, latents, compute),
        frozen={"autoencoder": data.autoencoder},
        partners={"vae": Partner(data.vae_path, data.vae.digest)},
        baselines=partial(describe_gaussian, latents),
        fitted_bytes=count_bytes(len(latents.train) * (1 + (settings.data.flip > 0)), math.prod(shape)),
    )


def fit_gains(settings: DiffusionTrainSettings, task: DiffusionTask, latents: Latents, compute: Compute) -> None:
    """Let a network over a closed form add as much to that as the held-out latents bear out."""
    if not isinstance(task.denoiser, GaussianPath) or not len(latents.held_out):
        return
    loader = build_loader(latents.held_out, settings, compute, training=False)
    gain, seed = RemainderGain(task, task.denoiser), derive(settings.run.seed, "gains")
    fitted = Validation(gain, loader, device=compute.device, seed=seed, world=compute.world)("")
    task.denoiser.gain.copy_(torch.tensor([fitted[str(k)] for k in range(GAINS)]))


def describe_gaussian(latents: Latents) -> dict[str, Any]:
    """The fitted closed forms, for checkpoints to hold: of the mixture what it has beside the normal distribution.

    Nothing where images are encoded anew at each step.
    """
    if not latents.closed_forms:
        return {}
    gaussian, mixture = (latents.closed_forms[name] for name in (encode_latents.GAUSSIAN, encode_latents.SCALE_MIXTURE))
    scales = {"scales": mixture.scales, "weights": mixture.weights}
    return {encode_latents.GAUSSIAN: asdict(gaussian), encode_latents.SCALE_MIXTURE: scales}


def choose_judging(data: DiffusionData) -> JudgedSide | None:
    """The images that judge, each with its moments: they are encoded where they are asked for."""
    images = data.images
    side = choose_side(images.held_out, images.test, images.scenes)
    if side is None:
        return None
    alike = trained_digest(data.vae.state) == images.identity["split"]
    doubt = "" if alike else DIVIDED_OTHERWISE
    return replace(side.of(encode_latents.EncodedImages(side.samples, data.autoencoder)), doubt=doubt)


JUDGE = FigureJudge(name_by_quarter("loss"), CLOSED_FORMS, choose_judging)


def judge(
    settings: DiffusionTrainSettings,
    data: DiffusionData,
    spec: TrainingSpec,
    path: Path,
    compute: Compute,
    console: Console,
) -> dict[str, Any]:
    """What ``FigureJudge`` says, at as many timesteps as ``diffusion evaluate`` takes: they divide into quarters."""
    assert isinstance(spec.task, DiffusionTask)
    spec.task.validation_draws = choose_judging_draws(spec.task.validation_draws)
    return JUDGE(settings, data, spec, path, compute, console)


def warn_of_signal_left(options: NoiseSettings, console: Console) -> None:
    """Says where the schedule ends before the signal does: images are drawn from noise alone, which it never trains.

    The ends of the linear schedules belong to 1000 timesteps. Lin et al. 2023 (arXiv 2305.08891) show the damage.
    """
    left = float(table_of(describe_schedule(options))[-1].sqrt())
    if left > SIGNAL_LEFT:
        ways = "--schedule cosine" if options.prediction == "eps" else "--zero-terminal-snr"
        console.warn(
            f"the last of {options.timesteps} timesteps of --schedule {options.schedule} still holds {left:.0%} of the "
            f"signal's amplitude, but images are drawn from noise alone, which the network is not trained on: use "
            f"--timesteps 1000, {ways} or --prediction flow"
        )


def _identity(
    settings: DiffusionTrainSettings, network: Denoiser, latents: Latents, shape: tuple[int, ...]
) -> dict[str, Any]:
    return {
        "architecture": network.architecture,
        "image_size": settings.data.image_size,
        "latent_shape": shape,
        "prediction": settings.denoiser.prediction,
        "schedule": describe_schedule(settings.denoiser),
        "timestep_sampling": settings.denoiser.timestep_sampling,
        "timestep_shift": settings.denoiser.timestep_shift,
        "latent_mean": latents.mean,
        "latent_std": latents.std,
    }


def preview(settings: DiffusionTrainSettings, pipeline: LatentPipeline, console: Console, moment: Moment) -> Pictures:
    """The same four images at every preview, in a row."""
    drawn = pipeline.draw(range(SHOWN), pipeline.walk(PREVIEW_SAMPLER), seed=settings.run.seed)
    path = settings.run.output_dir / DIFFUSION.sample_picture(moment)
    warn_of_preview(drawn, path.name, console)
    save_labelled_grid(path, drawn.cpu(), nrow=SHOWN, title=f"drawn after {moment}")
    return {"samples": drawn.cpu()}


def next_command(settings: DiffusionTrainSettings, checkpoint: Path) -> str:
    return shlex.join(["rsforge", "sample", "--diffusion-checkpoint", str(checkpoint)])


METHOD: Method[DiffusionTrainSettings, DiffusionData, Denoiser] = Method(
    kind="diffusion",
    outputs=DIFFUSION,
    curves=CURVES,
    required=REQUIRED,
    check=check,
    datasets=read_data,
    networks=build_network,
    spec=spec,
    prepare=store_latents,
    judge=judge,
    next_command=next_command,
)
