"""``rsforge hsi predict``: scenes and patches in, cubes with wavelengths out."""

from __future__ import annotations

import json
import shutil

import h5py
import numpy as np
import pytest
import rasterio
import torch

from rsforge.data.cubes.formats import open_cube
from rsforge.data.cubes.patches import PREDICTED
from rsforge.recipes.hsi.load import load_spectral
from rsforge.recipes.hsi.prediction import predict_spectra
from tests.worlds.commands import rsforge
from tests.worlds.hsi import TRAIN
from tests.worlds.spectral_checkpoints import (
    PLACE,
    draw_landsat,
    draw_stage1,
    write_landsat,
    write_sensor,
    write_stage1,
    write_stage2,
)
from tests.worlds.spectral_patches import BANDS, WAVELENGTH_NM, drop, edit, write_plain, write_scene


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    return write_stage1(tmp_path_factory.mktemp("checkpoints") / "stage1.pth")


def predict(line: str, *paths: object) -> int:
    return rsforge(f"hsi predict --device cpu --stage1-checkpoint {{}} {line}", *paths)


def refused(capsys, code: str, line: str, *paths: object) -> str:
    assert predict(line, *paths) != 0
    error = capsys.readouterr().err
    assert code in error, error
    return error


def told(capsys) -> dict:
    return json.loads(capsys.readouterr().out)


def expect(path, values: np.ndarray) -> np.ndarray:
    model = load_spectral(path, torch.device("cpu"))
    return predict_spectra(model, torch.from_numpy(values).movedim(-1, 0)).numpy()


def test_a_scene_becomes_a_geotiff_with_wavelengths(first, tmp_path, capsys):
    values = draw_landsat(40, 30)
    values[2, 3] = np.nan
    path = write_landsat(tmp_path / "scene.tif", values, tags={"units": "radiance", "acquired": "2020-06-01"})
    assert predict("--input {} --output {} --json", first, path, tmp_path / "out.tif") == 0
    result = told(capsys)
    assert result["bands"] == BANDS and result["unit"] == "radiance" and result["left_out"] == []
    (file,) = result["files"]
    assert file["size"] == [BANDS, 40, 30] and file["valid"] == 40 * 30 - 1 and file["tiles"] == 1
    with rasterio.open(tmp_path / "out.tif") as source:
        expected = np.nan_to_num(expect(first, values), nan=-9999)
        np.testing.assert_allclose(source.read(), expected, rtol=1e-5)
        assert source.crs.to_epsg() == 32632 and source.transform == PLACE["transform"] and source.nodata == -9999
        assert source.units == ("radiance",) * BANDS
        assert [float(source.tags(k + 1, ns="IMAGERY")["CENTRAL_WAVELENGTH_UM"]) * 1000 for k in range(BANDS)] == (
            pytest.approx(WAVELENGTH_NM)
        )
        tags = source.tags()
    assert tags["acquired"] == "2020-06-01" and tags["SOURCE"] == "scene.tif" and len(tags["WEIGHTS"]) == 64
    with open_cube(tmp_path / "out.tif") as cube:
        np.testing.assert_allclose(cube.wavelength_nm, WAVELENGTH_NM, rtol=1e-9)
        np.testing.assert_allclose(cube.fwhm_nm, np.linspace(5, 8, BANDS), rtol=1e-9)


def test_stage_2_makes_finer_pixels_at_the_same_place(first, tmp_path, capsys):
    second, path = write_stage2(tmp_path / "2.pth"), write_landsat(tmp_path / "scene.tif", draw_landsat(34, 35))
    line = "--stage2-checkpoint {} --input {} --output {}"
    assert predict(line, first, second, path, tmp_path / "out.tif") == 0
    assert "255 x 262 pixels" in capsys.readouterr().out
    with rasterio.open(tmp_path / "out.tif") as source:
        assert source.shape == (255, 262) and tuple(source.transform)[:6] == (4, 0, 500000, 0, -4, 5500000)
        assert len(source.tags()["WEIGHTS_STAGE2"]) == 64


@pytest.mark.parametrize("suffix", [".img", ".bsq"])
def test_an_envi_cube_holds_the_same(first, tmp_path, suffix):
    path = write_landsat(tmp_path / "scene.tif", draw_landsat(20, 30))
    for name in ("a.tif", f"b{suffix}"):
        assert predict("--input {} --output {}", first, path, tmp_path / name) == 0
    with rasterio.open(tmp_path / "a.tif") as tif, rasterio.open(tmp_path / f"b{suffix}") as envi:
        assert np.array_equal(tif.read(), envi.read()) and tif.transform == envi.transform and tif.crs == envi.crs
    assert (tmp_path / "b.hdr").is_file()
    with open_cube(tmp_path / "b.hdr") as cube:
        np.testing.assert_allclose(cube.wavelength_nm, WAVELENGTH_NM, rtol=1e-9)


def test_a_projected_scene_integrates_to_landsat(first, tmp_path, capsys):
    path, sensor = write_landsat(tmp_path / "scene.tif", draw_landsat(20, 20)), write_sensor(tmp_path / "sensor.csv")
    line = "--input {} --output {} --project --sensor {} --json"
    assert predict(line, first, path, tmp_path / "out.tif", sensor) == 0
    assert told(capsys)["files"][0]["unmet"] == 0
    with rasterio.open(tmp_path / "out.tif") as source:
        assert source.read().min() >= 0 and source.tags()["PROJECTED_TO"] == str(sensor)


def test_patches_become_patches_with_wavelengths(first, tmp_path):
    path = write_scene(tmp_path / "a/test_patches.h5", 2)
    assert predict("--input {} --output {}", first, path, tmp_path / "out.h5") == 0
    with h5py.File(tmp_path / "out.h5") as file:
        assert file[PREDICTED].shape == (2, 30, 30, BANDS) and file.attrs["units"] == "radiance"
        np.testing.assert_allclose(file.attrs["wavelengths"], WAVELENGTH_NM)
        np.testing.assert_allclose(file.attrs["fwhm"], np.linspace(5, 8, BANDS))
        assert file.attrs["source"] == "test_patches.h5" and file.attrs["scale"] == "1"


def test_in_a_folder_what_fails_is_named_and_the_rest_is_done(first, tmp_path, capsys):
    folder = tmp_path / "in"
    write_landsat(folder / "deep/good.tif", draw_landsat(20, 20))
    write_landsat(folder / "two.tif", draw_landsat(20, 20, count=2))
    write_scene(folder / "patches/test_patches.h5", 1)
    (folder / "cut.h5").write_bytes((folder / "patches/test_patches.h5").read_bytes()[:3000])
    assert predict("--input {} --output {} --json", first, folder, tmp_path / "out") == 3
    captured = capsys.readouterr()
    result = json.loads(captured.out.splitlines()[0])
    assert [file["name"] for file in result["files"]] == ["deep/good.tif", "patches/test_patches.h5"]
    assert [file["name"] for file in result["left_out"]] == ["cut.h5", "two.tif"]
    written = sorted(p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*.*"))
    assert written == ["deep/good.tif", "patches/test_patches.h5"]
    assert "2 of 4 files could not be predicted" in captured.err


def test_a_folder_of_landsat_alone_is_predicted(first, tmp_path, capsys):
    """Where no spectrometer flew there are no spectra; a training or an evaluation of such files says what it lacks."""
    for name in ("a", "b"):
        drop(write_scene(tmp_path / f"in/{name}/test_patches.h5", 1), "aviris")
    drop(tmp_path / "in/b/test_patches.h5", "landsat_native")
    second = write_stage2(tmp_path / "2.pth")
    line = "--stage2-checkpoint {} --input {} --output {}"
    assert predict(line, first, second, tmp_path / "in", tmp_path / "out") == 0
    said = capsys.readouterr().err
    assert said.count("means of landsat over each pixel are taken for what Landsat measured") == 1
    assert "b/test_patches.h5 with no landsat_native" in " ".join(said.split()), said
    with h5py.File(tmp_path / "out/a/test_patches.h5") as file:
        assert file[PREDICTED].shape == (1, 30, 30, BANDS) and file["scene"].asstr()[0] == "a"
    line = "hsi evaluate --stage1-checkpoint {} --data-dir {} --side all"
    for refusing, paths in ((line, (first, tmp_path / "in")), (TRAIN, (tmp_path / "in", tmp_path / "run"))):
        assert rsforge(refusing, *paths) == 3 and "it holds no aviris" in capsys.readouterr().err


def spoil(path, kind: str) -> None:
    if kind == "truncated":
        path.write_bytes(path.read_bytes()[:5000])
        return
    with h5py.File(path, "r+") as file:
        if kind == "missing key":
            del file["landsat"]
        elif kind == "external link":
            del file["landsat"]
            file["landsat"] = h5py.ExternalLink("/etc/passwd", "/x")
        elif kind == "wrong order":
            file.attrs["wavelengths"] = WAVELENGTH_NM[::-1].copy()
    if kind == "not finite":
        edit(path, "landsat", (0, 9, 9, 0), np.nan)
    elif kind == "negative":
        edit(path, "landsat", (0, slice(4, 12)), -3.0)
    elif kind == "negative of no unit":
        edit(path, "landsat", (0, slice(4, 12)), -3.0)
        with h5py.File(path, "r+") as file:
            del file.attrs["units"]
    elif kind == "other scale":
        edit(path, "landsat", (0,), 5000.0)
        with h5py.File(path, "r+") as file:
            del file.attrs["units"]


@pytest.mark.parametrize(
    ("kind", "code", "clause"),
    [
        ("truncated", "RSF-D008", "it is not an intact HDF5 file"),
        ("missing key", "RSF-D008", "it holds no landsat"),
        ("external link", "RSF-D008", "which is not followed"),
        ("wrong order", "RSF-D014", "they do not rise"),
        ("not finite", "RSF-D008", "landsat of patch 0 is nan in row 9, column 9"),
        ("negative", "RSF-D010", "radiance cannot be negative"),
        ("negative of no unit", "RSF-D010", "cannot be in the unit of the training (radiance): radiance cannot be"),
        ("other scale", "RSF-D010", "cannot be in the unit of the training (radiance): the training saw"),
    ],
)
def test_a_bad_file_of_patches_is_refused(first, tmp_path, capsys, kind, code, clause):
    path = write_scene(tmp_path / "a/test_patches.h5", 1)
    spoil(path, kind)
    error = refused(capsys, code, "--input {} --output {}", first, path, tmp_path / "out.h5")
    assert clause in error and not (tmp_path / "out.h5").exists()


def test_wavelengths_in_micrometres_are_read_as_such(first, tmp_path):
    path = write_plain(tmp_path / "p.h5", 1, landsat=3, wavelengths=WAVELENGTH_NM / 1000)
    assert predict("--input {} --output {}", first, path, tmp_path / "out.h5") == 0
    with h5py.File(tmp_path / "out.h5") as file:
        np.testing.assert_allclose(file.attrs["wavelengths"], WAVELENGTH_NM)


@pytest.mark.parametrize(
    ("values", "tags", "code", "clause"),
    [
        (draw_landsat(9, 9, count=7), {"units": "radiance"}, "RSF-D003", "has 7 bands"),
        (draw_landsat(9, 9), {"units": "reflectance"}, "RSF-D010", "another unit"),
        (-draw_landsat(9, 9), {"units": "radiance"}, "RSF-D010", "radiance cannot be negative"),
        (draw_landsat(9, 9).astype(np.int16), {}, "RSF-D010", "states no scale"),
    ],
)
def test_a_scene_of_another_kind_is_refused(first, tmp_path, capsys, values, tags, code, clause):
    path = write_landsat(tmp_path / "scene.tif", values, tags=tags)
    error = refused(capsys, code, "--input {} --output {}", first, path, tmp_path / "out.tif")
    assert clause in " ".join(error.split()) and not (tmp_path / "out.tif").exists()


@pytest.mark.parametrize(
    ("line", "source", "output", "code"),
    [
        ("--overwrite --skip-existing", "s.tif", "o.tif", "RSF-U005"),
        ("--values collection2 --scale-offset 1 0", "s.tif", "o.tif", "RSF-U005"),
        ("--tile 20", "s.tif", "o.tif", "RSF-U005"),
        ("--project", "s.tif", "o.tif", "RSF-U005"),
        ("", "s.tif", "o.png", "RSF-U006"),
        ("", "s.tif", "o.h5", "RSF-U006"),
        ("", "p.h5", "o.tif", "RSF-U006"),
        ("", "", "o.tif", "RSF-U005"),
        ("", "s.tif", "s.tif", "RSF-U005"),
        ("", "s.tif", "there.tif", "RSF-U004"),
        ("", "s.tif", "there.img", "RSF-U004"),
        ("", "none.tif", "o.tif", "RSF-D001"),
        ("", "notes.txt", "out", "RSF-D001"),
        ("", "empty", "out", "RSF-D001"),
    ],
)
def test_what_does_not_go_together_is_refused_before_any_work(first, tmp_path, capsys, line, source, output, code):
    folder = tmp_path / "in"
    write_landsat(folder / "s.tif", draw_landsat(9, 9))
    write_scene(folder / "p.h5", 1)
    for name in ("notes.txt", "there.tif", "there.hdr"):
        (folder / name).touch()
    (folder / "empty").mkdir()
    before = sorted(folder.iterdir())
    refused(capsys, code, f"--input {{}} --output {{}} {line}", first, folder / source, folder / output)
    assert sorted(folder.iterdir()) == before


def test_a_checkpoint_of_stage_2_is_no_stage_1(tmp_path, capsys):
    path = write_landsat(tmp_path / "scene.tif", draw_landsat(9, 9))
    error = refused(
        capsys, "RSF-C004", "--input {} --output {}", write_stage2(tmp_path / "2.pth"), path, tmp_path / "o.tif"
    )
    assert "2.pth" in error


def test_an_earlier_prediction_is_kept_or_replaced(first, tmp_path, capsys):
    write_landsat(tmp_path / "in/a.tif", draw_landsat(9, 9))
    line = "--input {} --output {} --json"
    assert predict(line, first, tmp_path / "in", tmp_path / "out") == 0
    shutil.copy(tmp_path / "in/a.tif", tmp_path / "in/b.tif")
    before = (tmp_path / "out/a.tif").stat().st_mtime_ns
    capsys.readouterr()
    assert predict(f"{line} --skip-existing", first, tmp_path / "in", tmp_path / "out") == 0
    result = told(capsys)
    assert result["there"] == 1 and [file["name"] for file in result["files"]] == ["b.tif"]
    assert (tmp_path / "out/a.tif").stat().st_mtime_ns == before
    assert predict(f"{line} --overwrite", first, tmp_path / "in", tmp_path / "out") == 0
    assert (tmp_path / "out/a.tif").stat().st_mtime_ns > before


def test_a_plan_writes_nothing(first, tmp_path, capsys):
    write_landsat(tmp_path / "in/a.tif", draw_landsat(300, 20))
    write_scene(tmp_path / "in/p.h5", 2)
    assert predict("--input {} --output {} --tile 26 --dry-run", first, tmp_path / "in", tmp_path / "out") == 0
    plan = capsys.readouterr().out
    assert "300 x 20 pixels in 38 tiles" in plan and "2 patches" in plan and not (tmp_path / "out").exists()


def test_a_scene_without_a_place_or_a_pixel_is_said(first, tmp_path, capsys):
    path = write_landsat(tmp_path / "s.tif", np.full((9, 9, 3), np.nan, np.float32), crs=None)
    assert predict("--input {} --output {}", first, path, tmp_path / "o.tif") == 0
    assert "has no valid pixel" in capsys.readouterr().err
    with rasterio.open(tmp_path / "o.tif") as source:
        assert (source.read() == -9999).all()


@pytest.mark.parametrize("kind", ["scene.tif", "patches.h5"])
def test_spectra_that_are_not_finite_are_refused_by_name_and_not_written(kind, tmp_path, capsys):
    count, source = 3 if kind == "scene.tif" else 7, tmp_path / kind
    network = draw_stage1(count=count)
    torch.nn.init.constant_(network.leave.weight, 3e38)
    broken = write_stage1(tmp_path / "broken.pth", network, count=count)
    write_landsat(source, draw_landsat(20, 20)) if kind == "scene.tif" else write_plain(source)
    error = refused(capsys, "RSF-T004", "--input {} --output {}", broken, source, tmp_path / "out" / kind)
    assert f"where: {source}" in error and "another checkpoint" in error
    assert not list(tmp_path.glob("out/*"))
