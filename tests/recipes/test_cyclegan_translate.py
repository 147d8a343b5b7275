from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from affine import Affine

from rsforge import durable
from rsforge.data.radiometry import EIGHT_BIT, Radiometry
from rsforge.data.rasters import read
from rsforge.engine import checkpoint
from rsforge.recipes.restore import generator
from tests.cyclegan_world import write_checkpoint
from tests.data.pair_world import load, save, write_pairs
from tests.recipes.conftest import rsforge

DB = Radiometry("db", -25, 0)
PLACE = {"crs": "EPSG:32632", "transform": Affine(10, 0, 500000, 0, -10, 5500000)}


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory) -> Path:
    """Untrained generators: 8-bit SAR of one band, and two bands in dB."""
    folder = tmp_path_factory.mktemp("checkpoints")
    write_checkpoint(folder / "one.pt")
    write_checkpoint(folder / "two.pt", sar_channels=2, radiometry=DB)
    write_checkpoint(folder / "dn.pt", radiometry=Radiometry("dn", 0, 4000))
    write_checkpoint(folder / "linear.pt", radiometry=Radiometry("linear", -25, 0))
    return folder


def translate(line: str, *paths: object) -> int:
    return rsforge(f"cyclegan translate --device cpu --checkpoint {{}} {line}", *paths)


def told(capsys) -> dict:
    return json.loads(capsys.readouterr().out)


def refused(capsys, code: str, line: str, *paths: object) -> str:
    assert translate(line, *paths) != 0
    error = capsys.readouterr().err
    assert code in error, error
    return error


def noise(height: int, width: int, bands: int = 0, seed: int = 0) -> np.ndarray:
    shape = (height, width, bands) if bands else (height, width)
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def decibels(height: int, width: int, bands: int = 2) -> np.ndarray:
    return np.random.default_rng(1).uniform(-22, -3, (height, width, bands)).astype(np.float32)


def raster(path: Path, values: np.ndarray, **more) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width, count = values.shape
    profile = {"driver": "GTiff", "height": height, "width": width, "count": count, "dtype": values.dtype}
    with rasterio.open(path, "w", **profile, **PLACE | more) as target:
        target.write(np.moveaxis(values, -1, 0))
    return path


def direct(path: Path, values: np.ndarray, given: Radiometry, made: Radiometry, direction: str = "sar2optical"):
    """What the generator itself makes of values (H, W, C)."""
    net, _ = generator(path, torch.device("cpu"), direction)
    with torch.no_grad():
        y = net(torch.from_numpy(given.to_unit(values)).permute(2, 0, 1)[None])[0]
    return made.from_unit(y.permute(1, 2, 0).numpy())


def files(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_an_image_of_the_training_size_goes_through_whole(checkpoints, tmp_path):
    values = noise(32, 32, 1)
    picture = save(tmp_path / "a.png", values[..., 0])
    assert translate("--input {} --output {}", checkpoints / "one.pt", picture, tmp_path / "b.png") == 0
    assert np.array_equal(load(tmp_path / "b.png"), direct(checkpoints / "one.pt", values, EIGHT_BIT, EIGHT_BIT))
    line = "--direction optical2sar --input {} --output {}"
    assert translate(line, checkpoints / "one.pt", tmp_path / "b.png", tmp_path / "c.png") == 0
    expected = direct(checkpoints / "one.pt", load(tmp_path / "b.png"), EIGHT_BIT, EIGHT_BIT, "optical2sar")
    assert np.array_equal(load(tmp_path / "c.png"), expected[..., 0])


def test_every_size_comes_out_as_it_went_in_under_its_name(checkpoints, tmp_path, capsys):
    sizes = [(side, 120 - side) for side in range(20, 101, 10)] + [(1, 1), (33, 33)]
    for height, width in sizes:
        save(tmp_path / f"in/{height % 2}/{height}x{width}.png", noise(height, width))
    save(tmp_path / "in/photo.JPG", noise(40, 30))
    assert translate("--input {} --output {} --json", checkpoints / "one.pt", tmp_path / "in", tmp_path / "out") == 0
    result = told(capsys)
    assert result["images"] == len(sizes) + 1 == len(files(tmp_path / "out")) and result["left_out"] == 0
    assert result["direction"] == "sar2optical" and result["tiles"] > 2 * result["images"] and result["device"] == "cpu"
    for height, width in sizes:
        assert load(tmp_path / f"out/{height % 2}/{height}x{width}.png").shape == (height, width, 3)
    assert load(tmp_path / "out/photo.png").shape == (40, 30, 3)


def test_the_batch_and_what_else_is_in_it_change_nothing(checkpoints, tmp_path):
    for k, side in enumerate((20, 32, 45, 70, 24)):
        raster(tmp_path / f"in/{k}.tif", noise(side, 40, 3, seed=k))
    line = "--direction optical2sar --input {} --output {} --batch-size"
    for batch in (1, 3, 8):
        assert translate(f"{line} {batch}", checkpoints / "two.pt", tmp_path / "in", tmp_path / str(batch)) == 0
    for name in files(tmp_path / "1"):
        one = read(tmp_path / "1" / name).values
        for batch in (3, 8):
            assert np.abs(read(tmp_path / str(batch) / name).values - one).max() < 1e-4  # of 25 dB


class Same(torch.nn.Module):
    """A generator that leaves the SAR image as it is, and is interrupted at its call ``until``."""

    factor, in_channels, out_channels = 32, 1, 3

    def __init__(self, until: int = 0) -> None:
        super().__init__()
        self.left = until

    def forward(self, x):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt
        assert x.shape[1] == 1 and x.shape[2] == x.shape[3] and x.shape[2] % 32 == 0
        return x.repeat(1, 3, 1, 1)


@pytest.fixture
def same(monkeypatch):
    """Have every checkpoint give the generator ``Same``."""

    def use(until: int = 0) -> None:
        def given(path, device, direction):
            return Same(until), generator(path, device, direction)[1]

        monkeypatch.setattr("rsforge.recipes.restore.generator", given)

    return use


@pytest.mark.parametrize("options", ["", "--overlap 0", "--tile 64 --overlap 63", "--overlap 20 --batch-size 3"])
def test_no_pixel_moves_whatever_the_size_and_the_tiles(checkpoints, tmp_path, same, options):
    same()
    images = {f"{side}.png": noise(side, 121 - side, seed=side) for side in range(21, 101, 6)}
    images |= {f"{side}.tif": noise(side, side, seed=side) for side in (1, 2, 31, 33, 64, 99)}
    for name, values in images.items():
        save(tmp_path / "in" / name, values)
    line = f"--input {{}} --output {{}} {options}"
    assert translate(line, checkpoints / "one.pt", tmp_path / "in", tmp_path / "out") == 0
    for name, values in images.items():
        assert np.array_equal(read(tmp_path / "out" / name).values, np.dstack([values] * 3)), name


def test_an_interruption_leaves_whole_files_and_overwriting_ends_the_work(checkpoints, tmp_path, same, capsys):
    for k in range(3):
        raster(tmp_path / f"in/{k}.tif", noise(90, 70, 1, seed=k))
    paths = checkpoints / "one.pt", tmp_path / "in", tmp_path / "out"
    same(until=5)
    assert translate("--input {} --output {} --batch-size 4", *paths) == 130
    assert files(tmp_path / "out") == ["0.tif"]
    same()
    assert "after an interruption" in refused(capsys, "RSF-U004", "--input {} --output {}", *paths)
    assert translate("--input {} --output {} --overwrite", *paths) == 0
    for k in range(3):
        assert np.array_equal(read(tmp_path / f"out/{k}.tif").values[..., :1], noise(90, 70, 1, seed=k))


def test_a_geotiff_becomes_a_geotiff_at_its_place(checkpoints, tmp_path):
    values = decibels(70, 50)
    values[:20, :10] = -99
    values[60:, 40:, 1] = np.nan
    path = raster(tmp_path / "in/deep/x.TIF", values, nodata=-99)
    with rasterio.open(path, "r+") as source:
        source.update_tags(acquired="2020-05-01")
        source.descriptions = ("VV", "VH")
    assert translate("--input {} --output {}", checkpoints / "two.pt", tmp_path / "in", tmp_path / "out") == 0
    with rasterio.open(tmp_path / "out/deep/x.tif") as target:
        assert target.crs.to_epsg() == 32632 and target.transform == PLACE["transform"] and target.nodata is None
        assert target.dtypes == ("uint8",) * 3 and target.descriptions == ("red", "green", "blue")
        assert target.tags()["acquired"] == "2020-05-01" and target.tags()["TRANSLATION"] == "sar2optical"
        expected = np.ones((70, 50), bool)
        expected[:20, :10] = expected[60:, 40:] = False
        assert np.array_equal(target.dataset_mask() > 0, expected)
        assert not target.read()[:, ~expected].any() and np.ptp(target.read()) > 0


@pytest.mark.parametrize(("name", "low", "high"), [("two", -25, 0), ("linear", 10**-2.5, 1), ("dn", 0, 4000)])
def test_the_way_to_sar_ends_in_its_unit(checkpoints, tmp_path, name, low, high):
    values = noise(32, 32, 3)
    raster(tmp_path / "in/a.tif", values)
    save(
        tmp_path / "in/b.png", np.dstack([values, np.where(np.arange(32) < 9, 0, 255)[None].repeat(32, 0)]).astype("u1")
    )
    line = "--direction optical2sar --input {} --output {}"
    assert translate(line, checkpoints / f"{name}.pt", tmp_path / "in", tmp_path / "out") == 0
    stored = Radiometry.from_dict(checkpoint.load(checkpoints / f"{name}.pt", kind="cyclegan")["radiometry"])
    expected = direct(checkpoints / f"{name}.pt", values, EIGHT_BIT, stored, "optical2sar")
    made = read(tmp_path / "out/a.tif")
    assert made.values.dtype == np.float32 and np.allclose(made.values, expected, rtol=1e-4)
    assert made.valid.all() and made.info.grid is not None and low <= made.values.min() < made.values.max() <= high
    gaps = read(tmp_path / "out/b.tif")
    assert np.isnan(gaps.values[:, :9]).all() and gaps.valid[:, 9:].all() and gaps.info.grid is None


def test_deep_values_are_taken_by_the_radiometry_of_the_training_or_the_one_given(checkpoints, tmp_path):
    values = np.random.default_rng(0).integers(0, 6000, (32, 32, 1)).astype(np.uint16)
    save(tmp_path / "dn.png", values[..., 0])
    raster(tmp_path / "dn.tif", values)
    for name in ("dn.png", "dn.tif"):
        out = tmp_path / f"of_{name}"
        assert translate("--input {} --output {}", checkpoints / "dn.pt", tmp_path / name, out) == 0
        expected = direct(checkpoints / "dn.pt", values, Radiometry("dn", 0, 4000), EIGHT_BIT)
        assert np.array_equal(read(out).values, expected)
    line, out = "--input {} --output {} --radiometry dn --clip 0 6000", tmp_path / "clipped.tif"
    assert translate(line, checkpoints / "one.pt", tmp_path / "dn.tif", out) == 0
    assert np.array_equal(
        read(out).values, direct(checkpoints / "one.pt", values, Radiometry("dn", 0, 6000), EIGHT_BIT)
    )
    power = 10 ** (decibels(32, 32) / 10)
    raster(tmp_path / "linear.tif", power)
    line, out = "--input {} --output {} --radiometry linear", tmp_path / "p.tif"
    assert translate(line, checkpoints / "two.pt", tmp_path / "linear.tif", out) == 0
    assert np.array_equal(read(out).values, direct(checkpoints / "two.pt", decibels(32, 32), DB, EIGHT_BIT))


def test_sar_in_three_equal_bands_counts_as_grey(checkpoints, tmp_path):
    values = noise(32, 32)
    save(tmp_path / "a.png", np.dstack([values] * 3))
    assert translate("--input {} --output {}", checkpoints / "one.pt", tmp_path / "a.png", tmp_path / "b.png") == 0
    expected = direct(checkpoints / "one.pt", values[..., None], EIGHT_BIT, EIGHT_BIT)
    assert np.array_equal(load(tmp_path / "b.png"), expected)


def test_gaps_in_a_picture_are_transparent(checkpoints, tmp_path):
    alpha = np.full((40, 40), 255, np.uint8)
    alpha[:, 30:] = 0
    save(tmp_path / "a.png", np.dstack([noise(40, 40)] * 3 + [alpha]))
    assert translate("--input {} --output {}", checkpoints / "one.pt", tmp_path / "a.png", tmp_path / "out") == 0
    made = load(tmp_path / "out/a.png")
    assert np.array_equal(made[..., 3], alpha) and not made[:, 30:, :3].any()


def test_of_a_folder_of_pairs_one_side_is_translated(checkpoints, tmp_path, capsys):
    write_pairs(tmp_path / "v2", ("agri", "urban"), count=2, size=32)
    for direction, side in (("sar2optical", "s1"), ("optical2sar", "s2")):
        out = tmp_path / side
        line = f"--direction {direction} --input {{}} --output {{}} --json"
        assert translate(line, checkpoints / "one.pt", tmp_path / "v2", out) == 0
        captured = capsys.readouterr()
        assert json.loads(captured.out)["images"] == 4 and "laid out as terrain" in captured.err
        assert {Path(name).parts[:2] for name in files(out)} == {("agri", side), ("urban", side)}


def test_a_list_is_followed_and_what_is_missing_is_named_with_its_line(checkpoints, tmp_path, capsys):
    save(tmp_path / "in/a.png", noise(20, 20))
    (tmp_path / "list.txt").write_text("# images\n\nin/a.png\nin/none.png\n")
    line = "--input {} --output {}"
    error = refused(capsys, "RSF-D002", line, checkpoints / "one.pt", tmp_path / "list.txt", tmp_path / "out")
    assert "list.txt:4" in error and not (tmp_path / "out").exists()
    assert (
        translate(f"{line} --on-bad skip --json", checkpoints / "one.pt", tmp_path / "list.txt", tmp_path / "out") == 0
    )
    captured = capsys.readouterr()
    assert json.loads(captured.out)["left_out"] == 1 and "list.txt:4" in captured.err
    assert files(tmp_path / "out") == ["in/a.png"]


def test_what_is_there_is_replaced_only_when_said_so(checkpoints, tmp_path, capsys):
    save(tmp_path / "in/a.png", noise(20, 20))
    save(tmp_path / "in/b.png", noise(20, 20))
    paths = checkpoints / "one.pt", tmp_path / "in", tmp_path / "out"
    (tmp_path / "out").mkdir()
    (tmp_path / "out/b.png").write_bytes(b"mine")
    error = refused(capsys, "RSF-U004", "--input {} --output {}", *paths)
    assert "--overwrite" in error and "b.png" in error and files(tmp_path / "out") == ["b.png"]
    assert (tmp_path / "out/b.png").read_bytes() == b"mine"
    for _ in range(2):
        assert translate("--input {} --output {} --overwrite", *paths) == 0
        done = [(tmp_path / "out" / name).read_bytes() for name in files(tmp_path / "out")]
    assert translate("--input {} --output {} --overwrite", *paths) == 0
    assert [(tmp_path / "out" / name).read_bytes() for name in files(tmp_path / "out")] == done


def test_inputs_are_never_written_to(checkpoints, tmp_path, capsys):
    path, one = save(tmp_path / "in/a.png", noise(20, 20)), checkpoints / "one.pt"
    before = path.read_bytes()
    refused(capsys, "RSF-U005", "--input {} --output {} --overwrite", one, tmp_path / "in", tmp_path / "in")
    for output in (path, tmp_path / "in"):
        refused(capsys, "RSF-U005", "--input {} --output {} --overwrite", one, path, output)
    (tmp_path / "link.png").symlink_to(path)
    refused(capsys, "RSF-U005", "--input {} --output {} --overwrite", one, path, tmp_path / "link.png")
    assert path.read_bytes() == before and files(tmp_path / "in") == ["a.png"]
    for _ in range(2):  # a folder below the images is not searched
        assert translate("--input {} --output {} --overwrite", one, tmp_path / "in", tmp_path / "in/out") == 0
    assert files(tmp_path / "in") == ["a.png", "out/a.png"]


def test_two_images_of_one_name_are_refused(checkpoints, tmp_path, capsys):
    for name in ("in/a.png", "in/a.jpg", "other/a.png"):
        save(tmp_path / name, noise(20, 20))
    one = checkpoints / "one.pt"
    error = refused(capsys, "RSF-U005", "--input {} --output {}", one, tmp_path / "in", tmp_path / "out")
    assert "a.jpg" in error and "a.png" in error
    line = "--input {} {} --output {}"
    refused(capsys, "RSF-U005", line, one, tmp_path / "in/a.png", tmp_path / "other", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ("--tile 48", "RSF-U005", "multiple of 32"),
        ("--tile 64 --overlap 64", "RSF-U005", "less than"),
        ("--overlap 32", "RSF-U005", "overlap 32, tile 32"),
        ("--radiometry dn", "RSF-U005", "--clip"),
        ("--radiometry db", "RSF-D010", "a.png"),
        ("--clip 5 5", "RSF-D010", "low below a high"),
    ],
)
def test_options_that_do_not_fit_are_refused(checkpoints, tmp_path, capsys, options, code, said):
    save(tmp_path / "a.png", noise(40, 40))
    line = f"--input {{}} --output {{}} {options}"
    assert said in refused(capsys, code, line, checkpoints / "one.pt", tmp_path / "a.png", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_names_that_cannot_hold_the_result_are_refused(checkpoints, tmp_path, capsys):
    path = save(tmp_path / "in/a.png", noise(40, 40, 3))
    line = "--direction optical2sar --input {} --output {}"
    assert "name it .tif" in refused(capsys, "RSF-U006", line, checkpoints / "two.pt", path, tmp_path / "b.png")
    refused(capsys, "RSF-U005", line, checkpoints / "one.pt", tmp_path / "in", tmp_path / "b.png")
    (tmp_path / "empty").mkdir()
    for place in ("empty", "none.png"):
        refused(capsys, "RSF-D001", line, checkpoints / "one.pt", tmp_path / place, tmp_path / "out")


def test_a_georeferenced_image_loses_its_place_only_with_a_warning(checkpoints, tmp_path, capsys):
    path = raster(tmp_path / "a.tif", noise(20, 20, 1))
    assert translate("--input {} --output {}", checkpoints / "one.pt", path, tmp_path / "b.png") == 0
    assert "not georeferenced" in capsys.readouterr().err


def test_images_that_cannot_be_used_stop_or_are_left_out(checkpoints, tmp_path, capsys):
    save(tmp_path / "in/a.png", noise(20, 20))
    (tmp_path / "in/b.png").write_bytes(b"no picture")
    cut = save(tmp_path / "in/c.png", noise(90, 90))
    cut.write_bytes(cut.read_bytes()[:3000])  # its header is sound
    raster(tmp_path / "in/d.tif", decibels(20, 20))
    raster(tmp_path / "in/e.tif", decibels(20, 20, 1))
    line, paths = "--input {} --output {}", (checkpoints / "one.pt", tmp_path / "in", tmp_path / "out")
    assert "b.png" in refused(capsys, "RSF-D002", line, *paths)
    (tmp_path / "in/b.png").unlink()
    error = refused(capsys, "RSF-D003", line, *paths)
    assert "d.tif has 2 bands" in error and "takes 1" in error
    (tmp_path / "in/d.tif").unlink()
    assert "e.tif" in refused(capsys, "RSF-D010", line, *paths) and not (tmp_path / "out").exists()
    assert translate(f"{line} --on-bad skip --json", *paths) == 0
    captured = capsys.readouterr()
    result = json.loads(captured.out)
    assert (result["images"], result["left_out"]) == (1, 2) and files(tmp_path / "out") == ["a.png"]
    assert "c.png" in captured.err and "e.tif" in captured.err
    (tmp_path / "in/e.tif").unlink()
    assert "c.png" in refused(capsys, "RSF-D002", f"{line} --overwrite --batch-size 1", *paths)
    assert files(tmp_path / "out") == ["a.png"]
    (tmp_path / "in/a.png").unlink()
    refused(capsys, "RSF-D001", f"{line} --overwrite --on-bad skip", *paths)


def test_values_that_contradict_the_unit_are_found_on_the_way(checkpoints, tmp_path, capsys):
    values = decibels(200, 40)
    values[150:] = 3000
    path = raster(tmp_path / "a.tif", values)
    assert "a.tif" in refused(
        capsys, "RSF-D010", "--input {} --output {}", checkpoints / "two.pt", path, tmp_path / "o"
    )
    assert files(tmp_path / "o") == []


def test_a_dry_run_judges_and_writes_nothing(checkpoints, tmp_path, capsys):
    save(tmp_path / "in/a.png", noise(60, 60))
    line = "--input {} --output {} --dry-run --json"
    assert translate(line, checkpoints / "one.pt", tmp_path / "in", tmp_path / "out") == 0
    plan = told(capsys)["plan"]
    assert (plan["images"], plan["tiles"]) == (1, 9) and not (tmp_path / "out").exists()
    refused(capsys, "RSF-U005", f"{line} --tile 40", checkpoints / "one.pt", tmp_path / "in", tmp_path / "out")


def test_what_was_finished_before_the_disk_was_full_stays_whole(checkpoints, tmp_path, monkeypatch, capsys):
    for k in range(4):
        raster(tmp_path / f"in/{k}.tif", noise(70, 40, 1))
    renamed = []

    def full(operation: str) -> None:
        renamed.append(operation == "rename")
        if sum(renamed) > 2:
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(durable, "before_operation", full)
        line = "--input {} --output {} --batch-size 2"
        assert translate(line, checkpoints / "one.pt", tmp_path / "in", tmp_path / "out") == 6
    assert "RSF-E001" in capsys.readouterr().err and files(tmp_path / "out") == ["0.tif", "1.tif"]
    assert all(read(tmp_path / "out" / name).values.shape == (70, 40, 3) for name in ("0.tif", "1.tif"))


def test_a_long_scene_is_read_and_written_by_rows(checkpoints, tmp_path, monkeypatch):
    """No window is higher than a tile, whatever the scene."""
    path, asked = raster(tmp_path / "a.tif", noise(1500, 33, 1), blockysize=16), []
    own = rasterio.io.DatasetReader.read

    def watched(self, *args, window=None, **more):
        asked.append(window.height)
        return own(self, *args, window=window, **more)

    monkeypatch.setattr("rasterio.io.DatasetReader.read", watched, raising=False)
    assert translate("--input {} --output {}", checkpoints / "one.pt", path, tmp_path / "b.tif") == 0
    assert set(asked) - {256, 1500 % 256} == {32} and read(tmp_path / "b.tif").values.shape == (1500, 33, 3)
