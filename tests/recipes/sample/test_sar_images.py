"""What ``sample single``, ``batch`` and ``dataset`` share: partners, guidance, plans."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from rsforge.engine import checkpoint
from tests.worlds.commands import rsforge
from tests.worlds.sampling import break_images
from tests.worlds.sar_diffusion import first_image, write_text_encoder

CPU = torch.device("cpu")


def test_partners_of_other_weights_are_refused(sample, sar_world, tmp_path):
    write_text_encoder(tmp_path / "other.pt", seed=1)
    words = "--input-image {} --clip-checkpoint other.pt"
    error, _ = sample("single", words, first_image(sar_world), code=4)
    assert error["code"] == "RSF-C006" and "text encoder" in error["message"]
    state = checkpoint.load(sar_world.model / "autoencoder" / "best_model.pt")
    state["nets"]["autoencoder"]["conv_in.weight" if "conv_in.weight" in state["nets"]["autoencoder"] else next(
        iter(state["nets"]["autoencoder"]))].add_(1)  # fmt: skip
    checkpoint.save(tmp_path / "vae.pt", state)
    error, _ = sample("single", "--input-image {} --vae vae.pt", first_image(sar_world), code=4)
    assert error["code"] == "RSF-C006" and "autoencoder" in error["message"]


def test_trap_05_guidance_is_refused_where_no_prompt_was_left_out(sample, sar_world, tmp_path, capsys):
    state = checkpoint.load(sar_world.model / "best_model.pt")
    state["conditioning"]["inputs"][0]["dropout"] = 0.0
    shutil.copytree(sar_world.model / "autoencoder", tmp_path / "model" / "autoencoder")
    checkpoint.save(tmp_path / "model" / "best_model.pt", state)
    line = "sample single --model-checkpoint {} --input-image {} --guidance-scale 3 --device cpu"
    assert rsforge(line, tmp_path / "model" / "best_model.pt", first_image(sar_world)) == 2
    assert "--guidance-scale 1" in capsys.readouterr().err


def test_a_plan_draws_nothing(sample, sar_world, tmp_path):
    for command, words in (
        ("single", "--input-image {}"), ("batch", "--input-dir {}"), ("dataset", "--dataset-path {}"),
    ):  # fmt: skip
        place = {"single": first_image(sar_world), "batch": first_image(sar_world).parent, "dataset": sar_world.pairs}
        result, _ = sample(command, f"{words} --dry-run", place[command])
        assert result["dry_run"] and result["plan"]["steps"] == 3
    assert not list(tmp_path.iterdir())


COMMANDS = {
    "single": "--input-image {} --output x.png",
    "batch": "--input-dir {} --output-dir out",
    "dataset": "--dataset-path {} --output-dir out --num-samples 1",
}


@pytest.mark.parametrize("command", COMMANDS)
def test_images_of_one_colour_are_warned_of_and_those_without_numbers_refused(
    sample, sar_world, tmp_path, monkeypatch, command
):
    (tmp_path / "in").mkdir()
    image = Path(shutil.copy(first_image(sar_world), tmp_path / "in"))
    place = {"single": image, "batch": image.parent, "dataset": sar_world.pairs}[command]
    break_images(monkeypatch, 0.5)
    _, said = sample(command, COMMANDS[command], place)
    assert "1 image has one colour everywhere" in said
    record = json.loads((tmp_path / ("x.json" if command == "single" else "out/manifest.json")).read_text())
    assert record.get("images", [record])[0]["one_colour"] is True
    break_images(monkeypatch, torch.nan)
    again = COMMANDS[command].replace("x.png", "y.png").replace("-dir out", "-dir other")
    error, _ = sample(command, again, place, code=5)
    assert error["code"] == "RSF-T004" and not list(tmp_path.glob("y.*")) and not list(tmp_path.glob("other/*.png"))
