"""How many steps the demo has time for, from the measured duration of one."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping

import torch

from rsforge.engine.task import StepContext, Task
from rsforge.noise.schedules import alphas_cumprod
from rsforge.recipes.console import Console
from rsforge.recipes.cyclegan import networks as cyclegan_networks
from rsforge.recipes.cyclegan import train as cyclegan_train
from rsforge.recipes.cyclegan.sar_level import largest_level
from rsforge.recipes.diffusion import networks as diffusion_networks
from rsforge.recipes.tools.demo_console import compose_settings
from rsforge.recipes.tools.demo_options import DemoOptions
from rsforge.recipes.vae import train as vae_train
from rsforge.settings.cyclegan import CycleGanTrainSettings
from rsforge.settings.diffusion import DiffusionTrainSettings
from rsforge.settings.vae import VaeTrainSettings
from rsforge.tasks.cyclegan import CycleGanTask
from rsforge.tasks.diffusion import DiffusionTask
from rsforge.tasks.image_pool import ImagePools
from rsforge.tasks.vae import VaeTask

OVERHEAD = 1.2  # of a training over its steps alone: optimizer, held-out images, checkpoint
TIMED_STEPS = 3
SCENES_SHARE, STEPS_A_SCENE, FEWEST_SCENES = 0.4, 0.5, 64
ENDING_STEPS = 150
"""Steps of the autoencoder that take as long as sampling and the report (measured)."""


def time_vae_step(options: DemoOptions, device: torch.device) -> float:
    """The duration of a step of the autoencoder's training in seconds."""
    trial = compose_settings(VaeTrainSettings, options.vae(1))
    size = options.plan.image_size
    network = vae_train.build(trial.autoencoder, size).to(device)
    task = VaeTask(network, kl_weight=trial.autoencoder.kl_weight)
    batch = {"images": torch.randn(trial.loop.batch_size, 3, size, size, device=device)}
    return measure_step_seconds(task, batch)


def time_diffusion_step(options: DemoOptions, device: torch.device) -> float:
    """The duration of a step of the diffusion model's training in seconds."""
    trial = compose_settings(DiffusionTrainSettings, options.diffusion(1))
    vae_settings = compose_settings(VaeTrainSettings, options.vae(1))
    size = options.plan.image_size
    shape = vae_train.build(vae_settings.autoencoder, size).latent_shape(size)
    network = diffusion_networks.build(trial.denoiser, shape).to(device)
    table = alphas_cumprod(trial.denoiser.schedule, trial.denoiser.timesteps)
    mean, std = torch.zeros((), device=device), torch.ones((), device=device)
    task = DiffusionTask(network, alphas_cumprod=table, mean=mean, std=std, prediction=trial.denoiser.prediction)
    batch = {"latents": torch.zeros(trial.loop.batch_size, 2, *shape, device=device)}
    return measure_step_seconds(task, batch)


def time_translator_step(options: DemoOptions, device: torch.device) -> float:
    """The duration of a step of the translator's training in seconds."""
    trial = compose_settings(CycleGanTrainSettings, options.translator(1))
    size, count = trial.data.image_size, trial.loop.batch_size
    nets = {name: net.to(device) for name, net in cyclegan_networks.build(trial, 1, largest_level(trial)).items()}
    weights, pools = cyclegan_train.weights_of(trial), ImagePools(trial.gan.pool_size)
    task = CycleGanTask(nets, pools=pools, gan_loss=trial.loss.gan_loss, weights=weights)
    channels = {"sar": 1, "optical": 3}
    batch = {name: torch.randn(count, number, size, size, device=device) for name, number in channels.items()}
    return measure_step_seconds(task, batch)


def choose_threads(measure: Callable[[], float], most: int, console: Console) -> float:
    """Let torch compute in one thread or in ``most``, whichever makes ``measure()`` smaller; the smaller one.

    ``measure`` returns the duration of a step. Small networks gain little from a second core, and are slowed down where
    other work keeps that core busy.
    """
    if most == 1:
        return measure()
    durations = {}
    for threads in (1, most):
        torch.set_num_threads(threads)
        durations[threads] = measure()
    if durations[1] > durations[most]:
        return durations[most]
    torch.set_num_threads(1)
    console.say(f"    1 thread: a step takes {durations[1]:.3g} s, in {most} threads {durations[most]:.3g} s")
    return durations[1]


@contextlib.contextmanager
def keep_threads() -> Iterator[None]:
    """Give torch back, afterwards, the threads that it had."""
    threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def measure_step_seconds(task: Task, batch: Mapping[str, torch.Tensor]) -> float:
    """The mean duration of a training step of ``task`` in seconds, after one step that is not counted."""
    durations = []
    for _ in range(1 + TIMED_STEPS):
        began = time.monotonic()
        for turn in task.step(batch, StepContext()):
            turn.loss.backward()
            turn.loss.item()
        durations.append(time.monotonic() - began)
    return sum(durations[1:]) / TIMED_STEPS


def choose_scenes(planned: int, seconds: float, step_s: float, console: Console) -> int:
    """As many of the ``planned`` scenes as cost ``SCENES_SHARE`` of ``seconds``, at least ``FEWEST_SCENES``; reported.

    Making, reading, encoding and comparing scenes takes ``STEPS_A_SCENE`` training steps a scene (measured).
    """
    affordable = int((SCENES_SHARE * seconds / step_s - ENDING_STEPS) / STEPS_A_SCENE)
    scenes = min(planned, max(FEWEST_SCENES, affordable))
    if scenes < planned:
        console.say(f"    {scenes} scenes instead of {planned}: a training step takes {step_s:.3g} s here")
    return scenes


def choose_steps(planned: int, seconds: float, step_s: float, console: Console) -> int:
    """As many of the ``planned`` optimizer steps as fit into ``seconds``, at least one; reported."""
    each_s = OVERHEAD * step_s
    steps = max(1, min(planned, int(seconds / each_s)))
    instead = f" instead of {planned}" if steps < planned else ""
    console.say(f"    {steps} steps of about {each_s:.3g} s{instead}")
    return steps
