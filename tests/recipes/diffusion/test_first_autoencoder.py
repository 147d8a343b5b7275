"""The autoencoder that is trained first: on the training pairs alone, and not twice."""

from __future__ import annotations

import shutil

import torch

from rsforge.engine import checkpoint
from tests.worlds.commands import rsforge
from tests.worlds.sar_diffusion import LINE

CPU = torch.device("cpu")
VAE = "--vae {} "


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


def test_what_cannot_be_trained_is_refused_before_an_autoencoder_is_replaced(sar_world, tmp_path, capsys):
    run = tmp_path / "run"
    shutil.copytree(sar_world.model, run)
    before = (run / "autoencoder" / "best_model.pt").read_bytes()
    for words in ("--rotate-deg 10", "--unet-num-heads 3"):
        assert rsforge(f"{LINE} --overwrite {words}", sar_world.pairs, sar_world.clip, run) == 2
    assert (run / "autoencoder" / "best_model.pt").read_bytes() == before
    assert (run / "latest_model.pt").is_file()


def test_a_text_encoder_that_is_not_there_is_said_before_an_autoencoder_is_trained(sar_world, tmp_path, capsys):
    assert rsforge(LINE, sar_world.pairs, tmp_path / "none.pt", tmp_path / "run") == 4
    assert "RSF-C001" in capsys.readouterr().err and not (tmp_path / "run" / "autoencoder").exists()


def test_a_run_that_is_in_the_way_is_said_before_an_autoencoder_is_trained(sar_world, tmp_path, capsys):
    (tmp_path / "latest_model.pt").write_bytes(b"mine")
    assert rsforge(LINE, sar_world.pairs, sar_world.clip, tmp_path) == 2
    assert "RSF-U004" in capsys.readouterr().err and not (tmp_path / "autoencoder").exists()
