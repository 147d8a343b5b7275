"""Distances of sets: of which images, and what is said where there are too few."""

from __future__ import annotations

import pytest
import torch

from rsforge.metrics.mean_discrepancy import mean_discrepancy
from rsforge.recipes.diffusion.load import open_model
from rsforge.recipes.evaluation.set_distances import SetDistances
from rsforge.recipes.unconditional_evaluation.sample_distances import SampleDistances

CPU = torch.device("cpu")
FIGURES = ["kernel_distance", "kernel_distance_to_reconstructions"]


def features(images):
    return images.flatten(1)[:, ::97]


@pytest.fixture(scope="module")
def pipeline(job):
    return open_model(job.diffusion / "best_model.pt", None, CPU, averaged=True).pipeline


@pytest.fixture
def build(pipeline):
    def build(count=6, confidence=0.95):
        generator = torch.Generator().manual_seed(1)
        made = {name: torch.rand(count, 3, 16, 16, generator=generator) * 2 - 1 for name in ("model", "near", "far")}
        made["far"] = made["far"].abs()
        sets = SetDistances(None, "images", count=count, seed=0, device=CPU)
        distances = SampleDistances(pipeline, features, sets, confidence=confidence, groups=range(8))
        for name, images in made.items():
            for some in images.split(4):
                distances.take(name, some)
        return distances, made

    return build


def make_batch(pipeline, count=8, whole=None):
    images = torch.rand(count, 3, 16, 16, generator=torch.Generator().manual_seed(2)) * 2 - 1
    with torch.no_grad():
        latents = torch.stack(pipeline.autoencoder.encode(images), 1)
    whole = torch.ones(count, dtype=torch.bool) if whole is None else whole
    return {"index": list(range(count)), "images": images, "latents": latents, "whole": whole}


def start():
    return {"figures": {name: {} for name in ("model", "near", "far")}, "gain": {}, "absent": {}}


def test_images_with_gaps_are_no_part_of_a_set(build, pipeline):
    whole = torch.arange(8) % 4 != 1
    batch, told, (distances, made) = make_batch(pipeline, whole=whole), start(), build()
    with torch.no_grad():
        distances.update({}, batch)
    distances.add_to(told, {})
    expected = mean_discrepancy(features(made["model"]), features(batch["images"][whole])).value
    assert told["figures"]["model"]["kernel_distance"]["mean"] == pytest.approx(expected, rel=1e-4)
    assert told["gain"]["kernel_distance"]["over"] == "near"
    assert [verdict["figure"] for verdict in told["verdicts"]] == FIGURES


def test_a_batch_of_gaps_alone_is_nothing(build, pipeline):
    told, (distances, _) = start(), build()
    distances.update({}, make_batch(pipeline, whole=torch.zeros(8, dtype=torch.bool)))
    assert "losses alone judge" in distances.add_to(told, {})[0]
    assert told["figures"]["model"] == {**dict.fromkeys(FIGURES), "fid": None, "kid": None}
    assert "verdicts" not in told and "3 images without gaps" in told["absent"]["kernel_distance"]


def test_the_picture_has_a_row_for_each_set(build, pipeline, tmp_path, monkeypatch):
    seen = {}
    where = "rsforge.recipes.unconditional_evaluation.sample_distances.save_labelled_grid"
    monkeypatch.setattr(where, lambda path, grid, **more: seen.update(grid=grid, **more))
    distances, made = build(count=5)
    for _ in range(2):
        with torch.no_grad():
            distances.update({}, make_batch(pipeline, count=3))
    distances.save_picture(tmp_path / "samples.png")
    assert seen["rows"] == ["drawn", "near", "far", "images", "reconstructions"] and seen["nrow"] == 5
    assert len(seen["grid"]) == 25 and torch.equal(seen["grid"][:5], made["model"])
