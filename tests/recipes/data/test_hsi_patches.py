"""Cubes to patches, through the command line."""

from __future__ import annotations

import errno
import json
import os
import signal
from fractions import Fraction

import h5py
import numpy as np
import pytest
import scipy.io

from rsforge import durable
from rsforge.data.cubes.resample import apply_along, area_weights
from rsforge.data.cubes.spectral_response import integrate_response, load_response
from rsforge.recipes.data.hsi_patches import describe
from tests.worlds.commands import rsforge
from tests.worlds.spectral_cubes import (
    CUT,
    KEPT,
    WAVELENGTHS,
    draw_cube,
    list_outputs,
    printed_result,
    write_envi,
)


def test_patches_are_what_landsat_would_see(cubes, tmp_path, capsys):
    assert rsforge(f"data hsi-patches --input {{}} --output-dir {{}} {CUT} --json", cubes, tmp_path / "out") == 0
    result = printed_result(capsys)
    assert result["scenes"] == {f"flight_{k}_img": 6 for k in range(3)} and result["patches"] == 18
    assert set(result["bands"].values()) == {int(KEPT.sum())} and result["left_out"] == {}
    assert min(result["coverage"].values()) > 0.99 and result["landsat_size"] == 2
    weights = integrate_response(load_response("landsat8"), WAVELENGTHS.round(3)[KEPT], widest_nm=31).weights
    down = area_weights(15, Fraction(15, 2))
    with h5py.File(tmp_path / "out" / "flight_1_img" / "test_patches.h5") as file:
        row, col, height, width = file["window"][4]
        assert (row, col, height, width) == (15, 15, 15, 15)
        values = draw_cube(1)[15:30, 15:30].astype(np.float32)[..., KEPT]
        assert np.array_equal(file["aviris"][4], values)
        assert file["landsat_native"][4] == pytest.approx(apply_along(down, down, values @ weights.T), rel=1e-5)
        assert file["landsat"].shape == (6, 15, 15, 7) and file["valid"][:].all()
        assert file.attrs["downsampling_factor"] == 7.5 and file.attrs["factor"] == "15/2"
        assert file.attrs["landsat_response"] == pytest.approx(weights, abs=1e-9)
        assert file.attrs["wavelengths"] == pytest.approx(WAVELENGTHS[KEPT], abs=1e-3)
        assert file.attrs["good_band_mask"].tolist() == KEPT.astype(int).tolist()
        assert (
            file.attrs["landsat_bands"].tolist()[:2] == ["coastal", "blue"]
            and file.attrs["source"] == "flight_1_img.hdr"
        )
    assert json.loads((tmp_path / "out" / "dataset.json").read_text())["kind"] == "patches"


def test_a_patch_of_256_has_34_landsat_pixels(tmp_path, capsys):
    values = np.broadcast_to(np.arange(1, 214, dtype=np.float32), (256, 257, 213))
    path = write_envi(tmp_path / "big", values)
    ranges = "--drop-nm 0-600,700-3000"
    (tmp_path / "red.csv").write_text("nm,red\n630,0\n655,1\n680,0\n")
    line = f"data hsi-patches --input {{}} --output-dir {{}} --sensor {{}} {ranges} --json"
    assert rsforge(line, path, tmp_path / "out", tmp_path / "red.csv") == 0
    assert printed_result(capsys)["landsat_size"] == 34
    with h5py.File(tmp_path / "out" / "big" / "test_patches.h5") as file:
        assert file["landsat"].shape == (1, 256, 256, 1) and file["landsat_native"].shape == (1, 34, 34, 1)
        assert file["aviris"].shape[:3] == (1, 256, 256)


def test_bands_from_long_to_short_wavelengths_are_turned(tmp_path, capsys):
    values, line = draw_cube(0, 16, 16), "data hsi-patches --input {} --output-dir {} --patch-size 16 --factor 4"
    rising = write_envi(tmp_path / "in" / "cube", values)
    falling = write_envi(tmp_path / "turned" / "cube", values[..., ::-1].copy())
    header = falling.with_name("cube.hdr")
    listed = ", ".join(f"{w:.3f}" for w in WAVELENGTHS)
    header.write_text(header.read_text().replace(listed, ", ".join(f"{w:.3f}" for w in WAVELENGTHS[::-1])))
    for path in (rising, falling):
        assert rsforge(line, path, tmp_path / "out" / path.parent.name) == 0
    assert "its bands are turned" in capsys.readouterr().err
    files = [h5py.File(tmp_path / "out" / name / "cube" / "test_patches.h5") for name in ("in", "turned")]
    for name in ("aviris", "landsat"):
        assert np.array_equal(*(file[name][:] for file in files))
    for name in ("wavelengths", "cube_wavelengths", "good_band_mask", "landsat_response"):
        assert np.array_equal(*(file.attrs[name] for file in files))
    mixed = list(WAVELENGTHS[::-1])
    mixed[100:102] = mixed[101:99:-1]
    header.write_text(header.read_text().replace(", ".join(f"{w:.3f}" for w in WAVELENGTHS[::-1]),
                                                 ", ".join(f"{w:.3f}" for w in mixed)))  # fmt: skip
    assert rsforge(line, falling, tmp_path / "no") == 3 and not (tmp_path / "no").exists()
    assert "they do not rise" in capsys.readouterr().err


def test_cubes_of_other_kinds_in_one_folder_are_said(tmp_path, capsys):
    for name, unit in (("a", "radiance"), ("b", "reflectance")):
        write_envi(tmp_path / "in" / name, draw_cube(0, 16, 16), more=f"data units = {unit}\n")
    line = "data hsi-patches --input {} --output-dir {} --patch-size 16 --factor 4"
    assert rsforge(line, tmp_path / "in", tmp_path / "out") == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "b and a do not belong together: the unit differs" in said and "train on them apart" in said


def test_a_matrix_with_a_table_of_wavelengths(tmp_path, capsys):
    values = draw_cube(0, 20, 16)
    scipy.io.savemat(tmp_path / "m.mat", {"Y": values.transpose(2, 0, 1).reshape(213, 320, order="F")})
    (tmp_path / "w.txt").write_text("".join(f"{k} {w / 1000:.6f}\n" for k, w in enumerate(WAVELENGTHS)))
    line = "data hsi-patches --input {} --output-dir {} --wavelengths {} --size 20 16 --patch-size 16 --factor 4"
    assert rsforge(line, tmp_path / "m.mat", tmp_path / "out", tmp_path / "w.txt") == 0
    assert "micrometres" in capsys.readouterr().err
    with h5py.File(tmp_path / "out" / "m" / "test_patches.h5") as file:
        assert np.allclose(file["aviris"][0], values[:16, :16, KEPT]) and file["landsat_native"].shape == (1, 4, 4, 7)


def test_a_dry_run_writes_nothing(cubes, tmp_path, capsys):
    line = f"data hsi-patches --input {{}} --output-dir {{}} {CUT} --stride 8 --dry-run --json"
    assert rsforge(line, cubes, tmp_path / "out") == 0
    plan = printed_result(capsys)["plan"]
    assert plan["patches_at_most"] == 3 * 3 * 4
    assert plan["bytes_at_most"] == 36 * 15 * 15 * (int(KEPT.sum()) + 7) * 4 and not (tmp_path / "out").exists()


def test_what_is_there_is_kept_unless_overwritten(cubes, tmp_path, capsys):
    line = f"data hsi-patches --input {{}} --output-dir {{}} {CUT}"
    assert rsforge(line, cubes, tmp_path / "out") == 0
    before = list_outputs(tmp_path / "out")
    assert rsforge(line, cubes / "flight_0_img", tmp_path / "out") == 2
    assert "RSF-U004" in capsys.readouterr().err and list_outputs(tmp_path / "out") == before
    assert rsforge(f"{line} --overwrite", cubes / "flight_0_img", tmp_path / "out") == 0
    assert list_outputs(tmp_path / "out") == ["dataset.json", "flight_0_img/test_patches.h5"]
    other = tmp_path / "out" / "somebody" / "test_patches.h5"
    other.parent.mkdir()
    other.touch()
    assert rsforge(f"{line} --overwrite", cubes / "flight_0_img", tmp_path / "out") == 2
    assert "patches of other data" in capsys.readouterr().err and other.exists()


def test_patches_may_lie_among_the_cubes(cubes, capsys):
    line = f"data hsi-patches --input {{}} --output-dir {{}} {CUT}"
    assert rsforge(line, cubes, cubes) == 2 and "RSF-U005" in capsys.readouterr().err
    for path in cubes.glob("*_img"):
        path.rename(path.with_suffix(".dat"))
    line = f"data hsi-patches --input {{}} --output-dir {{}} {CUT} --overwrite"
    assert rsforge(line, cubes, cubes) == rsforge(line, cubes, cubes) == 0
    assert [name for name in list_outputs(cubes) if name.endswith(".h5")] == [
        f"flight_{k}_img/test_patches.h5" for k in range(3)
    ]


def test_a_full_disk_keeps_the_scenes_that_are_whole(cubes, tmp_path, capsys, monkeypatch):
    syncs = []

    def full(operation):
        syncs.append(operation)
        if operation == "write" and syncs.count("rename") == 1:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(durable, "before_operation", full)
    assert rsforge(f"data hsi-patches --input {{}} --output-dir {{}} {CUT}", cubes, tmp_path / "out") == 6
    assert "RSF-E001" in capsys.readouterr().err and list_outputs(tmp_path / "out") == ["flight_0_img/test_patches.h5"]
    assert not (tmp_path / "out" / "flight_1_img").exists()


@pytest.mark.parametrize(("number", "exit"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_between_patches_and_is_never_lost(cubes, tmp_path, capsys, monkeypatch, number, exit):
    """The signal comes where exceptions are thrown away, as they are in the callbacks of HDF5."""

    class Callback:
        def __del__(self):
            os.kill(os.getpid(), number)

    operations = []

    def late(operation):
        operations.append(operation)
        if operation == "write" and operations.count("rename") == 1 and operations[-2] == "write":
            Callback()

    former = signal.signal(signal.SIGTERM, lambda *_: pytest.fail("not heeded"))
    monkeypatch.setattr(durable, "before_operation", late)
    try:
        assert rsforge(f"data hsi-patches --input {{}} --output-dir {{}} {CUT}", cubes, tmp_path / "out") == exit
    finally:
        signal.signal(signal.SIGTERM, former)
    assert f"RSF-I{exit}" in capsys.readouterr().err
    assert list_outputs(tmp_path / "out") == ["flight_0_img/test_patches.h5"]
    assert not (tmp_path / "out" / "flight_1_img").exists()


@pytest.mark.parametrize("by", ["scene", "block"])
def test_the_patches_are_divided(tmp_path, capsys, by):
    for k in range(3):
        write_envi(tmp_path / "in" / f"flight_{k}_img", draw_cube(k, 8, 80))
    line = f"data hsi-patches --input {{}} --output-dir {{}} --patch-size 8 --factor 2 --split-by {by} --val 0.3 --json"
    assert rsforge(line, tmp_path / "in", tmp_path / "out") == 0
    sizes = printed_result(capsys)["split"]
    record = json.loads((tmp_path / "out" / "split.json").read_text())["sides"]
    assert sizes["train"] == len(record["train"]) and sizes["val"] == len(record["val"]) > 0
    assert all("/test_patches.h5#" in name for names in record.values() for name in names)
    assert rsforge(f"data split --data-dir {{}} --by {by} --val 0.3", tmp_path / "out") == 0


def test_people_read_what_was_cut_where_it_lies_and_what_was_left_out(cubes, tmp_path, capsys):
    line = f"data hsi-patches --input {{}} --output-dir {{}} {CUT}"
    assert rsforge(f"{line} --dry-run", cubes, tmp_path / "out") == 0
    assert "at most 18 patches of 15 x 15 pixels" in capsys.readouterr().out
    assert rsforge(line, cubes, tmp_path / "out") == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("18 patches of 15 x 15 pixels, each with the 7 bands of landsat8 in 2 x 2 pixels")
    assert f"{tmp_path / 'out'}/flight_0_img/test_patches.h5: 6 patches" in told


def test_windows_that_were_left_out_are_counted(cubes, tmp_path):
    facts = {"patch_size": 8, "landsat_size": 1, "output_dir": "o", "coverage": {"red": 0.5}, "sensor": "s",
             "factor": "8", "bands": {}, "bands_dropped": {}, "patches": 1, "scenes": {"a": 1},
             "left_out": {"windows with too few valid pixels": 3}}  # fmt: skip
    told = describe(facts).splitlines()
    assert told[0].startswith("1 patch of 8 x 8 pixels, each with the 1 band of s in 1 x 1 pixels")
    assert "covered in part by the cube: red (50%)" in told and "left out: 3 windows with too few valid pixels" in told
