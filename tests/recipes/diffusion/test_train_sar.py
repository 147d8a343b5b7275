"""``diffusion train-sar``: what a run writes and learns from, its exact resume, the faults of its document."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from rsforge.engine import checkpoint
from rsforge.engine.distributed import SingleProcess
from rsforge.recipes.diffusion import train_sar
from rsforge.recipes.diffusion.load_sar import ModelFiles, load_sar_model
from rsforge.recipes.diffusion.sar_networks import build_unet
from rsforge.recipes.diffusion.sar_pipeline import Request
from rsforge.recipes.training.job import Compute
from rsforge.settings.diffusion_sar import SarTrainSettings, SarUNetSettings
from tests.worlds.commands import rsforge
from tests.worlds.consoles import RecordingConsole
from tests.worlds.sar_diffusion import LINE, write_text_encoder

CPU = torch.device("cpu")
VAE = "--vae {} "


def settings_of(world, path="best_model.pt"):
    stored = checkpoint.load_metadata(world.model / path)["settings"]
    return SarTrainSettings.model_validate(stored)


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


def test_trap_01_the_target_is_the_optical_image_and_the_condition_the_sar_one(sar_world):
    settings = settings_of(sar_world)
    data = train_sar.open_data(settings, Compute(CPU, SingleProcess()), RecordingConsole())
    sar, optical = data.data.pairs.plain[0, 0]
    latents, encoder = data.latents, data.data.autoencoder
    batch = {name: value[None] for name, value in latents.train[0, 0].items()}
    mean, _ = encoder.encode(optical[None])
    assert torch.allclose(latents.moments_of(batch)[:, 0], mean, atol=1e-5)
    mean, _ = encoder.encode(sar.expand(3, -1, -1)[None])
    assert torch.allclose(latents.sar_of(batch), mean, atol=1e-5)


def test_stored_latents_are_those_encoded_at_each_step(sar_world):
    settings, console = settings_of(sar_world), RecordingConsole()
    compute = Compute(CPU, SingleProcess())
    fresh = train_sar.open_data(settings, compute, console)
    stored = train_sar.store_latents(settings, fresh, compute, console).latents
    for index in (0, 5):
        one, other = ({n: v[None] for n, v in part.train[0, index].items()} for part in (fresh.latents, stored))
        assert torch.allclose(fresh.latents.moments_of(one), stored.moments_of(other), atol=1e-5)
        assert torch.allclose(fresh.latents.sar_of(one), stored.sar_of(other), atol=1e-5)
        assert torch.equal(one["tokens"], other["tokens"])


@pytest.mark.parametrize("extra", ["", "--adversarial-weight 0.1 --prediction v"])
def test_a_resumed_run_is_one_never_interrupted(sar_world, tmp_path, extra):
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


def test_trap_06_what_is_drawn_from_the_checkpoints_is_what_training_draws(sar_world, tmp_path, monkeypatch):
    drawn = {}

    def keep(settings, pipeline, data, moment):
        sar = torch.stack([data.pairs.held_out[0, index][0] for index in (0, 1)])
        request = Request(sar, data.prompts[1][:2], guidance_scale=2.0, strength=0.8)
        walk = pipeline.latents.walk(num_steps=4)
        drawn[str(moment)] = (request, walk, pipeline.draw(request, [0, 1], walk, seed=5))
        return {}

    monkeypatch.setattr(train_sar, "preview", keep)
    vae = sar_world.model / "autoencoder" / "best_model.pt"
    line = LINE + VAE + "--epochs 1 --sample-every 1"
    assert rsforge(line, sar_world.pairs, sar_world.clip, tmp_path / "run", vae) == 0
    model = load_sar_model(ModelFiles(tmp_path / "run" / "latest_model.pt"), CPU, averaged=True)
    ((request, walk, image),) = drawn.values()
    assert torch.equal(model.pipeline.draw(request, [0, 1], walk, seed=5), image)


def test_trap_07_the_sar_image_steers_what_is_drawn_from_noise(sar_world):
    model = load_sar_model(ModelFiles(sar_world.model / "best_model.pt"), CPU, averaged=True)
    walk = model.pipeline.latents.walk(num_steps=3)
    images = [
        model.pipeline.draw(Request(torch.full((1, 1, 32, 32), level), [""]), [0], walk, seed=1)
        for level in (-0.5, 0.5)
    ]
    assert not torch.allclose(images[0], images[1])


def test_an_autoencoder_that_was_trained_before_is_not_trained_again(sar_world, tmp_path, capsys):
    shutil.copytree(sar_world.model / "autoencoder", tmp_path / "run" / "autoencoder")
    before = (tmp_path / "run" / "autoencoder" / "best_model.pt").read_bytes()
    assert rsforge(LINE + "--epochs 1", sar_world.pairs, sar_world.clip, tmp_path / "run") == 0
    assert "finished   already" in capsys.readouterr().err
    assert (tmp_path / "run" / "autoencoder" / "best_model.pt").read_bytes() == before


def test_the_autoencoder_learns_from_training_pairs_alone_and_from_both_modalities(sar_world):
    states = [checkpoint.load(sar_world.model / name) for name in ("autoencoder/best_model.pt", "best_model.pt")]
    for side in ("train", "held_out"):
        assert states[0]["images"][side] == 2 * states[1]["images"][side]


def test_a_run_that_is_in_the_way_is_said_before_an_autoencoder_is_trained(sar_world, tmp_path, capsys):
    (tmp_path / "latest_model.pt").write_bytes(b"mine")
    assert rsforge(LINE, sar_world.pairs, sar_world.clip, tmp_path) == 2
    assert "RSF-U004" in capsys.readouterr().err and not (tmp_path / "autoencoder").exists()


def test_a_plan_trains_nothing_and_counts_both_networks(sar_world, tmp_path, capsys):
    assert rsforge(LINE + "--dry-run --json", sar_world.pairs, sar_world.clip, tmp_path / "run") == 0
    plan = json.loads(capsys.readouterr().out)["plan"]
    assert plan["training_images"] == 12 and plan["frozen_parameters"] > 0 and not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("--rotate-deg 10", "--rotate-deg"),
        ("--hue 0.05 --brightness 0.1", "--brightness, --hue"),
        ("--flip 0.3", "--flip"),
        ("--unet-attention-levels 4", "levels 1, 2"),
        ("--unet-context-dim 768", "tokens of width 16"),
        ("--prompt-template {wheather}", "known columns"),
        ("--clip-num-heads 12", "num_heads 12, not 2"),
    ],
)
def test_what_does_not_go_together_is_refused_by_name(sar_world, tmp_path, capsys, words, named):
    line = f"{LINE} {words.replace('{wheather}', '{{}}')} --dry-run"
    paths = [sar_world.pairs, sar_world.clip, tmp_path / "run"]
    if "prompt" in words:
        line, paths = line.replace("{{}}", "{}"), [*paths, "{wheather}"]
    assert rsforge(line, *paths) in (2, 4)
    assert named in capsys.readouterr().err


def test_augmentation_trains_without_stored_latents(sar_world, tmp_path):
    line = LINE + VAE + "--epochs 1 --no-latent-cache --rotate-deg 10 --hue 0.05 --noise 0.01 --flip 0.5"
    vae = sar_world.model / "autoencoder" / "best_model.pt"
    assert rsforge(line, sar_world.pairs, sar_world.clip, tmp_path / "run", vae) == 0
    assert not (tmp_path / "run" / "latent_cache").exists()


def test_another_text_encoder_does_not_go_on_with_the_run(sar_world, tmp_path, capsys):
    run = tmp_path / "run"
    shutil.copytree(sar_world.model, run)
    write_text_encoder(tmp_path / "other.pt", seed=1)
    vae = run / "autoencoder" / "best_model.pt"
    line = LINE + VAE + "--epochs 3 --save-every 1 --sample-every 1 --resume"
    assert rsforge(line, sar_world.pairs, tmp_path / "other.pt", run, vae) == 4
    assert "RSF-C006" in capsys.readouterr().err


def test_the_grid_shows_sar_generated_and_optical(sar_world):
    picture = np.asarray(Image.open(sar_world.model / "samples" / "epoch_2.png").convert("RGB"))
    assert picture.shape[0] > 4 * 32 and picture.std() > 0


def test_the_documents_unet_has_the_size_of_stable_diffusions_with_eight_channels():
    with torch.device("meta"):
        unet = build_unet(SarUNetSettings(), 4, 768)
    assert sum(p.numel() for p in unet.parameters()) == 859_532_484


def test_attention_stands_at_the_levels_that_are_named():
    with torch.device("meta"):
        unet = build_unet(SarUNetSettings(channels=(32, 32, 32), attention_levels=(4,)), 4, 16)
    assert [bool(stage.attentions) for stage in unet.down_blocks] == [False, False, True]


def test_what_cannot_be_trained_is_refused_before_an_autoencoder_is_replaced(sar_world, tmp_path, capsys):
    run = tmp_path / "run"
    shutil.copytree(sar_world.model, run)
    before = (run / "autoencoder" / "best_model.pt").read_bytes()
    for words in ("--rotate-deg 10", "--unet-num-heads 3"):
        assert rsforge(f"{LINE} --overwrite {words}", sar_world.pairs, sar_world.clip, run) == 2
    assert (run / "autoencoder" / "best_model.pt").read_bytes() == before
    assert (run / "latest_model.pt").is_file()


def test_a_folder_of_pairs_is_named_by_the_commands_of_single_images(sar_world, job, tmp_path, capsys):
    line = "diffusion train --vae {} --data-dir {} --output-dir {} --dry-run"
    assert rsforge(line, job.vae / "best_model.pt", sar_world.pairs, tmp_path / "run") == 2
    assert "rsforge diffusion train-sar" in capsys.readouterr().err
    line = "vae train --data-dir {} --output-dir {} --dry-run"
    assert rsforge(line, sar_world.pairs, tmp_path / "run") == 0
    assert "SAR and optical images are trained on alike" in capsys.readouterr().err
