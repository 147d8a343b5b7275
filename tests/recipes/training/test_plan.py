from __future__ import annotations

import json

import torch
from torch import nn

from rsforge.engine.cadence import Cadence
from rsforge.recipes.training.plan import _times, count_frozen
from tests.worlds.commands import DIFFUSION, VAE, rsforge


def test_what_is_trained_and_what_is_frozen_are_counted_apart(job, tmp_path, capsys):
    """A denoiser's plan: its own parameters, and those of the autoencoder whose latents it learns."""
    line = "diffusion train --vae {} --data-dir {} --output-dir {} --dry-run --json "
    assert rsforge(line + DIFFUSION, job.vae / "best_model.pt", job.tiles, tmp_path / "run") == 0
    plan = json.loads(capsys.readouterr().out)["plan"]
    saved = {
        name: torch.load(path / "best_model.pt", weights_only=True)
        for name, path in (("v", job.vae), ("d", job.diffusion))
    }
    trained = [p for name, p in saved["d"]["parts"]["ema"]["shadow"].items()]
    assert plan["parameters"] == sum(p.numel() for p in trained)
    buffers = ("running_mean", "running_var", "num_batches_tracked")
    frozen = {k: v for k, v in saved["v"]["nets"]["autoencoder"].items() if not k.endswith(buffers)}
    assert plan["frozen_parameters"] == sum(p.numel() for p in frozen.values())
    assert not (tmp_path / "run").exists()


def test_parameters_that_a_frozen_network_shares_with_the_trained_one_count_once():
    base, head = nn.Linear(2, 2), nn.Linear(2, 1)
    both = nn.Sequential(base, head)
    assert count_frozen([both], {id(p) for p in head.parameters()}) == 6


def test_a_goal_inside_a_period_adds_the_checkpoint_of_the_end():
    assert [_times(Cadence(steps=4), goal, 3) for goal in (3, 4, 5)] == [1, 1, 2]
    assert _times(Cadence(epochs=2), 13, 3) == 3 and _times(Cadence(), 13, 3) == 0


def test_a_plan_in_steps_says_so(job, tmp_path, capsys):
    line = "vae train --data-dir {} --output-dir {} --max-train-steps 7 --dry-run --json "
    assert rsforge(line + VAE, job.tiles, tmp_path / "run") == 0
    assert json.loads(capsys.readouterr().out)["plan"]["steps"] == 7
