"""What a method must bring, found before anything is written, and the command that goes on from its training."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from rsforge.cli.main import run
from rsforge.recipes.training.job import TrainingSpec
from rsforge.recipes.training.method import info_command
from rsforge.recipes.vae.train import METHOD
from tests.worlds.commands import DIFFUSION, VAE, rsforge

BEST = "best_model.pt"
GAN = "--data-dir {} --image-size 32 --base-width 4 --lambda-content 0 --num-workers 0 --allow-leak"


@pytest.mark.parametrize("method", ["vae", "diffusion", "cyclegan"])
def test_a_training_ends_with_a_next_command_that_runs(method, job, tmp_path, capsys):
    """In folders with a blank in their names."""
    pairs, folder = tmp_path / "the pairs", tmp_path / "the run"
    line, paths = {
        "vae": (f"vae train --data-dir {{}} {VAE}", [job.tiles]),
        "diffusion": (
            f"diffusion train --vae {{}} --data-dir {{}} {DIFFUSION}",
            [job.vae / "best_model.pt", job.tiles],
        ),
        "cyclegan": (f"cyclegan train {GAN}", [pairs]),
    }[method]
    if method == "cyclegan":
        assert rsforge("data synth --kind pairs --count 6 --size 32 --output-dir {}", pairs) == 0
    assert rsforge(f"{line} --max-train-steps 1 --report-to none --output-dir {{}}", *paths, folder) == 0
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("next ")]
    words = shlex.split(told[-1])
    assert words[1] == "rsforge" and str(folder / BEST) in words
    assert run([*words[2:], "--dry-run"]) == 0


def test_a_method_that_names_no_next_command_shows_its_checkpoint():
    assert info_command(None, Path("a b.pt")) == "rsforge info 'a b.pt'"


def spec(**identity) -> TrainingSpec:
    return TrainingSpec(None, [], [], identity, "val/mse")


def test_what_checkpoints_must_say_is_asked_for_before_a_run():
    network = {"architecture": {"name": "autoencoder_kl"}}
    METHOD.check_spec(spec(**network, image_size=16, normalisation={}))
    with pytest.raises(RuntimeError, match="kind vae must say image_size"):
        METHOD.check_spec(spec(**network, normalisation={}))


@pytest.mark.parametrize(
    "architecture", [{"name": "unet_of_mine"}, {"a": {"name": "unet"}, "b": {"name": "unet_of_mine"}}]
)
def test_a_network_outside_the_catalogue_could_not_be_read_back(architecture):
    with pytest.raises(RuntimeError, match="unet_of_mine is not in"):
        METHOD.check_spec(spec(architecture=architecture, image_size=16, normalisation={}))
