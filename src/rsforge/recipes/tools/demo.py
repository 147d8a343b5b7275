"""``rsforge demo``: all steps from synthetic scenes to a report, through the recipes that users call."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import torch
from pydantic import BaseModel

from rsforge import durable
from rsforge.data.synthetic.tile_dataset import write_tiles
from rsforge.engine import devices
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console, StageConsole
from rsforge.recipes.cyclegan import train as cyclegan_train
from rsforge.recipes.diffusion import train as diffusion_train
from rsforge.recipes.html.page import Stage
from rsforge.recipes.sample import images as sample_images
from rsforge.recipes.tools import demo_report
from rsforge.recipes.tools.demo_console import command_line, compose_settings, open_stage
from rsforge.recipes.tools.demo_figures import collect_figures, save_strip
from rsforge.recipes.tools.demo_options import DemoOptions, Options, Plan
from rsforge.recipes.tools.demo_timing import (
    ENDING_STEPS,
    choose_scenes,
    choose_steps,
    choose_threads,
    keep_threads,
    time_diffusion_step,
    time_translator_step,
    time_vae_step,
)
from rsforge.recipes.training import output_dir
from rsforge.recipes.vae import evaluate as vae_evaluate
from rsforge.recipes.vae import reconstruct as vae_reconstruct
from rsforge.recipes.vae import train as vae_train
from rsforge.seeds import derive
from rsforge.settings.cyclegan import CycleGanTrainSettings
from rsforge.settings.diffusion import DiffusionTrainSettings
from rsforge.settings.sample import SampleSettings
from rsforge.settings.tools import DemoSettings
from rsforge.settings.vae import VaeEvaluateSettings, VaeReconstructSettings, VaeTrainSettings

S = TypeVar("S", bound=BaseModel)

STAGES = ("scenes", "autoencoder", "diffusion", "samples", "report")
TRANSLATOR = "translator"
OWN = (
    "tiles", "unseen", "vae_models", "diffusion_models", "cyclegan_models", "samples_individual", *demo_report.FILES,
)  # fmt: skip
"""The files and folders that the demo writes."""
INTERRUPTED = ("RSF-I130", "RSF-I143")
TRANSLATOR_SHARE = 0.4  # of the whole time, where one is trained
AUTOENCODER_SHARE = 0.45  # of the time that is left when its training begins


def run(settings: DemoSettings, console: Console, plan: Plan | None = None) -> dict[str, Any]:
    """Generate scenes, train both models, sample and evaluate; returns the figures and the path of the report."""
    demo = Demo(settings, console, plan or Plan())
    demo.check_folder()
    if console.dry_run:
        return demo.describe_plan()
    output_dir.make(settings.output_dir)
    with durable.lock_folder(settings.output_dir), keep_threads():
        return demo.run_stages()


class Demo:
    """One run of the demo: its folder, its start, and the stages so far."""

    def __init__(self, settings: DemoSettings, console: Console, plan: Plan) -> None:
        self.settings = settings
        self.console = console
        self.plan = plan = plan.extend(settings.minutes)
        self.output = settings.output_dir
        self.began = time.monotonic()
        self.names = (*STAGES[:-1], TRANSLATOR, STAGES[-1]) if settings.translator else STAGES
        self.vae_step_s = 0.0
        self.stages: list[Stage] = []
        self.calls: list[tuple[StageConsole, BaseModel]] = []
        self.device = devices.choose(settings.device)
        self.threads = torch.get_num_threads() if self.device.type == "cpu" else 1
        self.options = DemoOptions(settings, plan)

    def check_folder(self) -> None:
        """RSF-U004 when the folder holds anything and may not be overwritten."""
        if not self.output.is_dir() or self.settings.overwrite:
            return
        present = sorted(path.name for path in self.output.iterdir() if path.name != durable.LOCK)
        if present:
            what = f"the output folder {self.output} is not empty"
            found = ", ".join(present[:4])
            fix = "replace it with --overwrite, or name another --output-dir"
            raise RsforgeError("RSF-U004", what, where="--output-dir", found=found, fix=fix)

    def describe_plan(self) -> dict[str, Any]:
        """What would be done, with the command line of each training."""
        plan = self.plan
        return {
            "output_dir": str(self.output),
            "scenes": plan.scenes,
            "image_size": plan.image_size,
            "autoencoder": command_line("vae train", self.options.vae(plan.vae_steps)),
            "diffusion": command_line("diffusion train", self.options.diffusion(plan.diffusion_steps)),
            "images": plan.images,
            "minutes_at_most": self.settings.minutes,
            "device": str(self.device),
        }

    def run_stages(self) -> dict[str, Any]:
        """Replace the files of an earlier demo, run the five stages and write the report."""
        for name in OWN:
            path = self.output / name
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        self.console.say(f"rsforge demo: about {self.settings.minutes:g} minutes at most, into {self.output}")
        with self._stage("scenes"):
            self._write_scenes()
        with self._stage("autoencoder"):
            steps = {"autoencoder": self._train_vae()["steps"]}
        with self._stage("diffusion"):
            steps["diffusion"] = self._train_diffusion()["steps"]
        with self._stage("samples"):
            self._draw_samples()
        if self.settings.translator:
            with self._stage(TRANSLATOR):
                steps[TRANSLATOR] = self._train_translator()["steps"]
        with self._stage("report"):
            evaluated = self._evaluate()
            generators = self.options.generators if self.settings.translator else None
            save_strip(self.output, generators=generators, seed=self.settings.seed)
            figures = collect_figures(self.output, evaluated) | {"steps": steps, "planned_steps": self._planned_steps()}
        seconds = round(time.monotonic() - self.began, 1)
        demo_report.write_report(self.output, figures, self.stages, self.settings, self.console, seconds=seconds)
        self.console.say(f"done       open {self.output / demo_report.REPORT} in a browser")
        return {
            "report": str(self.output / demo_report.REPORT),
            "output_dir": str(self.output),
            "seconds": seconds,
            "stages": {name: stage.seconds for name, stage in zip(self.names, self.stages, strict=True)},
            **figures,
        }

    @contextlib.contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        """Report a stage, and collect its duration and the recipes that it calls."""
        self.console.say(f"{self.names.index(name) + 1}/{len(self.names)} {name}")
        began = time.monotonic()
        self.calls = []
        try:
            yield
        except RsforgeError as error:
            if error.code in INTERRUPTED:
                error.fix = f"{error.fix} for this stage alone; {self._command_again()} for the whole demo"
            raise
        self.stages.append(demo_report.make_stage(name, time.monotonic() - began, self.calls))

    def _command_again(self) -> str:
        command = self.console.command
        return command if "--overwrite" in command else f"{command} --overwrite"

    def _prepare_call(self, path: str, model: type[S], options: Options) -> tuple[S, StageConsole]:
        """The settings and the console for a recipe, which are kept for the report."""
        settings = compose_settings(model, options)
        console = open_stage(self.console, path, options, settings)
        self.calls.append((console, settings))
        return settings, console

    def _write_scenes(self) -> None:
        self.vae_step_s = self._time_step(time_vae_step)
        scenes = choose_scenes(self.plan.scenes, 60 * self.settings.minutes, self.vae_step_s, self.console)
        self.plan = plan = replace(self.plan, scenes=scenes, unseen=min(self.plan.unseen, scenes))
        seed = self.settings.seed
        for name, count, own_seed in (("tiles", plan.scenes, seed), ("unseen", plan.unseen, derive(seed, "unseen"))):
            write_tiles(self.output / name, count, plan.image_size, own_seed, close_up=True)
            self.console.say(f"    {count} scenes of {plan.image_size} pixels in {self.output / name}")

    def _train_vae(self) -> dict[str, Any]:
        seconds = (self._seconds_left() - ENDING_STEPS * self.vae_step_s) * AUTOENCODER_SHARE
        steps = choose_steps(self.plan.vae_steps, seconds, self.vae_step_s, self.console)
        settings, console = self._prepare_call("vae train", VaeTrainSettings, self.options.vae(steps))
        return vae_train.train(settings, console)

    def _train_diffusion(self) -> dict[str, Any]:
        step_s = self._time_step(time_diffusion_step)
        seconds = self._seconds_left() - ENDING_STEPS * self.vae_step_s
        steps = choose_steps(self.plan.diffusion_steps, seconds, step_s, self.console)
        options = self.options.diffusion(steps)
        settings, console = self._prepare_call("diffusion train", DiffusionTrainSettings, options)
        return diffusion_train.train(settings, console)

    def _time_step(self, measure: Callable[[DemoOptions, torch.device], float]) -> float:
        return choose_threads(partial(measure, self.options, self.device), self.threads, self.console)

    def _planned_steps(self) -> dict[str, int]:
        planned = {"autoencoder": self.plan.vae_steps, "diffusion": self.plan.diffusion_steps}
        return planned | ({TRANSLATOR: self.plan.translator_steps} if self.settings.translator else {})

    def _seconds_left(self) -> float:
        """Of what all stages but the translator have."""
        share = 1 - TRANSLATOR_SHARE * self.settings.translator
        return 60 * self.settings.minutes * share - (time.monotonic() - self.began)

    def _train_translator(self) -> dict[str, Any]:
        step_s = self._time_step(time_translator_step)
        seconds = 60 * self.settings.minutes - (time.monotonic() - self.began) - ENDING_STEPS * self.vae_step_s
        steps = choose_steps(self.plan.translator_steps, seconds, step_s, self.console)
        options = self.options.translator(steps)
        settings, console = self._prepare_call("cyclegan train", CycleGanTrainSettings, options)
        return cyclegan_train.train(settings, console)

    def _draw_samples(self) -> None:
        settings, console = self._prepare_call("sample", SampleSettings, self.options.sample())
        sample_images.draw(settings, console)

    def _evaluate(self) -> dict[str, Any]:
        settings, console = self._prepare_call("vae reconstruct", VaeReconstructSettings, self.options.reconstruct())
        vae_reconstruct.reconstruct(settings, console)
        evaluate_settings, console = self._prepare_call("vae evaluate", VaeEvaluateSettings, self.options.evaluate())
        return vae_evaluate.evaluate(evaluate_settings, console)
