"""What a killed writer leaves is no data to readers, nobody's file to later runs, and gone after them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from rsforge.data.captions.parquet import find_shards
from rsforge.data.cubes.formats import find_cubes
from rsforge.data.io.image_reader import find_images
from rsforge.data.splits.single_items import find_hdf5_files
from rsforge.data.stored_arrays import write_array
from rsforge.durable import TEMPORARY
from rsforge.recipes.data.find_parquet import find_set
from tests.worlds.commands import VAE, rsforge
from tests.worlds.main_job import FORMER, lay_out

LEFT = f"{TEMPORARY}99999999-"  # more than the system gives to any process


@pytest.mark.parametrize(
    ("name", "find"),
    [
        ("tile.png", find_images),
        ("rows.parquet", lambda folder: find_shards(str(folder))),
        ("cube.hdr", lambda folder: list(find_cubes(folder).values())),
        ("patches.h5", find_hdf5_files),
    ],
)
def test_half_files_are_no_data(tmp_path, name, find):
    for path in (tmp_path / name, tmp_path / f"{LEFT}{name}"):
        path.touch()
    assert list(find(tmp_path)) == [tmp_path / name]


def test_half_files_are_no_parquet_set(tmp_path):
    for name in ("rows.parquet", f"{LEFT}more.parquet"):
        (tmp_path / name).touch()
    assert find_set({"base_dir": tmp_path})[0]["parquet_path"] == "rows.parquet"


def world(place: Path, kind: str, *options: str) -> Path:
    assert rsforge(f"data synth --kind {kind} --quiet --output-dir {{}} {' '.join(options)}", place / kind) == 0
    return place / kind


def classes(place: Path) -> str:
    shutil.copytree(FORMER / "tiles", place / "classes")
    return "data prepare-classes --data-dir {place}/classes --output-dir {place}/out --figs-dir {place}/figs"


def prepared_classes(place: Path) -> str:
    line = classes(place)
    assert rsforge(line.format(place=place)) == 0
    return line


def captions(place: Path) -> str:
    (place / "captions.txt").write_text("a.jpg\ta field\n")
    return "data captions-to-jsonl --caption-file {place}/captions.txt --output-file {place}/out/a.jsonl"


def split(place: Path) -> str:
    world(place, "pairs", "--count 8 --size 16")
    return "data split --data-dir {place}/pairs --output {place}/out/split.json"


def audit(place: Path) -> str:
    world(place, "pairs", "--count 4 --size 16")
    return "data audit --data-dir {place}/pairs --output-dir {place}/out"


def tile(place: Path) -> str:
    world(place, "scene", "--size 32")
    return "data tile --sar {place}/scene --optical {place}/scene --size 16 --output-dir {place}/out"


def autoencoder(place: Path) -> str:
    shutil.copytree(FORMER / "vae_map", place / "vae_map")
    return "vae export --checkpoint {place}/vae_map/latest_model.pt --output-dir {place}/out"


def reconstruction(place: Path) -> str:
    autoencoder(place)
    shutil.copytree(FORMER / "tiles", place / "tiles")
    line = "vae reconstruct --checkpoint {place}/vae_map/latest_model.pt --data-dir {place}/tiles"
    return f"{line} --num-images 1 --output {{place}}/out/r.png"


def preset(place: Path) -> str:
    return "config cp vae-tiny {place}/out/a.toml"


@pytest.mark.parametrize(
    ("make", "left"),
    [
        (classes, "out/class_0001/{}0001_0001.png"),
        (prepared_classes, "out/{}prepared.json"),
        (classes, "figs/{}corel_dataset_samples.png"),
        (captions, "out/{}a.jsonl"),
        (split, "out/{}split.json"),
        (audit, "out/{}audit.json"),
        (tile, "out/{}dataset.json"),
        (autoencoder, "out/{}config.json"),
        (autoencoder, "out/{}probe"),
        (reconstruction, "out/{}r.png"),
        (preset, "out/{}a.toml"),
    ],
)
def test_a_command_goes_on_beside_half_files_and_removes_them(tmp_path, make, left):
    line = make(tmp_path).format(place=tmp_path)
    path = tmp_path / left.format(LEFT)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"half")
    assert rsforge(f"{line} --quiet") == 0
    assert not path.exists()


def test_latents_are_written_beside_half_of_them_and_remove_it(tmp_path):
    (tmp_path / f"{LEFT}a.npy").write_bytes(b"half")
    write_array(tmp_path / "a.npy", [torch.zeros(2, 1, 2, 3)], (2, 1, 2, 3))
    assert [path.name for path in tmp_path.iterdir()] == ["a.npy"]


def test_half_a_file_does_not_make_a_folder_another_runs(tmp_path):
    (tmp_path / f"{LEFT}settings.json").write_bytes(b"{")
    line = f"vae train --data-dir synthetic --output-dir {{}} --epochs 1 --dry-run --quiet {VAE}"
    assert rsforge(line, tmp_path) == 0


def test_images_are_sampled_beside_half_of_one_and_remove_it(tmp_path):
    lay_out(tmp_path)
    own = tmp_path / "a_individual"
    own.mkdir()
    (own / f"{LEFT}image_000.png").touch()
    line = "sample --diffusion-checkpoint {} --vae {} --output {} --num-images 1 --ddim-steps 1 --quiet"
    models = (tmp_path / name / "best_model.pt" for name in ("diffusion_vector", "vae_vector"))
    assert rsforge(line, *models, tmp_path / "a.png") == 0
    assert [path.name for path in own.iterdir()] == ["image_000.png"]


def test_an_extraction_that_was_killed_after_all_was_written_is_tidied(tmp_path):
    world(tmp_path, "captions", "--count 2 --size 16")
    line = "data parquet-to-jsonl --parquet-path {} --output-dir {} --resolution 16 --quiet"
    assert rsforge(line, tmp_path / "captions", tmp_path / "out") == 0
    left = tmp_path / "out" / ".extraction.jsonl"
    left.touch()
    assert rsforge(line, tmp_path / "captions", tmp_path / "out") == 0
    assert not left.exists()
