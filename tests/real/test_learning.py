"""On real tiles a short run learns: held-out figures against its own start and against trivial baselines."""

from __future__ import annotations

import json

import pytest

from rsforge.engine.journal import read
from tests.worlds.commands import rsforge

TILES = "tiles/rsscn7_128px_derived"


@pytest.fixture(scope="module")
def runs(real_data, tmp_path_factory):
    base, tiles = tmp_path_factory.mktemp("learning"), real_data / TILES
    line = "vae train --config vae-tiny --data-dir {} --output-dir {} --epochs 8 --lr 1e-3 --report-to none"
    assert rsforge(line, tiles, base / "vae") == 0
    line = "diffusion train --config diffusion-tiny --vae {} --data-dir {} --output-dir {} --epochs 12 --lr 1e-3"
    assert rsforge(line, base / "vae" / "best_model.pt", tiles, base / "diffusion") == 0
    return base


def closed(folder):
    return [row for row in read(folder / "journal.jsonl") if row.get("closed")]


def test_the_autoencoder_beats_its_start_and_the_mean_image(runs, real_data, capsys):
    figures = [row["val/mse"] for row in closed(runs / "vae")]
    line = "vae evaluate --checkpoint {} --data-dir {} --json -q"
    assert rsforge(line, runs / "vae" / "best_model.pt", real_data / TILES) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert figures[-1] < 0.8 * figures[0] and figures[-1] < 0.8 * told["mean_image_mse"]


def test_the_denoiser_beats_its_start_and_the_best_linear_one(runs):
    rows = closed(runs / "diffusion")
    assert rows[-1]["val/loss"] < 0.9 * rows[0]["val/loss"]
    assert min(row["val/loss"] for row in rows) < 0.97 * rows[0]["val/linear"]
