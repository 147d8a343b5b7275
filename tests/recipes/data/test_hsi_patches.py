"""Cubes to patches, through the command line."""

from __future__ import annotations

import errno
import json
import os
import signal
from fractions import Fraction
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io

from rsforge import durable
from rsforge.data.cubes.resample import apply_along, area_weights
from rsforge.data.cubes.spectral_response import integrate_response, load_response
from tests.worlds.commands import rsforge

WAVELENGTHS = np.linspace(376.44, 2500.12, 213)
DROPPED = [(1350, 1470), (1780, 1980), (2400, 3000)]
KEPT = ~np.any([(low <= WAVELENGTHS) & (high >= WAVELENGTHS) for low, high in DROPPED], axis=0)
CUT = "--patch-size 15 --sensor landsat8"


def envi(path: Path, values: np.ndarray, *, wavelengths: bool = True, more: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines, samples, bands = values.shape
    path.write_bytes(values.astype("<f4").transpose(0, 2, 1).tobytes())
    listed = (
        f"wavelength units = nm\nwavelength = {{{', '.join(f'{w:.3f}' for w in WAVELENGTHS)}}}\n" if wavelengths else ""
    )
    path.with_name(path.name + ".hdr").write_text(
        f"ENVI\nsamples = {samples}\nlines = {lines}\nbands = {bands}\ndata type = 4\ninterleave = bil\n"
        f"byte order = 0\ndata ignore value = -9999\n{listed}{more}"
    )
    return path


def cube(number: int, height: int = 32, width: int = 46) -> np.ndarray:
    return np.random.default_rng(number).uniform(1, 5, (height, width, len(WAVELENGTHS)))


@pytest.fixture
def cubes(tmp_path: Path) -> Path:
    for k in range(3):
        envi(tmp_path / "in" / f"flight_{k}_img", cube(k))
    return tmp_path / "in"


def told(capsys) -> dict:
    return json.loads(capsys.readouterr().out.strip().splitlines()[-1])


def outputs(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file() and p.name != ".lock")


def test_patches_are_what_landsat_would_see(cubes, tmp_path, capsys):
    assert rsforge(f"data hsi-patches --input {{}} --output-dir {{}} {CUT} --json", cubes, tmp_path / "out") == 0
    result = told(capsys)
    assert result["scenes"] == {f"flight_{k}_img": 6 for k in range(3)} and result["patches"] == 18
    assert set(result["bands"].values()) == {int(KEPT.sum())} and result["left_out"] == {}
    assert min(result["coverage"].values()) > 0.99 and result["landsat_size"] == 2
    weights = integrate_response(load_response("landsat8"), WAVELENGTHS.round(3)[KEPT], widest_nm=31).weights
    down = area_weights(15, Fraction(15, 2))
    with h5py.File(tmp_path / "out" / "flight_1_img" / "test_patches.h5") as file:
        row, col, height, width = file["window"][4]
        assert (row, col, height, width) == (15, 15, 15, 15)
        values = cube(1)[15:30, 15:30].astype(np.float32)[..., KEPT]
        assert np.array_equal(file["aviris"][4], values)
        assert file["landsat_native"][4] == pytest.approx(apply_along(down, down, values @ weights.T), rel=1e-5)
        assert file["landsat"].shape == (6, 15, 15, 7) and file["valid"][:].all()
        assert file.attrs["downsampling_factor"] == 7.5 and file.attrs["factor"] == "15/2"
        assert file.attrs["wavelengths"] == pytest.approx(WAVELENGTHS[KEPT], abs=1e-3)
        assert file.attrs["good_band_mask"].tolist() == KEPT.astype(int).tolist()
        assert (
            file.attrs["landsat_bands"].tolist()[:2] == ["coastal", "blue"]
            and file.attrs["source"] == "flight_1_img.hdr"
        )
    assert json.loads((tmp_path / "out" / "dataset.json").read_text())["kind"] == "patches"


def test_a_patch_of_256_has_34_landsat_pixels(tmp_path, capsys):
    values = np.broadcast_to(np.arange(1, 214, dtype=np.float32), (256, 257, 213))
    path = envi(tmp_path / "big", values)
    ranges = "--drop-nm 0-600,700-3000"
    (tmp_path / "red.csv").write_text("nm,red\n630,0\n655,1\n680,0\n")
    line = f"data hsi-patches --input {{}} --output-dir {{}} --sensor {{}} {ranges} --json"
    assert rsforge(line, path, tmp_path / "out", tmp_path / "red.csv") == 0
    assert told(capsys)["landsat_size"] == 34
    with h5py.File(tmp_path / "out" / "big" / "test_patches.h5") as file:
        assert file["landsat"].shape == (1, 256, 256, 1) and file["landsat_native"].shape == (1, 34, 34, 1)
        assert file["aviris"].shape[:3] == (1, 256, 256)


def test_invalid_pixels_and_bands_are_left_out(tmp_path, capsys):
    values = cube(0, 30, 30)
    values[..., 7] = -9999
    values[:15, :15] = -9999
    values[20, 20] = np.nan
    values[2, 20, 3] = 99
    bbl = f"bbl = {{{', '.join('0' if k == 9 else '1' for k in range(len(WAVELENGTHS)))}}}\n"
    path = envi(tmp_path / "scene.img", values, more=bbl)
    line = f"data hsi-patches --input {{}} --output-dir {{}} {CUT} --valid-range 0 10 --min-valid 0.9 --json"
    assert rsforge(line, path, tmp_path / "out") == 0
    result = told(capsys)
    assert result["scenes"] == {"scene": 3} and result["left_out"] == {"windows with too few valid pixels": 1}
    assert result["bands"] == {"scene": int(KEPT.sum()) - 2}
    with h5py.File(tmp_path / "out" / "scene" / "test_patches.h5") as file:
        assert np.argwhere(file["valid"][:] == 0).tolist() == [[0, 2, 5], [2, 5, 5]]
        assert not file["aviris"][0, 2, 5].any() and np.isfinite(file["aviris"][:]).all()
        assert file["qualities"][0] == pytest.approx(224 / 225)


def test_companions_are_named_and_left_out(cubes, tmp_path, capsys):
    envi(cubes / "flight_0_obs", cube(9)[..., :5], wavelengths=False)
    assert rsforge(f"data hsi-patches --input {{}} --output-dir {{}} {CUT}", cubes, tmp_path / "out") == 0
    assert "flight_0_obs.hdr is left out: it has no wavelengths" in capsys.readouterr().err
    assert (
        rsforge(f"data hsi-patches --input {{}} --output-dir {{}} {CUT}", cubes / "flight_0_obs", tmp_path / "x") == 3
    )
    assert "RSF-D014" in capsys.readouterr().err


def test_a_matrix_with_a_table_of_wavelengths(tmp_path, capsys):
    values = cube(0, 20, 16)
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
    plan = told(capsys)["plan"]
    assert plan["patches_at_most"] == 3 * 3 * 4
    assert plan["bytes_at_most"] == 36 * 15 * 15 * (int(KEPT.sum()) + 7) * 4 and not (tmp_path / "out").exists()


def test_what_is_there_is_kept_unless_overwritten(cubes, tmp_path, capsys):
    line = f"data hsi-patches --input {{}} --output-dir {{}} {CUT}"
    assert rsforge(line, cubes, tmp_path / "out") == 0
    before = outputs(tmp_path / "out")
    assert rsforge(line, cubes / "flight_0_img", tmp_path / "out") == 2
    assert "RSF-U004" in capsys.readouterr().err and outputs(tmp_path / "out") == before
    assert rsforge(f"{line} --overwrite", cubes / "flight_0_img", tmp_path / "out") == 0
    assert outputs(tmp_path / "out") == ["dataset.json", "flight_0_img/test_patches.h5"]
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
    assert [name for name in outputs(cubes) if name.endswith(".h5")] == [
        f"flight_{k}_img/test_patches.h5" for k in range(3)
    ]


@pytest.mark.parametrize(
    ("options", "code", "exit"),
    [
        ("--patch-size 64", "RSF-D004", 3),
        ("--patch-size 8 --factor 9", "RSF-U005", 2),
        ("--factor 0.5", "RSF-U005", 2),
        ("--factor 15/0", "RSF-U001", 2),
        ("--drop-nm 1350", "RSF-U001", 2),
        ("--drop-nm 1470-1350", "RSF-U005", 2),
        ("--bands red,purple", "RSF-U007", 2),
        ("--drop-nm 300-3000", "RSF-D014", 3),
        ("--drop-nm 640-670", "RSF-D014", 3),
        ("--sensor landsat5", "RSF-U007", 2),
        ("--valid-range 10 1", "RSF-U005", 2),
        ("--patch-size 15 --min-valid 1 --valid-range 100 200", "RSF-D004", 3),
        ("--patch-size 15 --split-by scene --val 0.99", "RSF-D004", 3),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_written(cubes, tmp_path, capsys, options, code, exit):
    assert (
        rsforge(f"data hsi-patches --input {{}} --output-dir {{}} {options}", cubes / "flight_0_img", tmp_path / "out")
        == exit
    )
    assert code in capsys.readouterr().err and outputs(tmp_path) == [f"in/{n}" for n in outputs(tmp_path / "in")]


def test_damage_names_the_file(cubes, tmp_path, capsys):
    with (cubes / "flight_1_img").open("r+b") as file:
        file.truncate(1000)
    assert rsforge(f"data hsi-patches --input {{}} --output-dir {{}} {CUT}", cubes, tmp_path / "out") == 3
    error = capsys.readouterr().err
    assert "RSF-D008" in error and "flight_1_img.hdr: the file has 1,000 bytes" in " ".join(error.split())
    assert not (tmp_path / "out").exists()


def test_a_full_disk_keeps_the_scenes_that_are_whole(cubes, tmp_path, capsys, monkeypatch):
    syncs = []

    def full(operation):
        syncs.append(operation)
        if operation == "write" and syncs.count("rename") == 1:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(durable, "before_operation", full)
    assert rsforge(f"data hsi-patches --input {{}} --output-dir {{}} {CUT}", cubes, tmp_path / "out") == 6
    assert "RSF-E001" in capsys.readouterr().err and outputs(tmp_path / "out") == ["flight_0_img/test_patches.h5"]
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
    assert outputs(tmp_path / "out") == ["flight_0_img/test_patches.h5"]
    assert not (tmp_path / "out" / "flight_1_img").exists()


def test_what_was_assumed_of_values_and_is_hard_to_believe_is_said(tmp_path, capsys):
    values = cube(0, 30, 15)
    values[:3, :3] = -9999
    values[20] = -5
    path = envi(tmp_path / "scene.img", values)
    header = path.with_name("scene.img.hdr")
    header.write_text(header.read_text().replace("data ignore value = -9999\n", ""))
    line = f"data hsi-patches --input {{}} --output-dir {{}} {CUT}"
    assert rsforge(line, path, tmp_path / "out") == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "declares no nodata value; -9999 is taken as one" in said
    assert "3.4% of its values are negative, down to -5" in said
    with h5py.File(tmp_path / "out" / "scene" / "test_patches.h5") as file:
        assert file["aviris"][:].min() == -5 and (file["valid"][:] == 0).sum() == 9
    values[:] = 1e10
    values[0, 0] = -0.001
    assert rsforge(f"{line} --overwrite", envi(path, values), tmp_path / "out") == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "its values reach 1e+10" in said and "negative" not in said and "nodata" not in said


def test_bands_that_a_cube_covers_can_be_chosen(cubes, tmp_path, capsys):
    table = tmp_path / "mine.csv"
    table.write_text("nm,Red,Cirrus\n630,0,0\n655,1,0\n680,0,0\n1360,0,0\n1380,0,1\n1400,0,0\n")
    line = "data hsi-patches --input {} --output-dir {} --sensor {} --patch-size 15"
    assert rsforge(line, cubes, tmp_path / "out", table) == 3
    error = capsys.readouterr().err
    assert "RSF-D014" in error and "Cirrus 0%" in error and "--bands Red" in error
    assert rsforge(f"{line} --bands Red --json", cubes, tmp_path / "out", table) == 0
    assert list(told(capsys)["coverage"]) == ["Red"]


@pytest.mark.parametrize(
    ("option", "hint"), [("--factor 7.5/0", "fraction such as 15/2"), ("--drop-nm 5", "1350-1470")]
)
def test_what_an_option_may_be_is_said(cubes, tmp_path, capsys, option, hint):
    assert rsforge(f"data hsi-patches --input {{}} --output-dir {{}} {option}", cubes, tmp_path / "out") == 2
    assert hint in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("by", ["scene", "block"])
def test_the_patches_are_divided(tmp_path, capsys, by):
    for k in range(3):
        envi(tmp_path / "in" / f"flight_{k}_img", cube(k, 8, 80))
    line = f"data hsi-patches --input {{}} --output-dir {{}} --patch-size 8 --factor 2 --split-by {by} --val 0.3 --json"
    assert rsforge(line, tmp_path / "in", tmp_path / "out") == 0
    sides = told(capsys)["split"]
    record = json.loads((tmp_path / "out" / "split.json").read_text())["sides"]
    assert sides["train"] == len(record["train"]) and sides["val"] == len(record["val"]) > 0
    assert all("/test_patches.h5#" in name for side in record.values() for name in side)
    assert rsforge(f"data split --data-dir {{}} --by {by} --val 0.3", tmp_path / "out") == 0
