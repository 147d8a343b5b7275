"""``rsforge sample``: the sampler and its steps, typed or not, of models that predict noise or flow."""

from __future__ import annotations

import json

import pytest
import torch

from tests.worlds.commands import DIFFUSION, rsforge
from tests.worlds.sampling import break_images


def told(capfd, job, model, tmp_path, options=""):
    line = "sample --diffusion-checkpoint {} --vae {} --num-images 2 --seed 1 --output {} --json " + options
    code = rsforge(line, model, job.vae / "best_model.pt", tmp_path / "drawn.png")
    said = capfd.readouterr()
    return (json.loads(said.out) if code == 0 else said.err), code


@pytest.fixture(scope="module")
def flow(job, tmp_path_factory):
    folder = tmp_path_factory.mktemp("flow") / "models"
    line = "diffusion train --vae {} --image-dir {} --output-dir {} --epochs 2 --prediction flow --timestep-sampling "
    assert rsforge(line + f"logit_normal {DIFFUSION}", job.vae / "best_model.pt", job.tiles, folder) == 0
    return folder / "best_model.pt"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", ("ddpm", 40)), ("--ddim-steps 5", ("ddim", 5)), ("--num-inference-steps 5", ("ddim", 5)),
        ("--sampler dpm++", ("dpm++", 20)), ("--sampler euler --ddim-steps 3", ("euler", 3)),
        ("--sampler ddpm --ddim-steps 8", ("ddpm", 8)), ("--sampler ddim --eta 0.5", ("ddim", 40)),
    ],
)  # fmt: skip
def test_the_sampler_is_chosen_by_name_and_number(capfd, job, tmp_path, options, expected):
    result, code = told(capfd, job, job.diffusion / "best_model.pt", tmp_path, options)
    assert code == 0 and (result["sampler"], result["steps"]) == expected
    assert (tmp_path / "drawn.png").exists()


def test_a_flow_model_is_drawn_by_four_steps_of_euler(capfd, job, flow, tmp_path):
    result, _ = told(capfd, job, flow, tmp_path)
    assert (result["sampler"], result["steps"]) == ("euler", 4)
    state = torch.load(flow, weights_only=True)
    assert state["prediction"] == "flow" and state["timestep_sampling"] == "logit_normal"
    assert state["schedule"] == {
        "kind": "flow", "timesteps": 40, "zero_terminal_snr": False,
        "spacing": "trailing", "steps_offset": 0, "set_alpha_to_one": True,
    }  # fmt: skip


def test_the_noise_of_ddim_does_not_fit_another_sampler(capfd, job, tmp_path):
    said, code = told(capfd, job, job.diffusion / "best_model.pt", tmp_path, "--sampler dpm++ --eta 0.5")
    assert code == 2 and "--eta is the noise of --sampler ddim" in said


def test_more_steps_than_trained_are_refused(capfd, job, tmp_path):
    said, code = told(capfd, job, job.diffusion / "best_model.pt", tmp_path, "--sampler dpm++ --ddim-steps 41")
    assert code == 2 and "RSF-U005" in said and "1 to 40" in said


def test_images_of_one_colour_are_warned_of_and_those_without_numbers_refused(capfd, job, tmp_path, monkeypatch):
    line = "sample --diffusion-checkpoint {} --vae {} --num-images 2 --sampler euler --ddim-steps 2 --output {}"
    paths = job.diffusion / "best_model.pt", job.vae / "best_model.pt", tmp_path / "drawn.png"
    break_images(monkeypatch, -1.0)
    assert rsforge(line, *paths) == 0
    assert "2 images have one colour everywhere (image_000.png; image_001.png)" in capfd.readouterr().err
    before = paths[2].read_bytes()
    break_images(monkeypatch, torch.nan)
    assert rsforge(line, *paths) == 5
    assert "RSF-T004" in capfd.readouterr().err and paths[2].read_bytes() == before
