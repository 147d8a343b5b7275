"""``diffusion train-sar``: what a run writes and learns from, its exact resume, the faults of its document."""

from __future__ import annotations

import json
import shlex
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from rsforge.engine import checkpoint
from rsforge.engine.journal import read
from rsforge.recipes.datasets import pairs
from rsforge.recipes.diffusion import networks
from tests.worlds import warm_python
from tests.worlds.commands import command, rsforge
from tests.worlds.sar_diffusion import LINE
from tests.worlds.vgg16 import write_vgg16

CPU = torch.device("cpu")
VAE = "--vae {} "


def test_a_run_writes_what_the_document_names(sar_world):
    names = {path.name for path in sar_world.model.iterdir()}
    assert {"best_model.pt", "latest_model.pt", "model_epoch_1.pt", "model_epoch_2.pt", "samples"} <= names
    assert (sar_world.model / "autoencoder" / "best_model.pt").is_file()
    state = checkpoint.load(sar_world.model / "best_model.pt")
    assert state["kind"] == "diffusion-sar" and set(state["partners"]) == {"vae", "clip"}
    assert [item["name"] for item in state["conditioning"]["inputs"]] == ["text", "sar"]
    assert state["architecture"]["denoiser"]["in_channels"] == 8 and state["composite"] == "repeat"
    assert set(state["baselines"]) >= {"mean_image", "median_image"}
    assert (sar_world.model / "samples" / "epoch_1.png").is_file()


@pytest.mark.parametrize("extra", ["", "--adversarial-weight 0.1 --prediction v"])
def test_a_resumed_run_is_one_never_interrupted(sar_world, tmp_path, monkeypatch, extra):
    monkeypatch.setattr(networks, "CRITIC_WIDTH", 8)
    line = LINE + VAE + extra + " --save-every 1 --epochs 2"
    vae = sar_world.model / "autoencoder" / "best_model.pt"
    assert rsforge(line, sar_world.pairs, sar_world.clip, tmp_path / "straight", vae) == 0
    shutil.copytree(tmp_path / "straight", tmp_path / "resumed")
    for name in ("latest_model.pt", "best_model.pt", "model_epoch_2.pt"):
        (tmp_path / "resumed" / name).unlink()
    assert rsforge(line + " --resume", sar_world.pairs, sar_world.clip, tmp_path / "resumed", vae) == 0
    states = [checkpoint.load(tmp_path / name / "latest_model.pt") for name in ("straight", "resumed")]
    assert checkpoint.digest_weights(states[0]["nets"]["denoiser"]) == checkpoint.digest_weights(
        states[1]["nets"]["denoiser"]
    )
    assert ("critic" in states[0]["nets"]) is bool(extra)
    journals = [(tmp_path / name / "journal.jsonl").read_bytes() for name in ("straight", "resumed")]
    assert journals[0] == journals[1]


def test_pairs_are_read_once_for_both_trainings(sar_world, tmp_path, monkeypatch):
    reads, find = [], pairs.list_pairs
    monkeypatch.setattr(pairs, "list_pairs", lambda *args, **more: reads.append(args) or find(*args, **more))
    shutil.copytree(sar_world.model / "autoencoder", tmp_path / "run" / "autoencoder")
    assert rsforge(LINE + "--max-train-steps 1", sar_world.pairs, sar_world.clip, tmp_path / "run") == 0
    assert len(reads) == 1


def test_a_plan_trains_nothing_and_counts_both_networks(memory_plan, sar_world, tmp_path, capsys):
    assert rsforge(LINE + "--dry-run --json", sar_world.pairs, sar_world.clip, tmp_path / "run") == 0
    shown = capsys.readouterr()
    plan = json.loads(shown.out)["plan"]
    assert plan["training_images"] == 12 and plan["frozen_parameters"] > 0 and not (tmp_path / "run").exists()
    assert "the last of 20 timesteps of --schedule scaled_linear still holds 95%" in shown.err
    assert plan["step_memory_mib"] > plan["weights_and_optimizer_mib"]


def test_augmentation_trains_without_stored_latents(sar_world, tmp_path):
    line = LINE + VAE + "--epochs 1 --no-latent-cache --rotate-deg 10 --hue 0.05 --noise 0.01 --flip 0.5"
    vae = sar_world.model / "autoencoder" / "best_model.pt"
    assert rsforge(line, sar_world.pairs, sar_world.clip, tmp_path / "run", vae) == 0
    assert not (tmp_path / "run" / "latent_cache").exists()


def test_the_grid_shows_sar_generated_and_optical(sar_world):
    picture = np.asarray(Image.open(sar_world.model / "samples" / "epoch_2.png").convert("RGB"))
    assert picture.shape[0] > 4 * 32 and picture.std() > 0


def test_a_folder_of_pairs_is_named_by_the_commands_of_single_images(sar_world, job, tmp_path, capsys):
    line = "diffusion train --vae {} --data-dir {} --output-dir {} --dry-run"
    assert rsforge(line, job.vae / "best_model.pt", sar_world.pairs, tmp_path / "run") == 2
    assert "rsforge diffusion train-sar" in capsys.readouterr().err
    line = "vae train --data-dir {} --output-dir {} --dry-run"
    assert rsforge(line, sar_world.pairs, tmp_path / "run") == 0
    assert "SAR and optical images are trained on alike" in capsys.readouterr().err


@pytest.fixture(scope="module")
def vgg16(tmp_path_factory):
    return write_vgg16(tmp_path_factory.mktemp("vgg16"))


@pytest.mark.parametrize("distance", ["vgg16", "lpips"])
def test_a_perceptual_distance_of_decoded_images_is_trained_with(sar_world, vgg16, tmp_path, distance):
    line = LINE.replace("--batch-size 8", "--batch-size 2") + VAE
    line += "--max-train-steps 1 --log-every 1 --perceptual-weight 0.1 --vgg-weights {} "
    vae = sar_world.model / "autoencoder" / "best_model.pt"
    words = (sar_world.pairs, sar_world.clip, tmp_path / "run", vae, vgg16)
    assert rsforge(line + f"--perceptual-distance {distance} --gradient-checkpointing", *words) == 0
    row = read(tmp_path / "run" / "journal.jsonl")[0]
    assert row["loss_perceptual"] > 0
    assert row["loss"] == pytest.approx(row["loss_mse"] + 0.1 * row["loss_perceptual"], rel=1e-5)
    assert "vgg16" in checkpoint.load(tmp_path / "run" / "latest_model.pt")["partners"]


def test_the_ways_without_a_perceptual_distance_are_those_of_this_command(sar_world, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    line = LINE + VAE + "--max-train-steps 1 --perceptual-weight 0.1"
    vae = sar_world.model / "autoencoder" / "best_model.pt"
    assert rsforge(line, sar_world.pairs, sar_world.clip, tmp_path / "run", vae) == 6
    told = capsys.readouterr().err
    assert "RSF-E007" in told and "leave out --perceptual-weight" in told and "--no-perceptual" not in told


def test_two_processes_train_both_stages_and_resume_to_the_bit(sar_world, tmp_path):
    """The autoencoder first, by the same processes, and a critic, which has an optimizer of its own."""

    def spell(name: str, steps: int) -> str:
        line = LINE.replace("--batch-size 8", "--batch-size 4") + "--adversarial-weight 0.1 --log-every 1 "
        line += f"--max-train-steps {steps}"
        return shlex.join(command(line, sar_world.pairs, sar_world.clip, tmp_path / name))

    lines = [spell("whole", 3), spell("cut", 2), spell("cut", 3) + " --resume"]
    done = warm_python.run(["-m", "tests.worlds.two_processes", *lines])
    assert done.returncode == 0, done.stderr
    for name in ("autoencoder/latest_model.pt", "latest_model.pt"):
        whole, cut = (dict(checkpoint.tensors(checkpoint.load(tmp_path / run / name))) for run in ("whole", "cut"))
        assert whole.keys() == cut.keys() and all(torch.equal(whole[key], cut[key]) for key in whole)
    for group in ("denoiser", "critic"):
        assert any(key.startswith(f"/parts/optimizer/{group}/state") for key in whole)
    assert (tmp_path / "whole/journal.jsonl").read_bytes() == (tmp_path / "cut/journal.jsonl").read_bytes()
