"""Prompts of images that chose nothing, at the end of a training."""

from __future__ import annotations

from pathlib import Path

import torch

from rsforge.engine.distributed import SingleProcess
from rsforge.recipes.clip.judge import judge
from rsforge.recipes.clip.train import read_images
from rsforge.recipes.training.job import Compute
from rsforge.settings.base import RunSettings
from rsforge.settings.clip import ClipDataSettings, ClipTrainSettings, TextEncoderSettings
from tests.worlds.consoles import RecordingConsole

COMPUTE = Compute(torch.device("cpu"), SingleProcess())


def judged(dataset, path, **options) -> dict:
    data = ClipDataSettings(data_dir=str(dataset), image_size=32, test_fraction=0.2)
    settings = ClipTrainSettings(
        run=RunSettings(output_dir=Path("/nowhere")), data=data, encoder=TextEncoderSettings(**options)
    )
    sets = read_images(settings, COMPUTE, RecordingConsole())
    return judge(settings, sets, None, path, COMPUTE, RecordingConsole())


def test_prompts_are_placed_among_those_of_the_third_side(dataset, clip_run):
    told = judged(dataset, clip_run / "best_clip.pt")
    figures = told["judged"]["prompt_rank"]
    assert told["judged"]["side"] == "test" and figures["model"] >= 1
    assert {"chance", "most_frequent_prompt", "nearest_colour"} <= figures.keys()
    assert "that chose nothing" in told["verdict"]
