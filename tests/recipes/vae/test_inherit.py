"""``diffusion train --vae CKPT`` and nothing else: images, their size and what divides them are the autoencoder's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rsforge.engine import checkpoint
from rsforge.recipes.vae.inherit import find_reading
from tests.worlds.commands import rsforge
from tests.worlds.main_job import as_documented

TINY = "--hidden 16,16,16,16 --time-dim 8 --timesteps 10 --num-workers 0 --device cpu --output-dir new --dry-run --json"


@pytest.fixture
def told(tmp_path, monkeypatch, capsys):
    """Runs ``diffusion train`` by dry run; the JSON object that it ends with and what it says on the way."""
    as_documented(tmp_path)
    monkeypatch.chdir(tmp_path)

    def call(words: str, code: int = 0) -> tuple[dict, str]:
        assert rsforge(f"diffusion train {words} {TINY}") == code
        out, err = capsys.readouterr()
        return json.loads(out or err.splitlines()[-1]), err

    return call


def test_the_autoencoder_alone_is_enough(told):
    result, said = told("--vae vae_models/best_model.pt")
    data, origins = result["settings"]["data"], result["origins"]
    assert (data["data_dir"], data["image_size"], data["val_fraction"]) == ("tiles", 16, 0.1)
    assert origins["data_dir"] == origins["image_size"] == "default: autoencoder vae_models/best_model.pt"
    inherited = (
        "--image-size 16, --data-dir tiles, --val-fraction 0.1, --split auto, --overlap-by-content False, "
        "--test-fraction 0.0, --seed 5"
    )
    assert f"using      {inherited} (autoencoder" in said  # it is older than the search
    assert result["plan"]["training_images"] > 0 and "--val-fraction is not used" not in said


def test_even_the_autoencoder_is_found_where_it_is_by_default(told):
    result, said = told("")
    assert result["settings"]["denoiser"]["vae_checkpoint"] == "vae_models/best_model.pt"
    assert "using      --vae-checkpoint vae_models/best_model.pt (made by rsforge vae train)" in said
    Path("vae_models").rename("elsewhere")
    assert "`rsforge vae train` makes vae_models/best_model.pt, which is not there" in json.dumps(told("", 2)[0])


def test_what_is_typed_goes_first(told):
    Path("others").symlink_to("tiles", target_is_directory=True)
    result, _ = told("--vae vae_models/best_model.pt --data-dir others --val-fraction 0.5 --seed 7")
    data = result["settings"]["data"]
    assert (data["data_dir"], data["val_fraction"], data["image_size"]) == ("others", 0.5, 16)
    assert result["settings"]["run"]["seed"] == 7
    assert told("--vae vae_models/best_model.pt --image-size 32", 4)[0]["code"] == "RSF-C006"


def test_another_folder_is_not_divided_as_the_autoencoders_was(told, tmp_path):
    path = Path("vae_models/best_model.pt")
    state = checkpoint.load(path)
    state["settings"]["data"]["val_fraction"], state["settings"]["run"]["seed"] = 0.4, 9
    checkpoint.save(path, state)
    (tmp_path / "more").mkdir()
    for image in Path("tiles").glob("*.png"):
        (tmp_path / "more" / image.name).write_bytes(image.read_bytes())
    result, _ = told("--data-dir more")
    assert (result["settings"]["data"]["val_fraction"], result["settings"]["run"]["seed"]) == (0.1, 42)
    result, _ = told("--data-dir ./tiles")
    assert (result["settings"]["data"]["val_fraction"], result["settings"]["run"]["seed"]) == (0.4, 9)


def test_a_folder_that_is_gone_is_named(told):
    Path("tiles").rename("gone")
    error, said = told("--vae vae_models/best_model.pt", 3)
    assert error["code"] == "RSF-D001" and "tiles" in error["message"] + error["where"]
    assert "vae_models/best_model.pt" in error["found"] and "--data-dir" in error["fix"]
    assert "--data-dir tiles" in said and "(autoencoder vae_models/best_model.pt)" in said


def test_other_images_in_a_folder_of_the_same_name_are_not_taken_silently(told):
    next(Path("tiles").glob("*.png")).unlink()
    error, _ = told("--vae vae_models/best_model.pt", 4)
    assert error["code"] == "RSF-C006" and "--data-dir tiles" in error["fix"]
    told("--vae vae_models/best_model.pt --data-dir tiles")


@pytest.mark.parametrize("words", ["--vae absent.pt", "--vae absent.pt --data-dir tiles"])
def test_an_autoencoder_that_is_not_there_is_told(told, words):
    error, _ = told(words, 4)
    assert error["code"] == "RSF-C001" and error["message"] == "VAE checkpoint not found: absent.pt"


def test_a_base_folder_does_not_move_what_the_autoencoder_names(told, tmp_path):
    for name in ("vae_models", "diffusion_models"):
        (tmp_path / "w").mkdir(exist_ok=True)
        (tmp_path / name).rename(tmp_path / "w" / name)
    result, _ = told("--base-dir w")
    assert result["settings"]["data"]["data_dir"] == str(tmp_path / "tiles")


def test_how_the_images_were_read_is_inherited_as_it_was_settled():
    data = {"bands": ["3", "2", "1"], "range": ["percentile"], "fill": None}
    state = {"settings": {"data": data}, "images": {"view": {"span": [5.0, 9.0]}}}
    assert find_reading(state) == {"bands": ["3", "2", "1"], "range": [5.0, 9.0]}
    plain = {"settings": {"data": {"bands": [], "range": [], "fill": None}}, "images": {}}
    assert find_reading(plain) == find_reading({"settings": {"data": {}}}) == {}
