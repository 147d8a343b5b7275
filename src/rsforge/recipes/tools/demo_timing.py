"""How many epochs the demo has time for, from the measured duration of a training step."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping

import torch

from rsforge.engine.task import StepContext, Task
from rsforge.noise.schedules import alphas_cumprod
from rsforge.recipes.console import Console
from rsforge.recipes.diffusion import train as diffusion_train
from rsforge.recipes.tools.demo_console import compose_settings
from rsforge.recipes.tools.demo_options import DemoOptions, Plan
from rsforge.recipes.vae import train as vae_train
from rsforge.settings.diffusion import DiffusionTrainSettings
from rsforge.settings.vae import VaeTrainSettings
from rsforge.tasks.diffusion import DiffusionTask
from rsforge.tasks.vae import VaeTask

OVERHEAD = 1.2  # of an epoch over its steps alone: optimizer, held-out images, checkpoint
TIMED_STEPS = 3


def time_vae_step(options: DemoOptions, device: torch.device) -> tuple[VaeTrainSettings, float]:
    """Trial settings of the autoencoder's training, and the duration of one of its steps in seconds."""
    trial = compose_settings(VaeTrainSettings, options.vae(1))
    size = options.plan.image_size
    network = vae_train.build(trial.autoencoder, size).to(device)
    task = VaeTask(network, kl_weight=trial.autoencoder.kl_weight)
    batch = {"images": torch.randn(trial.loop.batch_size, 3, size, size, device=device)}
    return trial, measure_step_seconds(task, batch)


def time_diffusion_step(options: DemoOptions, device: torch.device) -> tuple[DiffusionTrainSettings, float]:
    """Trial settings of the diffusion model's training, and the duration of one of its steps in seconds."""
    trial = compose_settings(DiffusionTrainSettings, options.diffusion(1))
    vae_settings = compose_settings(VaeTrainSettings, options.vae(1))
    size = options.plan.image_size
    shape = vae_train.build(vae_settings.autoencoder, size).latent_shape(size)
    network = diffusion_train.build(trial.denoiser, shape).to(device)
    table = alphas_cumprod(trial.denoiser.schedule, trial.denoiser.timesteps)
    mean, std = torch.zeros((), device=device), torch.ones((), device=device)
    task = DiffusionTask(network, alphas_cumprod=table, mean=mean, std=std, prediction=trial.denoiser.prediction)
    batch = {"latents": torch.zeros(trial.loop.batch_size, 2, *shape, device=device)}
    return trial, measure_step_seconds(task, batch)


def measure_step_seconds(task: Task, batch: Mapping[str, torch.Tensor]) -> float:
    """The mean duration of a training step of ``task`` in seconds, after one step that is not counted."""
    durations = []
    for _ in range(1 + TIMED_STEPS):
        began = time.monotonic()
        loss = next(task.step(batch, StepContext())).loss
        loss.backward()
        loss.item()
        durations.append(time.monotonic() - began)
    return sum(durations[1:]) / TIMED_STEPS


def choose_epochs(
    plan: Plan,
    planned: int,
    seconds: float,
    step_s: float,
    trial: VaeTrainSettings | DiffusionTrainSettings,
    console: Console,
) -> int:
    """As many of the ``planned`` epochs as fit into ``seconds``, at least one; reported."""
    images = plan.scenes - round(plan.scenes * trial.data.val_fraction)
    epoch_s = OVERHEAD * step_s * math.ceil(images / trial.loop.batch_size)
    epochs = max(1, min(planned, int(seconds / epoch_s)))
    instead = f" instead of {planned}" if epochs < planned else ""
    console.say(f"    {epochs} epochs of about {epoch_s:.1f} s{instead}")
    return epochs
