"""``sample dataset``: held-out pairs, measured."""

from __future__ import annotations

import json

import numpy as np
import torch

from tests.worlds.sar_diffusion import pixels

CPU = torch.device("cpu")


def test_dataset_draws_for_held_out_pairs_and_measures_them(sample, sar_world, tmp_path):
    result, _ = sample("dataset", "--dataset-path {} --output-dir out --num-samples 3 --samples 2", sar_world.pairs)
    assert result["side"] == "val" and result["images"] == 3
    assert set(result["figures"]) >= {"l1", "psnr_db", "ssim"}
    names = sorted(path.name for path in (tmp_path / "out").glob("sample_*_generated.png"))
    assert [name[:11] for name in names] == ["sample_000_", "sample_001_", "sample_002_"]
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    first = manifest["images"][0]
    assert {"l1", "spread", "mean_file", "spread_file"} <= set(first)
    assert (tmp_path / "out" / first["mean_file"]).is_file() and (tmp_path / "out" / "grid.png").is_file()


def test_an_image_depends_on_its_place_and_not_on_the_batch(sample, sar_world, tmp_path):
    for size in (1, 4):
        words = f"--dataset-path {{}} --output-dir out{size} --num-samples 2 --samples 3 --batch-size {size}"
        sample("dataset", words, sar_world.pairs)
    for path in (tmp_path / "out1").glob("*generated*.png"):
        difference = pixels(path).astype(int) - pixels(tmp_path / "out4" / path.name)
        assert np.abs(difference).max() <= 1
