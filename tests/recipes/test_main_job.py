"""The document's three commands: their output trees, names, counts, seeds and resumption."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from rsforge.engine import checkpoint
from rsforge.engine.journal import read
from rsforge.recipes.datasets import image_folder
from tests.worlds.commands import DIFFUSION, DRAWS, VAE, rsforge


def pixels(path):
    return np.asarray(Image.open(path)).astype(int)


def names(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_the_autoencoder_leaves_the_documented_tree(job):
    found = names(job.vae)
    assert set(found) >= {
        "best_model.pt", "latest_model.pt", "checkpoint_0002.pt", "checkpoint_0004.pt", "training_losses.png",
        "journal.jsonl", "settings.json", "samples/samples_epoch_2.png", "samples/samples_epoch_4.png",
        "reconstructions/reconstruction_epoch_2.png", "reconstructions/reconstruction_epoch_4.png",
    }  # fmt: skip
    assert any("tensorboard/events" in name for name in found) and not any(".tmp-" in name for name in found)


def test_the_diffusion_model_leaves_the_documented_tree(job):
    assert set(names(job.diffusion)) >= {
        "best_model.pt", "latest_model.pt", "checkpoint_epoch_2.pt", "checkpoint_epoch_4.pt", "loss_history.png",
        "samples/epoch_2.png", "samples/epoch_4.png",
    }  # fmt: skip


def test_pictures_show_the_documented_images_enlarged(job):
    """16 pixels become 128, with 4 between them, and 22 for a title or for the names of rows."""
    side = 128 + 4
    assert pixels(job.vae / "samples/samples_epoch_4.png").shape == (4 * side + 26, 4 * side + 4, 3)
    assert pixels(job.diffusion / "samples/epoch_4.png").shape == (side + 26, 4 * side + 4, 3)
    held_out = json.loads((job.vae / "settings.json").read_text())["settings"]["data"]["val_fraction"] * 30
    shape = pixels(job.vae / "reconstructions/reconstruction_epoch_4.png").shape
    assert shape == (2 * side + 4, held_out * side + 26, 3)


def test_reconstructions_show_the_same_plain_held_out_images_every_time(job):
    """The originals in the first row are fixed: not shuffled, not augmented."""
    first, last = (pixels(job.vae / f"reconstructions/reconstruction_epoch_{n}.png") for n in (2, 4))
    assert (first[:132] == last[:132]).all() and (first[132:] != last[132:]).any()


def test_checkpoints_are_plain_data_and_rebuild_their_model_alone(job):
    state = torch.load(job.vae / "best_model.pt", weights_only=True)
    assert state["kind"] == "vae" and state["architecture"]["name"] == "vector_vae"
    assert set(state["nets"]) == {"autoencoder"}
    assert state["parts"]["own/latents"]["std"].shape == (8,) and (state["parts"]["own/latents"]["std"] > 0).all()
    state = torch.load(job.diffusion / "best_model.pt", weights_only=True)
    assert state["latent_shape"] == [8] and state["prediction"] == "eps" and state["schedule"]["timesteps"] == 40
    assert len(state["partners"]["vae"]["digest"]) == 64


def sampled(job, tmp_path, options, output="drawn.png"):
    line = f"sample --diffusion-checkpoint {{}} --vae-checkpoint {{}} --output {{}} {options}"
    code = rsforge(line, job.diffusion / "best_model.pt", job.vae / "best_model.pt", tmp_path / output)
    assert code == 0
    return tmp_path / output


@pytest.mark.parametrize(("count", "batch", "nrow"), [(20, 16, 4), (50, 8, 8), (3, 16, 4), (1, 1, 4)])
def test_exactly_the_images_asked_for_are_drawn(job, tmp_path, count, batch, nrow, capsys):
    path = sampled(job, tmp_path, f"--num-images {count} --batch-size {batch} --nrow {nrow} --ddim-steps 3 --json")
    assert json.loads(capsys.readouterr().out)["images"] == count
    columns, rows = min(nrow, count), -(-count // nrow)
    shape = (rows * 18 + 2, columns * 18 + 2, 3) if count > 1 else (16, 16, 3)
    assert pixels(path).shape == shape
    individual = tmp_path / "drawn_individual"
    assert individual.exists() == (count <= 16)
    if count <= 16:
        assert names(individual) == [f"image_{i:03d}.png" for i in range(count)]


def test_a_seed_gives_the_same_images_whatever_the_batch(job, tmp_path):
    for sampler in ("--ddim-steps 5", "--ddim-steps 5 --eta 1", ""):
        few = pixels(sampled(job, tmp_path, f"--num-images 3 --seed 5 --batch-size 2 {sampler}", "a.png"))
        many = pixels(sampled(job, tmp_path, f"--num-images 3 --seed 5 --batch-size 3 {sampler}", "b.png"))
        single = pixels(sampled(job, tmp_path, f"--num-images 3 --seed 5 --batch-size 1 {sampler}", "c.png"))
        # The same noise to the bit; matrix products of another batch size may round the last level.
        assert abs(few - many).max() <= 1 and abs(few - single).max() <= 1
    other = pixels(sampled(job, tmp_path, "--num-images 3 --seed 6 --ddim-steps 5", "d.png"))
    assert (abs(other - few) > 1).any()


def test_without_ddim_all_steps_are_taken(job, tmp_path, capsys):
    sampled(job, tmp_path, "--num-images 1 --json")
    told = json.loads(capsys.readouterr().out)
    assert (told["sampler"], told["steps"]) == ("ddpm", 40) and isinstance(told["seed"], int)


@pytest.mark.parametrize("method", ["vae", "diffusion"])
def test_interrupted_by_the_command_line_and_resumed_is_the_same_run(job, tmp_path, method):
    """Four epochs at once, or two, then on to four with --resume: the same weights, journal and best model."""
    whole, cut = getattr(job, method), tmp_path / "cut"
    if method == "vae":
        line = f"vae train --data-dir {{}} --output-dir {{}} --save-every 2 --sample-every 2 --kl-warmup 2 {VAE}"
        paths = (job.tiles, cut)
    else:
        line = (
            f"diffusion train --vae {{}} --image-dir {{}} --output-dir {{}} --save-every 2 --sample-every 2 {DIFFUSION}"
        )
        paths = (job.vae / "best_model.pt", job.tiles, cut)
    assert rsforge(f"{line} --epochs 2", *paths) == 0
    assert rsforge(f"{line} --epochs 4", *paths) == 2
    assert rsforge(f"{line} --epochs 4 --resume", *paths) == 0
    first, second = (checkpoint.load(f / "latest_model.pt") for f in (whole, cut))
    torch.testing.assert_close(
        dict(checkpoint.tensors([first["nets"], first["parts"]])),
        dict(checkpoint.tensors([second["nets"], second["parts"]])), rtol=0, atol=0,
    )  # fmt: skip
    assert first["progress"] == second["progress"] and first["parts"]["best"] == second["parts"]["best"]
    assert read(whole / "journal.jsonl") == read(cut / "journal.jsonl")


def test_a_resumed_run_with_other_settings_is_refused(job, tmp_path, capsys):
    line = f"vae train --data-dir {{}} --output-dir {{}} --kl-warmup 2 --epochs 1 {VAE}"
    assert rsforge(line, job.tiles, tmp_path / "run") == 0
    assert rsforge(f"{line} --lr 1e-3 --resume", job.tiles, tmp_path / "run") == 4
    assert "--learning-rate was 0.0001, is 0.001" in capsys.readouterr().err
    extra = Image.new("RGB", (24, 24), (9, 9, 9))
    (tmp_path / "more").mkdir()
    extra.save(tmp_path / "more" / "x.png")
    for tile in job.tiles.iterdir():
        (tmp_path / "more" / tile.name).write_bytes(tile.read_bytes())
    assert rsforge(f"{line} --resume", tmp_path / "more", tmp_path / "run") == 4
    assert "images are not those" in capsys.readouterr().err


def test_a_damaged_latest_is_left_aside_and_named(job, tmp_path, capsys):
    line = f"vae train --data-dir {{}} --output-dir {{}} --kl-warmup 2 --save-every 1 {VAE}"
    assert rsforge(f"{line} --epochs 2", job.tiles, tmp_path / "run") == 0
    latest = tmp_path / "run" / "latest_model.pt"
    data = latest.read_bytes()
    latest.unlink()
    latest.write_bytes(data[:1000])
    assert rsforge(f"{line} --epochs 3 --resume", job.tiles, tmp_path / "run") == 0
    assert "latest_model.pt is damaged and left aside" in capsys.readouterr().err


def test_overwrite_replaces_a_run_and_spares_strangers(job, tmp_path):
    line = f"vae train --data-dir {{}} --output-dir {{}} --epochs 1 --kl-warmup 0 {VAE}"
    (tmp_path / "run" / "class_0001").mkdir(parents=True)
    (tmp_path / "run" / "class_0001" / "keep.txt").write_text("mine")
    assert rsforge(line, job.tiles, tmp_path / "run") == 0
    (tmp_path / "run" / "checkpoint_0999.pt").write_text("old")
    (tmp_path / "run" / "notes.txt").write_text("mine")
    assert rsforge(f"{line} --overwrite", job.tiles, tmp_path / "run") == 0
    assert not (tmp_path / "run" / "checkpoint_0999.pt").exists()
    assert (tmp_path / "run" / "notes.txt").exists() and (tmp_path / "run" / "class_0001" / "keep.txt").exists()


def test_a_dry_run_checks_everything_and_writes_nothing(job, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = [
        (f"vae train --data-dir {{}} --dry-run --json {VAE}", (job.tiles,)),
        (f"diffusion train --vae {{}} --data-dir {{}} -n --json {DIFFUSION}", (job.vae / "best_model.pt", job.tiles)),
        (
            "sample --diffusion-checkpoint {} --vae {} -n --json",
            (job.diffusion / "best_model.pt", job.vae / "best_model.pt"),
        ),
    ]
    for line, paths in lines:
        assert rsforge(line, *paths) == 0
        told = json.loads(capsys.readouterr().out)
        assert told["dry_run"] is True and told["plan"]
    assert list(tmp_path.iterdir()) == []


def test_the_word_synthetic_trains_and_says_so(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(image_folder, "SYNTHETIC_COUNT", 24)
    assert rsforge(f"vae train --data-dir synthetic --output-dir {{}} --epochs 1 {VAE}", tmp_path / "run") == 0
    assert "24 synthetic scenes" in capsys.readouterr().err


def test_map_latents_go_the_whole_way(job, tmp_path, capsys):
    line = (
        "vae train --data-dir {} --output-dir {} --latent map --channels 32,32 --layers-per-block 1 --image-size 16 "
        "--no-perceptual --epochs 1 --num-workers 0 --report-to none"
    )
    assert rsforge(line, job.tiles, tmp_path / "vae") == 0
    first, other = (read(run / "journal.jsonl")[0] for run in (tmp_path / "vae", job.vae))
    assert (first["step"], first["epoch"], first["best"]) == (0, 0, True), "it begins as a linear code"
    assert other["step"] > 0
    line = (
        "diffusion train --vae {} --data-dir {} --output-dir {} --channels 32,32 --layers-per-block 1 --image-size 16 "
        "--epochs 1 --sample-every 1 --num-workers 0 --prediction v --schedule cosine --zero-terminal-snr "
        f"--min-snr-gamma 5 --timesteps 40 --report-to none {DRAWS}"
    )
    assert rsforge(line, tmp_path / "vae" / "best_model.pt", job.tiles, tmp_path / "dif") == 0
    line = "sample --diffusion-checkpoint {} --vae {} --output {} --ddim-steps 3 --num-images 2"
    paths = (tmp_path / "dif" / "best_model.pt", tmp_path / "vae" / "best_model.pt", tmp_path / "x.png")
    assert rsforge(line, *paths) == 0 and pixels(tmp_path / "x.png").shape == (20, 38, 3)


def test_latents_are_encoded_once_and_again_only_for_another_autoencoder(job, tmp_path, capsys):
    line = (
        f"diffusion train --vae {{}} --image-dir {{}} --output-dir {{}} --latent-cache-dir {{}} --epochs 1 {DIFFUSION}"
    )
    cache = tmp_path / "cache"
    assert rsforge(line, job.vae / "best_model.pt", job.tiles, tmp_path / "a", cache) == 0
    before = {p.name: p.stat().st_mtime_ns for p in cache.iterdir()}
    assert rsforge(line, job.vae / "best_model.pt", job.tiles, tmp_path / "b", cache) == 0
    assert {p.name: p.stat().st_mtime_ns for p in cache.iterdir()} == before and len(before) == 2
    assert rsforge(line, job.vae / "checkpoint_0002.pt", job.tiles, tmp_path / "c", cache) == 0
    assert len(list(cache.iterdir())) == 4
    (cache / sorted(before)[0]).write_bytes(b"torn")
    assert rsforge(line, job.vae / "best_model.pt", job.tiles, tmp_path / "d", cache) == 0
    a, d = (checkpoint.load(tmp_path / n / "latest_model.pt")["nets"] for n in "ad")
    torch.testing.assert_close(dict(checkpoint.tensors(a)), dict(checkpoint.tensors(d)), rtol=0, atol=0)


def test_cached_and_fresh_latents_learn_alike(job, tmp_path, capsys):
    """Fresh encoding draws other flips, so the runs differ, but not in what they learn."""
    line = f"diffusion train --vae {{}} --image-dir {{}} --output-dir {{}} --epochs 3 {DIFFUSION}"
    for name, option in {"cached": "", "fresh": " --no-latent-cache"}.items():
        assert rsforge(line + option, job.vae / "best_model.pt", job.tiles, tmp_path / name) == 0
    losses = [read(tmp_path / n / "journal.jsonl")[-1]["val/loss"] for n in ("cached", "fresh")]
    assert losses[0] == pytest.approx(losses[1], rel=0.2)
    assert not (tmp_path / "fresh" / "latent_cache").exists()


def test_the_split_of_training_and_held_out_images_is_stored(job):
    state = checkpoint.load(job.vae / "best_model.pt")
    assert state["images"]["train"] == 27 and state["images"]["held_out"] == 3 and len(state["images"]["split"]) == 64
