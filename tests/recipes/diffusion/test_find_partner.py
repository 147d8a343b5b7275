"""``sample`` finds the autoencoder that a diffusion model names, and takes no other."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.worlds.commands import rsforge
from tests.worlds.main_job import FORMER, as_documented, lay_out

DRAW = "sample --ddim-steps 5 --num-images 1 --device cpu --json"


@pytest.fixture
def sample(tmp_path, monkeypatch, capsys):
    """Draws an image with more words; the JSON object that it ends with and what it says on the way."""
    monkeypatch.chdir(tmp_path)

    def call(words: str = "", code: int = 0) -> tuple[dict, str]:
        assert rsforge(f"{DRAW} {words}") == code
        out, err = capsys.readouterr()
        return json.loads(out or err.splitlines()[-1]), err

    return call


def taken(said: str) -> str:
    return said.split("--vae-checkpoint ")[1].split(" (the autoencoder of diffusion_")[0]


def test_where_the_former_steps_ran_with_their_defaults_nothing_has_to_be_named(sample, tmp_path):
    as_documented(tmp_path)
    (tmp_path / "vae_models").rename(tmp_path / "vae_vector")  # which is where it was when it was trained with
    result, said = sample()
    assert result["sampler"] == "ddim" and Path("generated_images.png").is_file()
    assert "using      --diffusion-checkpoint diffusion_models/best_model.pt (made by rsforge diffusion train)" in said
    assert taken(said) == "vae_vector/best_model.pt"


def test_without_a_diffusion_model_the_step_that_makes_one_is_named(sample):
    error, _ = sample(code=2)
    assert "`rsforge diffusion train` makes diffusion_models/best_model.pt, which is not there" in error["message"]


def test_a_copy_beside_the_model_comes_first(sample, tmp_path):
    lay_out(tmp_path)
    copies = Path("diffusion_vector/partners")
    copies.mkdir()
    shutil.copy("vae_vector/best_model.pt", copies / "vae.pt")
    assert (
        taken(sample("--diffusion-checkpoint diffusion_vector/best_model.pt")[1]) == "diffusion_vector/partners/vae.pt"
    )


def test_a_file_of_its_name_beside_the_model(sample, tmp_path):
    lay_out(tmp_path)
    Path("vae_vector/best_model.pt").rename("diffusion_vector/best_model.pt")
    told = sample("--diffusion-checkpoint diffusion_vector/latest_model.pt")[1]
    assert taken(told) == "diffusion_vector/best_model.pt"


def test_models_that_moved_together_are_found_from_anywhere(sample, tmp_path, monkeypatch):
    lay_out(tmp_path / "moved")
    told = sample(f"--diffusion-checkpoint {tmp_path}/moved/diffusion_vector/best_model.pt")[1]
    assert f"--vae-checkpoint {tmp_path}/moved/vae_vector/best_model.pt" in told


def test_an_autoencoder_that_is_lost_is_told(sample, tmp_path):
    lay_out(tmp_path)
    shutil.rmtree("vae_vector")
    error, _ = sample("--diffusion-checkpoint diffusion_vector/best_model.pt", 4)
    assert error["code"] == "RSF-C001" and "neither beside it nor at vae_vector/best_model.pt" in error["message"]
    assert "--vae" in error["fix"]


def test_another_autoencoder_in_its_place_is_not_taken(sample, tmp_path):
    lay_out(tmp_path)
    shutil.copy(FORMER / "vae_map/latest_model.pt", "vae_vector/best_model.pt")
    error, _ = sample("--diffusion-checkpoint diffusion_vector/best_model.pt", 4)
    assert error["code"] == "RSF-C006" and "vae_vector/best_model.pt: weights" in error["found"]


def test_a_damaged_autoencoder_is_named(sample, tmp_path):
    lay_out(tmp_path)
    path = Path("vae_vector/best_model.pt")
    path.write_bytes(path.read_bytes()[:1000])
    error, _ = sample("--diffusion-checkpoint diffusion_vector/best_model.pt", 4)
    assert error["code"] == "RSF-C006" and "is damaged" in error["found"]
