"""Trainings on images with gaps, from files to weights: what stands in gaps changes no bit, and runs go on exactly."""

from __future__ import annotations

import hashlib
import io
from itertools import count

import numpy as np
import pytest
import torch
from PIL import Image

from rsforge.data.synthetic.tile_dataset import write_tiles
from rsforge.engine import checkpoint
from rsforge.tasks.diffusion import DiffusionTask
from tests.worlds.commands import rsforge

OPTIONS = (
    "--image-size 16 --epochs 2 --batch-size 2 --num-workers 0 --val-fraction 0 --test-fraction 0 --report-to none "
    "--lr-scheduler constant "
    "--data-dir {} --output-dir {}"
)
VAE = f"vae train {OPTIONS} --latent map --channels 8,16 --layers-per-block 1 --no-perceptual"
DIFFUSION = (
    f"diffusion train {OPTIONS} --channels 8,16 --head-width 8 --timesteps 20 --validation-draws 8 --vae {{}}".replace(
        "--epochs 2", "--epochs 1"
    )
)


def encode(pixels, under=0):
    """A PNG whose first five columns are transparent, over the value ``under``."""
    rgba = np.dstack([pixels, np.full((16, 16), 255, np.uint8)])
    rgba[:, :5, 3], rgba[:, :5, :3] = 0, under
    Image.fromarray(rgba).save(buffer := io.BytesIO(), "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Tiles of which two have gaps, over values that differ and let the order by content be the same."""
    base = tmp_path_factory.mktemp("gaps")
    write_tiles(base / "a", 4, 16, seed=1)
    tiles = sorted((base / "a").rglob("*.png"))
    pixels = [np.asarray(Image.open(path)) for path in tiles]
    whole = [path.read_bytes() for path in tiles[:2]]

    def contents(under):
        return [*whole, *(encode(one, under) for one in pixels[2:])]

    def order(files):
        return np.argsort([hashlib.sha256(data).hexdigest() for data in files]).tolist()

    other = next(under for under in count(50) if order(contents(under)) == order(contents(0)))
    for name, under in (("a", 0), ("b", other)):
        for path, data in zip(tiles, contents(under), strict=True):
            place = base / name / path.name
            place.parent.mkdir(exist_ok=True)
            place.write_bytes(data)
    return base


def weights(folder):
    state = checkpoint.load(folder / "latest_model.pt")
    return {f"{net}.{name}": value for net, own in state["nets"].items() for name, value in own.items()}


def assert_same(one, other):
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_what_stands_in_gaps_changes_no_bit_and_runs_go_on_exactly(folders, capsys):
    """One run is interrupted, the other sees other values in the gaps."""
    assert rsforge(VAE.replace("--epochs 2", "--epochs 1"), folders / "a", folders / "vae_a") == 0
    assert "2 of 4 images hold no data in some pixels: black, and not counted" in capsys.readouterr().err
    assert rsforge("vae train --epochs 2 --resume {}", folders / "vae_a" / "latest_model.pt") == 0
    assert rsforge(VAE, folders / "b", folders / "vae_b") == 0
    one, other = weights(folders / "vae_a"), weights(folders / "vae_b")
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_stored_latents_are_trained_on_with_their_masks(folders, monkeypatch):
    assert rsforge(VAE.replace("--epochs 2", "--epochs 1"), folders / "a", folders / "vae") == 0
    answer, seen = DiffusionTask.answer, []
    monkeypatch.setattr(DiffusionTask, "answer", lambda task, batch: seen.append(batch["valid"]) or answer(task, batch))
    assert rsforge(DIFFUSION, folders / "a", folders / "diffusion", folders / "vae" / "latest_model.pt") == 0
    assert {mask.shape[2:] for mask in seen} == {(8, 8)} and not all(mask.all() for mask in seen)
