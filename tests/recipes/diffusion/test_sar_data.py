"""What SAR diffusion is told, and what does not go together."""

from __future__ import annotations

import shutil

import pytest
import torch

from tests.worlds.commands import rsforge
from tests.worlds.sar_diffusion import LINE, write_text_encoder

CPU = torch.device("cpu")
VAE = "--vae {} "


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("--rotate-deg 10", "--rotate-deg"),
        ("--hue 0.05 --brightness 0.1", "--brightness, --hue"),
        ("--flip 0.3", "--flip"),
        ("--half-turn 0.5", "--half-turn"),
        ("--unet-attention-levels 4", "levels 1, 2"),
        ("--unet-context-dim 768", "tokens of width 16"),
        ("--prompt-template {sky}", "known columns"),
        ("--clip-num-heads 12", "num_heads 12, not 2"),
    ],
)
def test_what_does_not_go_together_is_refused_by_name(sar_world, tmp_path, capsys, words, named):
    line = f"{LINE} {words.replace('{sky}', '{{}}')} --dry-run"
    paths = [sar_world.pairs, sar_world.clip, tmp_path / "run"]
    if "prompt" in words:
        line, paths = line.replace("{{}}", "{}"), [*paths, "{sky}"]
    assert rsforge(line, *paths) in (2, 4)
    assert named in capsys.readouterr().err


def test_another_text_encoder_does_not_go_on_with_the_run(sar_world, tmp_path, capsys):
    run = tmp_path / "run"
    shutil.copytree(sar_world.model, run)
    write_text_encoder(tmp_path / "other.pt", seed=1)
    vae = run / "autoencoder" / "best_model.pt"
    line = LINE + VAE + "--epochs 3 --save-every 1 --sample-every 1 --resume"
    assert rsforge(line, sar_world.pairs, tmp_path / "other.pt", run, vae) == 4
    assert "RSF-C006" in capsys.readouterr().err
