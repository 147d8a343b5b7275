"""``sample batch``: names, turns of regions and seasons, and files that fail."""

from __future__ import annotations

import json
import shutil

import torch

from tests.worlds.sar_diffusion import first_image

CPU = torch.device("cpu")


def test_batch_takes_sorted_files_and_names_them_by_region_and_season(sample, sar_world, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("b.png", "a.png", "c.png"):
        shutil.copy(first_image(sar_world), folder / name)
    result, _ = sample("batch", "--input-dir in --regions tropical arctic --seasons winter --output-dir out")
    made = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert made == [
        "a_tropical_winter_generated.png", "b_arctic_winter_generated.png", "c_tropical_winter_generated.png",
        "grid.png", "manifest.json",
    ]  # fmt: skip
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert [image["region"] for image in manifest["images"]] == ["tropical", "arctic", "tropical"]
    assert result["images"] == 3 and manifest["seed"] == 1


def test_trap_19_a_file_that_fails_is_named_and_the_rest_is_done(sample, sar_world, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    shutil.copy(first_image(sar_world), folder / "b.png")
    (folder / "a.png").write_bytes(b"no image")
    result, said = sample("batch", "--input-dir in --output-dir out", code=3)
    assert result["images"] == 1 and [one["name"] for one in result["left_out"]] == ["a.png"]
    assert "RSF-D002" in said and (tmp_path / "out" / "b_temperate_summer_generated.png").is_file()
