"""What a reviewer found: names that moved a run, a run that read its own pictures, leftovers, one image, one class."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from rsforge import leftovers
from rsforge.data.images.tile_dataset import TileDataset
from rsforge.data.synthetic.tile_dataset import SyntheticTiles
from rsforge.engine import checkpoint
from rsforge.engine.journal import read
from rsforge.errors import RsforgeError
from rsforge.recipes.console import SilentConsole
from rsforge.recipes.datasets import image_folder
from rsforge.recipes.vae.latent_statistics import MEASURED, LatentStatistics
from rsforge.settings.base import RunSettings
from rsforge.settings.vae import VaeTileSettings
from tests.worlds.commands import DIFFUSION, VAE, rsforge


class Classes:
    """Grey images sorted by class: one level for each ``share`` of them."""

    def __init__(self, count: int, share: int) -> None:
        self.count, self.share = count, share

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, key: tuple[int, int]) -> torch.Tensor:
        return torch.full((1, 2, 2), float(key[1] // self.share))

    def name(self, index: int) -> str:
        return str(index)


class Itself:
    """An autoencoder whose latent is the image, with no spread of its own."""

    def encode(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x, torch.full_like(x, -40.0)


@pytest.mark.parametrize(("count", "share"), [(4 * MEASURED, MEASURED), (MEASURED + 44, 75), (40, 10)])
def test_latent_statistics_see_every_class_alike(count: int, share: int) -> None:
    statistics = LatentStatistics(Itself(), Classes(count, share), torch.device("cpu"))  # type: ignore[arg-type]
    statistics.measure()
    assert statistics.mean.item() == pytest.approx(1.5, abs=0.02)
    assert statistics.std.item() == pytest.approx(1.25**0.5, abs=0.02)


@pytest.mark.parametrize("method", ["vae", "diffusion"])
def test_renaming_images_changes_nothing(job, tmp_path: Path, method: str) -> None:
    """The same contents under names in another order, on a fresh run and from stored latents."""
    renamed = tmp_path / "renamed"
    renamed.mkdir()
    for k, path in enumerate(sorted(job.tiles.iterdir(), reverse=True)):
        shutil.copy(path, renamed / f"{k:02d}.png")
    line = f"vae train --data-dir {{}} --output-dir {{}} --epochs 1 {VAE}"
    if method == "diffusion":
        cache = f"--vae {{}} --latent-cache-dir {{}} --epochs 1 {DIFFUSION}"
        line = f"diffusion train --data-dir {{}} --output-dir {{}} {cache}"
    runs = []
    for number, tiles in enumerate((job.tiles, renamed)):
        runs.append(tmp_path / f"run_{number}")
        assert rsforge(line, tiles, runs[-1], job.vae / "best_model.pt", tmp_path / f"cache_{number}") == 0
    one, other = (checkpoint.load(run / "latest_model.pt") for run in runs)
    pairs = (dict(checkpoint.tensors([state["nets"], state["parts"]])) for state in (one, other))
    torch.testing.assert_close(*pairs, rtol=0, atol=0)
    assert read(runs[0] / "journal.jsonl") == read(runs[1] / "journal.jsonl")
    stored = [{p.name: p.read_bytes() for p in tmp_path.glob(f"cache_{n}/*")} for n in (0, 1)]
    assert stored[0] == stored[1] and bool(stored[0]) == (method == "diffusion")


def test_a_run_below_its_images_does_not_train_on_its_own_pictures(job, tmp_path: Path) -> None:
    tiles = tmp_path / "tiles"
    shutil.copytree(job.tiles, tiles)
    line = f"vae train --data-dir {{}} --output-dir {{}} --sample-every 1 {VAE}"
    assert rsforge(f"{line} --epochs 1", tiles, tiles / "run") == 0
    assert list((tiles / "run").rglob("*.png"))
    assert rsforge(f"{line} --epochs 2 --resume", tiles, tiles / "run") == 0
    counted = checkpoint.load(tiles / "run" / "latest_model.pt")["images"]
    assert counted["train"] + counted["held_out"] == 30


def test_images_in_the_output_folder_itself_are_refused(job, tmp_path: Path, capsys) -> None:
    shutil.copytree(job.tiles, tmp_path / "run" / "tiles")
    line = f"vae train --data-dir {{}} --output-dir {{}} --epochs 1 {VAE}"
    assert rsforge(line, tmp_path / "run", tmp_path / "run") == 2
    assert "RSF-U005" in capsys.readouterr().err
    assert len(list((tmp_path / "run" / "tiles").iterdir())) == 30


def test_one_image_is_reconstructed(job, tmp_path: Path, capsys) -> None:
    line = "vae reconstruct --checkpoint {} --data-dir {} --output {} --json"
    assert rsforge(line, job.vae / "best_model.pt", job.tiles / "tile_0003.png", tmp_path / "r.png") == 0
    assert json.loads(capsys.readouterr().out)["images"] == 1
    rows, cols, _ = np.asarray(Image.open(tmp_path / "r.png")).shape
    assert rows > 2 * 128 and 128 < cols < rows  # two tiles of 16 pixels, eight times enlarged, and their labels
    (tmp_path / "bad.png").write_bytes(b"nothing")
    assert rsforge(line, job.vae / "best_model.pt", tmp_path / "bad.png", tmp_path / "r.png") == 3
    assert "RSF-D002" in capsys.readouterr().err


def test_evaluate_refuses_a_size_the_autoencoder_cannot_take(job, capsys) -> None:
    line = "vae evaluate --checkpoint {} --data-dir {} --image-size 24"
    assert rsforge(line, job.vae / "best_model.pt", job.tiles) == 2
    told = capsys.readouterr().err
    assert "RSF-U005" in told and "--image-size" in told and "24" in told


def test_a_used_name_leaves_no_images_of_the_drawing_before(job, tmp_path: Path) -> None:
    own = tmp_path / "x_individual"

    def draw(count: int) -> list[str]:
        line = f"sample --diffusion-checkpoint {{}} --vae {{}} --output {{}} --num-images {count} --ddim-steps 2"
        assert rsforge(line, job.diffusion / "best_model.pt", job.vae / "best_model.pt", tmp_path / "x.png") == 0
        return sorted(p.name for p in own.iterdir()) if own.exists() else []

    assert len(draw(6)) == 6
    assert draw(2) == ["image_000.png", "image_001.png"]
    (own / "mine.png").touch()
    assert draw(17) == ["mine.png"]
    (own / "mine.png").unlink()
    draw(1)
    draw(17)
    assert not own.exists()


def test_leftovers_are_swept_at_every_depth_but_not_in_other_runs(tmp_path: Path) -> None:
    for name in ("", "latent_cache", "samples/deep", "other", "other/samples"):
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
        (tmp_path / name / ".tmp-1-x").touch()
        (tmp_path / name / "kept.png").touch()
    (tmp_path / "other" / ".lock").touch()
    (tmp_path / ".lock").touch()
    (tmp_path / ".tmp-folder").mkdir()
    leftovers.sweep(tmp_path)
    left = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob(".tmp-*"))
    assert left == [".tmp-folder", "other/.tmp-1-x", "other/samples/.tmp-1-x"]
    assert len(list(tmp_path.rglob("kept.png"))) == 5


def opened(place: object, *, keep: bool = True) -> image_folder.ImageSets:
    # The search for shared pixels opens them once more.
    data = VaeTileSettings(data_dir=str(place), image_size=16, overlap_by_content=False)
    return image_folder.load_images(data, RunSettings(output_dir=Path("unused")), SilentConsole(), keep=keep)


def test_each_image_is_opened_twice_and_kept_once(job, monkeypatch) -> None:
    from rsforge.data.images import tile_dataset

    seen: list[Path] = []
    real = tile_dataset.read_bytes
    monkeypatch.setattr(tile_dataset, "read_bytes", lambda path: seen.append(path) or real(path))
    data = opened(job.tiles)
    assert len(seen) == 60  # judged, then resized
    assert isinstance(data.train, TileDataset) and isinstance(data.plain, TileDataset)
    assert data.train.cached is data.plain.cached is not None
    seen.clear()
    assert opened(job.tiles, keep=False).train.cached is None and len(seen) == 30


def test_scenes_are_drawn_once(monkeypatch) -> None:
    count = 0
    real = SyntheticTiles._draw

    def counted(self: SyntheticTiles, index: int) -> torch.Tensor:
        nonlocal count
        count += 1
        return real(self, index)

    monkeypatch.setattr(SyntheticTiles, "_draw", counted)
    data = image_folder.draw_images(20, VaeTileSettings(data_dir="synthetic", image_size=8), seed=0)
    assert count == 20 and torch.equal(data.plain[0, 3], data.plain[5, 3])
    with pytest.raises(RsforgeError):
        image_folder.draw_images(20, VaeTileSettings(data_dir="synthetic", image_size=8, val_fraction=0.99), seed=0)


def test_the_smallest_preset_ends_near_the_noise_it_starts_from() -> None:
    import tomllib
    from importlib.resources import files

    from rsforge.noise.schedules import alphas_cumprod

    preset = tomllib.loads((files("rsforge.settings") / "presets" / "diffusion-tiny.toml").read_text())["denoiser"]
    assert preset["prediction"] == "v"
    assert alphas_cumprod(preset["schedule"], preset["timesteps"])[-1] < 0.01
