"""``sample dataset``: held-out pairs, measured."""

from __future__ import annotations

import json

import numpy as np
import pytest

from rsforge.recipes.sample import dataset
from tests.worlds.consoles import RecordingConsole
from tests.worlds.sar_diffusion import pixels
from tests.worlds.vgg16 import write_vgg16


def test_dataset_draws_for_held_out_pairs_and_measures_them(sample, sar_world, tmp_path):
    words = "--dataset-path {} --output-dir out --num-samples 3 --samples 2"
    result, said = sample("dataset", words, sar_world.pairs)
    assert result["side"] == "val" and result["images"] == 3
    assert set(result["figures"]) >= {"l1", "psnr_db", "ssim"}
    names = sorted(path.name for path in (tmp_path / "out").glob("sample_*_generated.png"))
    assert [name[:11] for name in names] == ["sample_000_", "sample_001_", "sample_002_"]
    linear = result["baselines"]["linear_sar"]
    nearest = min(row["l1"] for row in result["baselines"].values())
    assert ("no nearer to the true ones than" in said) is (result["figures"]["l1"] >= nearest)
    assert set(linear) == set(result["figures"]) and {"copy_sar", "mean_image"} <= set(result["baselines"])
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    first = manifest["images"][0]
    assert {"l1", "spread", "mean_file", "spread_file"} <= set(first)
    assert linear["l1"] == pytest.approx(np.mean([one["baselines"]["linear_sar"]["l1"] for one in manifest["images"]]))
    assert (tmp_path / "out" / first["mean_file"]).is_file() and (tmp_path / "out" / "grid.png").is_file()


def test_an_image_depends_on_its_place_and_not_on_the_batch(sample, sar_world, tmp_path):
    for size in (1, 4):
        words = f"--dataset-path {{}} --output-dir out{size} --num-samples 2 --samples 3 --batch-size {size}"
        sample("dataset", words, sar_world.pairs)
    for path in (tmp_path / "out1").glob("*generated*.png"):
        difference = pixels(path).astype(int) - pixels(tmp_path / "out4" / path.name)
        assert np.abs(difference).max() <= 1


def test_lpips_is_measured_where_its_weights_are(sample, sar_world, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    words = "--dataset-path {} --output-dir {} --num-samples 2"
    without, said = sample("dataset", words, sar_world.pairs, tmp_path / "without")
    assert "rsforge weights fetch" in without["absent"]["lpips"] and "lpips" not in without["figures"]
    assert without["absent"]["lpips"] in said
    weights = write_vgg16(tmp_path)
    measured, _ = sample("dataset", words + " --vgg-weights {}", sar_world.pairs, tmp_path / "with", weights)
    assert not measured["absent"] and measured["figures"]["l1"] == without["figures"]["l1"]
    assert measured["figures"]["lpips"] > 0 and measured["baselines"]["linear_sar"]["lpips"] > 0


@pytest.mark.parametrize(("own", "is_said"), [(0.3, True), (0.2, True), (0.1, False)])
def test_a_model_that_loses_to_a_baseline_says_so(own, is_said):
    console = RecordingConsole()
    rows = {"mean_image": {"l1": 0.25}, "linear_sar": {"l1": 0.2}}
    dataset.warn_of_better_baseline({"figures": {"l1": own}, "baselines": rows}, console)
    assert console.has_line("no nearer to the true ones than linear_sar") is is_said
