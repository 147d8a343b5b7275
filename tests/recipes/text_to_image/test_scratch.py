"""A model trained from scratch: its parts, its resume, and that the library loads it."""

from __future__ import annotations

import shutil

import pytest
import torch

from rsforge.engine import checkpoint
from rsforge.noise.schedules import table_of
from rsforge.recipes.pretrained.load import load_pretrained
from rsforge.recipes.text_to_image import captioned_images
from rsforge.recipes.text_to_image.load import load_model
from rsforge.recipes.text_to_image.scratch import describe_tokenizer, fold, make_noise, stored_tokenizer
from rsforge.recipes.vae.load import load_autoencoder
from tests.worlds.captioned_folder import SCRATCH
from tests.worlds.commands import rsforge
from tests.worlds.stable_diffusion import draw_theirs, load_pipeline


def test_all_but_the_autoencoder_is_trained_together(scratch_run):
    first, last = (checkpoint.load(scratch_run / name) for name in ("checkpoint-2.pt", "checkpoint-4.pt"))
    assert set(last["nets"]) == {"denoiser", "text_encoder"} == set(last["architecture"])
    for name in last["nets"]:
        assert checkpoint.digest_weights(first["nets"][name]) != checkpoint.digest_weights(last["nets"][name])
    assert set(last["partners"]) == {"vae"} and (scratch_run / "autoencoder" / "best_model.pt").is_file()
    assert {key.split(".")[0] for key in last["parts"]["ema"]["shadow"]} == {"denoiser", "text_encoder"}


def test_the_text_tower_learns_at_its_own_rate(scratch_run):
    state = checkpoint.load(scratch_run / "checkpoint-2.pt")
    rates = sorted({group["lr"] for group in state["parts"]["optimizer/denoiser"]["param_groups"]})
    factor = state["settings"]["text"]["learning_rate_factor"]
    assert len(rates) == 2 and factor < 0.5 and rates[0] / rates[1] == pytest.approx(factor)


def test_latents_have_mean_0_and_deviation_1_together(scratch_run):
    path = scratch_run / "autoencoder" / "best_model.pt"
    measured = checkpoint.load(path)["parts"]["own/latents"]
    assert float((measured["std"] - 1).abs().max()) > 0.01  # else nothing would be shown
    network, loaded = load_autoencoder(path, torch.device("cpu"))
    x = torch.rand(4, 3, 16, 16) * 2 - 1
    (before, _), (after, _) = network.encode(x), fold(network, loaded, where="").encode(x)
    mean, scale = measured["mean"].view(-1, 1, 1), measured["std"].square().mean().sqrt()
    torch.testing.assert_close(after, (before - mean) / scale, rtol=1e-4, atol=1e-4)
    state = checkpoint.load(scratch_run / "best_model.pt")
    assert not state["latent_mean"].any() and torch.equal(state["latent_std"], torch.ones(4, 1, 1))


def test_images_are_read_once_for_both_trainings(text_world, scratch_run, tmp_path, monkeypatch):
    reads, scan = [], captioned_images.scan
    monkeypatch.setattr(captioned_images, "scan", lambda *args, **more: reads.append(args) or scan(*args, **more))
    shutil.copytree(scratch_run / "autoencoder", tmp_path / "run" / "autoencoder")
    assert rsforge(SCRATCH + "--max-train-steps 1", text_world.images, tmp_path / "run") == 0
    assert len(reads) == 1


def test_a_resumed_run_is_one_never_interrupted(text_world, scratch_run, tmp_path):
    again = tmp_path / "run"
    shutil.copytree(scratch_run / "autoencoder", again / "autoencoder")
    for name in ("checkpoint-2.pt", "journal.jsonl"):
        shutil.copy(scratch_run / name, again)
    assert rsforge(SCRATCH + "--resume", text_world.images, again) == 0
    states = [checkpoint.load(run / "latest_model.pt") for run in (scratch_run, again)]
    digests = [checkpoint.digest_weights({key: one[key] for key in ("nets", "parts")}) for one in states]
    assert digests[0] == digests[1]
    assert (scratch_run / "journal.jsonl").read_bytes() == (again / "journal.jsonl").read_bytes()


def test_a_plan_counts_what_would_be_trained_and_says_that_it_is_from_scratch(
    memory_plan, text_world, tmp_path, capsys
):
    line = SCRATCH.replace("--quiet", "--dry-run")
    assert rsforge(line, text_world.images, tmp_path / "run") == 0
    told = capsys.readouterr()
    assert "from scratch: no --pretrained-model" in told.err and "cannot be estimated" not in told.err
    assert not (tmp_path / "run").exists()


def test_the_library_draws_the_same_images(scratch_run):
    pytest.importorskip("diffusers")
    pytest.importorskip("transformers")
    model, noise = load_model(scratch_run / "best_model.pt"), torch.zeros(1, 4, 8, 8)
    pipeline = model.pipeline()
    theirs = draw_theirs(load_pipeline(scratch_run), noise, ["a river"], steps=2, guidance_scale=2.0)
    x_t = noise.clone()
    from rsforge.recipes.diffusion import pipeline as drawing

    class Given:
        def __init__(self, seed, indices): ...

        def draw(self, like):
            return x_t

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drawing, "SeededNoise", Given)
        ours = pipeline.draw([0], pipeline.walk("ddim", 2), seed=0, guide=model.guide(["a river"], 2.0))
    assert (ours - theirs).abs().max() < 1e-3


def test_noise_ends_in_nothing_but_noise_where_v_is_predicted():
    assert float(table_of(make_noise("v").schedule)[-1]) == 0 and make_noise("v").prediction == "v"
    assert float(table_of(make_noise("eps").schedule)[-1]) > 1e-3


def test_the_tokenizer_of_a_checkpoint_reads_as_the_one_that_was_learnt(scratch_run):
    tokenizer = load_pretrained(scratch_run).tokenizer
    again = stored_tokenizer(describe_tokenizer(tokenizer), where="x")
    texts = ["a river and trees", "Ungewöhnliches ☃"]
    assert torch.equal(again.encode(texts), tokenizer.encode(texts)) and len(tokenizer.merges) > 5


def test_a_size_that_the_autoencoder_cannot_take_names_options_of_this_command(text_world, tmp_path, capsys):
    line = f"{SCRATCH} --image-size 35 --dry-run"
    assert rsforge(line, text_world.images, tmp_path / "run") == 2
    told = capsys.readouterr().err
    assert "--vae-channels" in told and " --channels" not in told
