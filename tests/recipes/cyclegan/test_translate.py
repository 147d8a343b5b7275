"""Images of any size, kind and unit through a generator: every pixel at its place, every value in its unit."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from rasterio.control import GroundControlPoint

from rsforge.data.io.rasters import read_raster
from rsforge.data.sar.radiometry import EIGHT_BIT, Radiometry
from rsforge.engine import checkpoint
from tests.worlds.cyclegan import write_checkpoint
from tests.worlds.pairs import load, save
from tests.worlds.translation import DB, PLACE, decibels, direct, files, noise, raster, refused, told, translate


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
    assert result["images"] == len(sizes) + 1 == len(files(tmp_path / "out")) and result["left_out"] == []
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
        one = read_raster(tmp_path / "1" / name).values
        for batch in (3, 8):
            assert np.abs(read_raster(tmp_path / str(batch) / name).values - one).max() < 1e-4  # of 25 dB


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
        assert np.array_equal(read_raster(tmp_path / "out" / name).values, np.dstack([values] * 3)), name


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
    made = read_raster(tmp_path / "out/a.tif")
    assert made.values.dtype == np.float32 and np.allclose(made.values, expected, rtol=1e-4)
    assert made.valid.all() and made.info.grid is not None and low <= made.values.min() < made.values.max() <= high
    gaps = read_raster(tmp_path / "out/b.tif")
    assert np.isnan(gaps.values[:, :9]).all() and gaps.valid[:, 9:].all() and gaps.info.grid is None


def test_deep_values_are_taken_by_the_radiometry_of_the_training_or_the_one_given(checkpoints, tmp_path):
    values = np.random.default_rng(0).integers(0, 6000, (32, 32, 1)).astype(np.uint16)
    save(tmp_path / "dn.png", values[..., 0])
    raster(tmp_path / "dn.tif", values)
    for name in ("dn.png", "dn.tif"):
        out = tmp_path / f"of_{name}"
        assert translate("--input {} --output {}", checkpoints / "dn.pt", tmp_path / name, out) == 0
        expected = direct(checkpoints / "dn.pt", values, Radiometry("dn", 0, 4000), EIGHT_BIT)
        assert np.array_equal(read_raster(out).values, expected)
    line, out = "--input {} --output {} --radiometry dn --clip 0 6000", tmp_path / "clipped.tif"
    assert translate(line, checkpoints / "one.pt", tmp_path / "dn.tif", out) == 0
    assert np.array_equal(
        read_raster(out).values, direct(checkpoints / "one.pt", values, Radiometry("dn", 0, 6000), EIGHT_BIT)
    )
    power = 10 ** (decibels(32, 32) / 10)
    raster(tmp_path / "linear.tif", power)
    line, out = "--input {} --output {} --radiometry linear", tmp_path / "p.tif"
    assert translate(line, checkpoints / "two.pt", tmp_path / "linear.tif", out) == 0
    assert np.array_equal(read_raster(out).values, direct(checkpoints / "two.pt", decibels(32, 32), DB, EIGHT_BIT))


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


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ("--tile 48", "RSF-U005", "multiple of 32"),
        ("--tile 64 --overlap 64", "RSF-U005", "less than"),
        ("--overlap 32", "RSF-U005", "overlap 32, tile 32"),
        ("--radiometry dn", "RSF-U005", "--clip"),
        ("--radiometry db", "RSF-D010", "a.png"),
        ("--clip 5 5", "RSF-U001", "--clip"),
        ("--overwrite --skip-existing", "RSF-U005", "--skip-existing"),
    ],
)
def test_options_that_do_not_fit_are_refused(checkpoints, tmp_path, capsys, options, code, said):
    save(tmp_path / "a.png", noise(40, 40))
    line = f"--input {{}} --output {{}} {options}"
    assert said in refused(capsys, code, line, checkpoints / "one.pt", tmp_path / "a.png", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_georeferenced_image_loses_its_place_only_with_a_warning(checkpoints, tmp_path, capsys):
    path = raster(tmp_path / "a.tif", noise(20, 20, 1))
    assert translate("--input {} --output {}", checkpoints / "one.pt", path, tmp_path / "b.png") == 0
    assert "not georeferenced" in capsys.readouterr().err


def test_values_that_contradict_the_unit_are_found_before_the_work(checkpoints, tmp_path, capsys):
    raster(tmp_path / "in/a.tif", decibels(40, 40))
    values = decibels(200, 40)
    values[50:] = 3000
    raster(tmp_path / "in/b.tif", values)
    line, paths = "--input {} --output {}", (checkpoints / "two.pt", tmp_path / "in", tmp_path / "o")
    assert "b.tif" in refused(capsys, "RSF-D010", line, *paths) and not (tmp_path / "o").exists()
    assert "b.tif" in refused(capsys, "RSF-D010", f"{line} --dry-run", *paths)
    assert translate(f"{line} --on-bad skip", *paths) == 0 and files(tmp_path / "o") == ["a.tif"]


@pytest.mark.parametrize("tile", [32, 640])
def test_one_verdict_of_an_image_whatever_the_tiles(checkpoints, tmp_path, capsys, same, tile):
    """A few negative powers in one place are the noise that was removed there."""
    same()
    for name, rows in (("few", 4), ("many", 12)):
        values = 10 ** (decibels(640, 40, 1) / 10)
        values[-rows:] = -1e-5
        raster(tmp_path / f"{name}.tif", values)
    line = f"--tile {tile} --input {{}} --output {{}}"
    assert translate(line, checkpoints / "linear.pt", tmp_path / "few.tif", tmp_path / "few") == 0
    refused(capsys, "RSF-D010", line, checkpoints / "linear.pt", tmp_path / "many.tif", tmp_path / "many")


def test_ground_control_points_go_with_the_image(checkpoints, tmp_path, capsys):
    points = [GroundControlPoint(row, col, 9 + col / 1000, 50 - row / 1000, 7.0) for row in (0, 40) for col in (0, 33)]
    polynomials = {
        f"{name}_{kind}": "1" for name in ("LINE", "SAMP", "LAT", "LONG", "HEIGHT") for kind in ("OFF", "SCALE")
    }
    polynomials |= {f"{n}_{k}_COEFF": " ".join(["0.5"] * 20) for n in ("LINE", "SAMP") for k in ("NUM", "DEN")}
    path = raster(tmp_path / "a.tif", noise(40, 33, 1), transform=None, gcps=points)
    with rasterio.open(path, "r+") as target:
        target.update_tags(ns="RPC", **polynomials)
    for name in ("b.tif", "b.png"):
        assert translate("--input {} --output {}", checkpoints / "one.pt", path, tmp_path / name) == 0
        assert ("not georeferenced" in capsys.readouterr().err) == (name == "b.png")
    with rasterio.open(path) as source, rasterio.open(tmp_path / "b.tif") as target:
        given, made = ([(p.row, p.col, p.x, p.y, p.z) for p in image.gcps[0]] for image in (source, target))
        assert given == made and len(made) == 4 and target.gcps[1].to_epsg() == 32632
        assert target.tags(ns="RPC") == source.tags(ns="RPC") and target.tags(ns="RPC")["LINE_OFF"] == "1"


def test_points_stay_points_and_a_place_by_halves_is_told(checkpoints, tmp_path, capsys):
    path = raster(tmp_path / "a.tif", noise(40, 33, 1))
    with rasterio.open(path, "r+") as target:
        target.update_tags(AREA_OR_POINT="Point")
    assert translate("--input {} --output {}", checkpoints / "one.pt", path, tmp_path / "b.tif") == 0
    with rasterio.open(path) as source, rasterio.open(tmp_path / "b.tif") as target:
        assert target.tags()["AREA_OR_POINT"] == "Point" and target.transform == source.transform
    with pytest.warns(rasterio.errors.NotGeoreferencedWarning):
        path = raster(tmp_path / "c.tif", noise(40, 33, 1), transform=None)
    assert translate("--input {} --output {}", checkpoints / "one.pt", path, tmp_path / "d.tif") == 0
    assert "without a transform" in capsys.readouterr().err


def test_tiles_are_those_that_were_typed_but_no_larger_than_what_they_hold(checkpoints, tmp_path, same, capsys):
    write_checkpoint(tmp_path / "large.pt", image_size=64)
    save(tmp_path / "a.png", noise(64, 64))
    same()
    line = "--input {} --output {} --json --tile"
    assert translate(f"{line} 32", tmp_path / "large.pt", tmp_path / "a.png", tmp_path / "b.png") == 0
    assert told(capsys)["tiles"] == 9
    path = save(tmp_path / "c.png", noise(70, 130))
    assert translate(f"{line} 16384", tmp_path / "large.pt", path, tmp_path / "d.png") == 0
    assert told(capsys)["tiles"] == 1 and np.array_equal(load(tmp_path / "d.png")[..., 0], load(path))


def test_a_training_on_scaled_pairs_is_told(tmp_path, capsys):
    checkpoint.save(tmp_path / "s.pt", write_checkpoint(tmp_path / "s.pt") | {"scaled": True})
    save(tmp_path / "a.png", noise(20, 20))
    assert translate("--input {} --output {}", tmp_path / "s.pt", tmp_path / "a.png", tmp_path / "b.png") == 0
    assert "scaled to 32 x 32" in capsys.readouterr().err


def test_a_long_scene_is_read_and_written_by_rows(checkpoints, tmp_path, monkeypatch):
    """No window is higher than a tile, whatever the scene."""
    path, asked = raster(tmp_path / "a.tif", noise(1500, 33, 1), blockysize=16), []
    own = rasterio.io.DatasetReader.read

    def watched(self, *args, window=None, **more):
        asked.append(window.height)
        return own(self, *args, window=window, **more)

    monkeypatch.setattr("rasterio.io.DatasetReader.read", watched, raising=False)
    assert translate("--input {} --output {}", checkpoints / "one.pt", path, tmp_path / "b.tif") == 0
    assert set(asked) - {256, 1500 % 256} == {32} and read_raster(tmp_path / "b.tif").values.shape == (1500, 33, 3)
