"""``rsforge demo``: the whole path on drawn scenes, through the recipes that every user calls, and a report."""

from __future__ import annotations

import contextlib
import shlex
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from pydantic import BaseModel

from rsforge import durable
from rsforge.data.synthetic.tile_dataset import write_tiles
from rsforge.engine import devices
from rsforge.engine.task import StepContext, Task
from rsforge.errors import RsforgeError
from rsforge.noise.schedules import alphas_cumprod
from rsforge.recipes.console import Console, Meter
from rsforge.recipes.diffusion import train as diffusion_train
from rsforge.recipes.html.page import Stage
from rsforge.recipes.sample import images as sample_images
from rsforge.recipes.tools import demo_report
from rsforge.recipes.training import output_dir
from rsforge.recipes.vae import evaluate as vae_evaluate
from rsforge.recipes.vae import reconstruct as vae_reconstruct
from rsforge.recipes.vae import train as vae_train
from rsforge.recipes.vae.output_names import VAE
from rsforge.seeds import derive
from rsforge.settings.diffusion import DiffusionTrainSettings
from rsforge.settings.sample import SampleSettings
from rsforge.settings.sections import nest, settings_of
from rsforge.settings.tools import DemoSettings
from rsforge.settings.vae import VaeEvaluateSettings, VaeReconstructSettings, VaeTrainSettings
from rsforge.tasks.diffusion import DiffusionTask
from rsforge.tasks.vae import VaeTask

S = TypeVar("S", bound=BaseModel)
Options = Mapping[str, Any]

STAGES = ("scenes", "autoencoder", "diffusion", "samples", "report")
OWN = ("tiles", "unseen", "vae_models", "diffusion_models", "samples_individual", *demo_report.FILES)
AUTOENCODER_SHARE = 0.45  # of the time that is left when its training begins
ENDING_S = 12.0  # what samples, evaluation and report take
OVERHEAD = 1.2  # of a whole epoch over its bare steps: optimizer, held-out images, checkpoint
TIMED_STEPS = 3
INTERRUPTED = ("RSF-I130", "RSF-I143")

VAE_OPTIONS: Options = {
    "latent": "map", "channels": (32, 32), "layers_per_block": 1, "perceptual": False, "jitter": 0.0, "batch_size": 4,
    "learning_rate": 3e-3, "lr_scheduler": "cosine", "lr_warmup_steps": 20, "ema": True, "ema_decay": 0.99,
    "num_workers": 0,
}  # fmt: skip
DIFFUSION_OPTIONS: Options = {
    "prediction": "v", "schedule": "cosine", "channels": (32, 64, 64), "layers_per_block": 1,
    "dropout": 0.0, "batch_size": 16, "learning_rate": 2e-3, "lr_scheduler": "cosine", "lr_warmup_steps": 50,
    "ema_decay": 0.99, "early_stopping_patience": 0, "oscillation_threshold": 0.0, "num_workers": 0,
    "validation_draws": 8,
}  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """How large the demo is; the numbers of epochs are what it does where time allows."""

    scenes: int = 1024
    unseen: int = 128
    image_size: int = 32
    vae: Options = field(default_factory=lambda: VAE_OPTIONS)
    vae_epochs: int = 4
    diffusion: Options = field(default_factory=lambda: DIFFUSION_OPTIONS)
    diffusion_epochs: int = 24
    images: int = 16
    ddim_steps: int = 50


class Aside:
    """The demo's voice lent to one recipe, which hears its own command line and where its settings came from."""

    dry_run = False

    def __init__(self, show: Console, path: str, options: Options, settings: BaseModel) -> None:
        self.show, self.command = show, command_line(path, options)
        self.argv = shlex.split(self.command)[1:]
        self.origins = {name: "demo" if name in options else "default" for name in settings_of(type(settings))}

    def say(self, line: str) -> None:
        self.show.say(f"    {line}")

    def warn(self, line: str) -> None:
        self.show.warn(line)

    def progress(self, label: str, total: int, done: int = 0) -> AbstractContextManager[Meter]:
        return self.show.progress(label, total, done)


def command_line(path: str, options: Options) -> str:
    """What a user types to give ``options`` to the command ``path``."""
    return shlex.join(["rsforge", *path.split(), *(word for name in options for word in _words(name, options[name]))])


def _words(name: str, value: Any) -> list[str]:
    option = name.replace("_", "-")
    if isinstance(value, bool):
        return [f"--{option}" if value else f"--no-{option}"]
    return [f"--{option}", ",".join(map(str, value)) if isinstance(value, tuple) else str(value)]


def composed(model: type[S], options: Options) -> S:
    """The settings that the command line of ``options`` makes."""
    return model.model_validate(nest(model, options))


def run(settings: DemoSettings, show: Console, plan: Plan | None = None) -> dict[str, Any]:
    """Draw scenes, train both models, draw images, judge all of it; returns the figures and where the report lies."""
    demo = Demo(settings, show, plan or Plan())
    demo.check_folder()
    if show.dry_run:
        return demo.planned()
    output_dir.make(settings.output_dir)
    with durable.lock_folder(settings.output_dir):
        return demo.all()


class Demo:
    """One run of the demo: its folder, its clock, and what the stages have told so far."""

    def __init__(self, settings: DemoSettings, show: Console, plan: Plan) -> None:
        self.settings, self.show, self.plan, self.output = settings, show, plan, settings.output_dir
        self.began, self.stages, self.asides = time.monotonic(), list[Stage](), list[tuple[Aside, BaseModel]]()
        self.device = devices.choose(settings.device)
        self.common: Options = {"device": settings.device} if settings.device != "auto" else {}
        self.vae, self.denoiser = (self.output / name / VAE.names.best for name in ("vae_models", "diffusion_models"))

    def check_folder(self) -> None:
        """RSF-U004 when the folder holds anything and may not be overwritten."""
        found = sorted(p.name for p in self.output.iterdir() if p.name != ".lock") if self.output.is_dir() else []
        if found and not self.settings.overwrite:
            raise RsforgeError(
                "RSF-U004", f"the output folder {self.output} is not empty", where="--output-dir",
                found=", ".join(found[:4]), fix="replace it with --overwrite, or name another --output-dir",
            )  # fmt: skip

    def planned(self) -> dict[str, Any]:
        """What would be done, with the command line of each training."""
        plan = self.plan
        return {
            "output_dir": str(self.output),
            "scenes": plan.scenes,
            "image_size": plan.image_size,
            "autoencoder": command_line("vae train", self._vae(plan.vae_epochs)),
            "diffusion": command_line("diffusion train", self._diffusion(plan.diffusion_epochs)),
            "images": plan.images,
            "minutes_at_most": self.settings.minutes,
            "device": str(self.device),
        }

    def all(self) -> dict[str, Any]:
        """The five stages."""
        for name in OWN:
            path = self.output / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        self.show.say(f"rsforge demo: about {self.settings.minutes:g} minutes at most, into {self.output}")
        with self._stage("scenes"):
            self._scenes()
        with self._stage("autoencoder"):
            epochs = {"autoencoder": self._train_vae()["epochs"]}
        with self._stage("diffusion"):
            epochs["diffusion"] = self._train_diffusion()["epochs"]
        with self._stage("samples"):
            self._draw()
        with self._stage("report"):
            evaluated = self._evaluate()
            told = demo_report.collect_figures(self.output, evaluated) | {"epochs": epochs}
        seconds = round(time.monotonic() - self.began, 1)
        demo_report.write_report(self.output, told, self.stages, self.settings, self.show, seconds=seconds)
        self.show.say(f"done       open {self.output / demo_report.REPORT} in a browser")
        return {
            "report": str(self.output / demo_report.REPORT),
            "output_dir": str(self.output),
            "seconds": seconds,
            "stages": {name: stage.seconds for name, stage in zip(STAGES, self.stages, strict=True)},
            **told,
        }

    @contextlib.contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        self.show.say(f"{STAGES.index(name) + 1}/{len(STAGES)} {name}")
        began, self.asides = time.monotonic(), []
        try:
            yield
        except RsforgeError as error:
            if error.code in INTERRUPTED:
                error.fix = f"{error.fix} for this stage alone; {self._again()} for the whole demo"
            raise
        self.stages.append(demo_report.make_stage(name, time.monotonic() - began, self.asides))

    def _again(self) -> str:
        return self.show.command if "--overwrite" in self.show.command else f"{self.show.command} --overwrite"

    def _aside(self, path: str, model: type[S], options: Options) -> tuple[S, Aside]:
        """Settings for a recipe and the voice to call it with, noted for the report."""
        settings = composed(model, options)
        aside = Aside(self.show, path, options, settings)
        self.asides.append((aside, settings))
        return settings, aside

    def _scenes(self) -> None:
        plan, seed = self.plan, self.settings.seed
        for name, count, own in (("tiles", plan.scenes, seed), ("unseen", plan.unseen, derive(seed, "unseen"))):
            write_tiles(self.output / name, count, plan.image_size, own)
            self.show.say(f"    {count} scenes of {plan.image_size} pixels in {self.output / name}")

    def _training(self, own: Options, folder_name: str, epochs: int) -> dict[str, Any]:
        plan = self.plan
        run = {"data_dir": str(self.output / "tiles"), "output_dir": self.output / folder_name}
        loop = {"epochs": epochs, "save_every": epochs, "sample_every": epochs, "seed": self.settings.seed}
        return {**run, "image_size": plan.image_size, **loop, **own, **self.common}

    def _vae(self, epochs: int) -> dict[str, Any]:
        return self._training(self.plan.vae, "vae_models", epochs)

    def _diffusion(self, epochs: int) -> dict[str, Any]:
        return {"vae_checkpoint": self.vae, **self._training(self.plan.diffusion, "diffusion_models", epochs)}

    def _train_vae(self) -> dict[str, Any]:
        trial = composed(VaeTrainSettings, self._vae(1))
        network = vae_train.build(trial.autoencoder, self.plan.image_size).to(self.device)
        task = VaeTask(network, kl_weight=trial.autoencoder.kl_weight)
        size = (trial.loop.batch_size, 3, self.plan.image_size, self.plan.image_size)
        step_s = pace(task, torch.randn(size, device=self.device))
        seconds = (self._left() - ENDING_S) * AUTOENCODER_SHARE
        epochs = self._epochs(self.plan.vae_epochs, seconds, step_s, trial)
        return vae_train.train(*self._aside("vae train", VaeTrainSettings, self._vae(epochs)))

    def _train_diffusion(self) -> dict[str, Any]:
        trial = composed(DiffusionTrainSettings, self._diffusion(1))
        widths = vae_train.build(composed(VaeTrainSettings, self._vae(1)).autoencoder, self.plan.image_size)
        shape = widths.latent_shape(self.plan.image_size)
        network = diffusion_train.build(trial.denoiser, shape).to(self.device)
        table = alphas_cumprod(trial.denoiser.schedule, trial.denoiser.timesteps)
        zero, one = (torch.full((), value, device=self.device) for value in (0.0, 1.0))
        task = DiffusionTask(network, alphas_cumprod=table, mean=zero, std=one, prediction=trial.denoiser.prediction)
        step_s = pace(task, torch.zeros(trial.loop.batch_size, 2, *shape, device=self.device))
        epochs = self._epochs(self.plan.diffusion_epochs, self._left() - ENDING_S, step_s, trial)
        return diffusion_train.train(*self._aside("diffusion train", DiffusionTrainSettings, self._diffusion(epochs)))

    def _left(self) -> float:
        return 60 * self.settings.minutes - (time.monotonic() - self.began)

    def _epochs(
        self, planned: int, seconds: float, step_s: float, trial: VaeTrainSettings | DiffusionTrainSettings
    ) -> int:
        """As many of the ``planned`` epochs as fit into ``seconds``, at least one."""
        images = self.plan.scenes - round(self.plan.scenes * trial.data.val_fraction)
        epoch_s = OVERHEAD * step_s * -(-images // trial.loop.batch_size)
        epochs = max(1, min(planned, int(seconds / epoch_s)))
        self.show.say(f"    {epochs} epochs of about {epoch_s:.1f} s" + f" instead of {planned}" * (epochs < planned))
        return epochs

    def _draw(self) -> None:
        options = {
            "diffusion_checkpoint": self.denoiser, "vae_checkpoint": self.vae, "num_images": self.plan.images,
            "ddim_steps": self.plan.ddim_steps, "seed": self.settings.seed, "output": self.output / demo_report.SAMPLES,
        }  # fmt: skip
        sample_images.draw(*self._aside("sample", SampleSettings, {**options, **self.common}))

    def _evaluate(self) -> dict[str, Any]:
        on = {"checkpoint": self.vae, "data_dir": str(self.output / "unseen"), **self.common}
        pictures = {"num_images": 8, "output": self.output / demo_report.RECONSTRUCTIONS}
        vae_reconstruct.reconstruct(*self._aside("vae reconstruct", VaeReconstructSettings, {**on, **pictures}))
        return vae_evaluate.evaluate(*self._aside("vae evaluate", VaeEvaluateSettings, on))


def pace(task: Task, batch: torch.Tensor) -> float:
    """Seconds of a training step of ``task``: the mean of a few after one that warms up."""
    taken = []
    for _ in range(1 + TIMED_STEPS):
        began = time.monotonic()
        loss = next(task.step(batch, StepContext())).loss
        loss.backward()
        loss.item()
        taken.append(time.monotonic() - began)
    return sum(taken[1:]) / TIMED_STEPS
