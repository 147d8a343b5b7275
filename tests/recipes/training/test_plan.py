from __future__ import annotations

import json

import pytest
import torch
from torch import nn

from rsforge.engine.cadence import Cadence
from rsforge.recipes.evaluation.baselines import fit_baselines, fitted_bytes
from rsforge.recipes.training import plan
from rsforge.recipes.training.plan import Undrawn, _times, count_frozen
from tests.worlds.commands import DIFFUSION, VAE, rsforge


class Noise:
    """Images of one shape, each from its own seed."""

    def __init__(self, count, shape):
        self.count, self.shape = count, shape

    def __len__(self):
        return self.count

    def __getitem__(self, key):
        return torch.rand(self.shape, generator=torch.Generator().manual_seed(key[1])) * 2 - 1


def test_what_is_trained_and_what_is_frozen_are_counted_apart(memory_plan, job, tmp_path, capsys):
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
    assert plan["step_memory_mib"] >= plan["weights_and_optimizer_mib"]
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


def test_the_memory_of_many_micro_batches_follows_from_three():
    asked = []

    def estimate(micros):
        asked.append(len(micros))
        return 100 + 7 * len(micros) + (len(micros) > 1)

    assert [plan._estimate(estimate, range(count)) for count in (1, 4, 9)] == [107, 129, 164]
    assert asked == [1, 4, 2, 3]


def test_a_step_that_cannot_be_planned_is_said(memory_plan, job, tmp_path, monkeypatch, capsys):
    def fail(*given, **named):
        raise NotImplementedError("an operation without a plan\nand more")

    monkeypatch.setattr(plan, "estimate_step", fail)
    assert (
        rsforge(f"vae train --data-dir {{}} --output-dir {{}} --dry-run --json {VAE}", job.tiles, tmp_path / "run") == 0
    )
    ran = capsys.readouterr()
    assert json.loads(ran.out)["plan"]["step_memory_mib"] is None
    assert "the memory of a step cannot be estimated: NotImplementedError: an operation without a plan\n" in ran.err


def test_a_plan_in_steps_says_so(job, tmp_path, capsys):
    line = "vae train --data-dir {} --output-dir {} --max-train-steps 7 --dry-run --json "
    assert rsforge(line + VAE, job.tiles, tmp_path / "run") == 0
    assert json.loads(capsys.readouterr().out)["plan"]["steps"] == 7


def test_a_plan_counts_the_whole_checkpoint(memory_plan, job, tmp_path, capsys):
    """Weights, moments, and what is fitted to the training images, which may be the larger part."""
    line = (
        f"vae train --data-dir {{}} --output-dir {{}} --max-train-steps 1 --json {VAE} --channels 4,4 --latent-dim 64"
    )
    assert rsforge(line + " --dry-run", job.tiles, tmp_path / "run") == 0
    plan = json.loads(capsys.readouterr().out)["plan"]
    assert rsforge(line, job.tiles, tmp_path / "run") == 0
    written = (tmp_path / "run" / "latest_model.pt").stat().st_size
    assert plan["step_memory_mib"] > plan["weights_and_optimizer_mib"]
    assert plan["checkpoint_mib"] * 2**20 == pytest.approx(written, abs=100_000)


@pytest.mark.parametrize(
    ("image", "latent"), [((3, 8, 8), None), ((3, 8, 8), (5,)), ((1, 8, 8), (2, 4, 4)), ((3, 1024, 1024), (32,))]
)
def test_the_size_of_fitted_baselines(image, latent):
    fitted = fit_baselines(Noise(12, image), latent_shape=latent)
    tensors = [t for value in fitted.values() for t in (value.values() if isinstance(value, dict) else [value])]
    measured = sum(t.nbytes for t in tensors if isinstance(t, torch.Tensor))
    assert fitted_bytes(image, latent) == pytest.approx(measured, abs=20)


def test_a_plan_draws_no_weights_and_counts_them_all():
    torch.manual_seed(0)
    state = torch.get_rng_state()
    with Undrawn():
        planned = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Embedding(9, 4), nn.MultiheadAttention(8, 2))
        nn.init.normal_(planned[0].weight, 0.0, 0.02)
    assert torch.equal(torch.get_rng_state(), state)
    assert sum(p.numel() for p in planned.parameters()) == 8 * 27 + 8 + 2 * 8 + 9 * 4 + 4 * (8 * 8 + 8)
    assert planned[1].weight.tolist() == [1.0] * 8
