"""What is checked of cubes and options before patches are cut."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from tests.worlds import awkward_cubes
from tests.worlds.commands import rsforge
from tests.worlds.cube_formats import Stored
from tests.worlds.cube_formats import write_envi as write_envi_cube
from tests.worlds.spectral_cubes import (
    CUT,
    KEPT,
    WAVELENGTHS,
    draw_cube,
    list_outputs,
    printed_result,
    write_envi,
)


def test_invalid_pixels_and_bands_are_left_out(tmp_path, capsys):
    values = draw_cube(0, 30, 30)
    values[..., 7] = -9999
    values[:15, :15] = -9999
    values[20, 20] = np.nan
    values[2, 20, 3] = 99
    bbl = f"bbl = {{{', '.join('0' if k == 9 else '1' for k in range(len(WAVELENGTHS)))}}}\n"
    path = write_envi(tmp_path / "scene.img", values, more=bbl)
    line = f"data hsi-patches --input {{}} --output-dir {{}} {CUT} --valid-range 0 10 --min-valid 0.9 --json"
    assert rsforge(line, path, tmp_path / "out") == 0
    result = printed_result(capsys)
    assert result["scenes"] == {"scene": 3} and result["left_out"] == {"windows with too few valid pixels": 1}
    assert result["bands"] == {"scene": int(KEPT.sum()) - 2}
    with h5py.File(tmp_path / "out" / "scene" / "test_patches.h5") as file:
        assert np.argwhere(file["valid"][:] == 0).tolist() == [[0, 2, 5], [2, 5, 5]]
        assert not file["aviris"][0, 2, 5].any() and np.isfinite(file["aviris"][:]).all()
        assert file["qualities"][0] == pytest.approx(224 / 225)


def test_companions_are_named_and_left_out(cubes, tmp_path, capsys):
    write_envi(cubes / "flight_0_obs", draw_cube(9)[..., :5], wavelengths=False)
    assert rsforge(f"data hsi-patches --input {{}} --output-dir {{}} {CUT}", cubes, tmp_path / "out") == 0
    assert "flight_0_obs.hdr is left out: it has no wavelengths" in capsys.readouterr().err
    assert (
        rsforge(f"data hsi-patches --input {{}} --output-dir {{}} {CUT}", cubes / "flight_0_obs", tmp_path / "x") == 3
    )
    assert "RSF-D014" in capsys.readouterr().err


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
    assert code in capsys.readouterr().err and list_outputs(tmp_path) == [
        f"in/{n}" for n in list_outputs(tmp_path / "in")
    ]


def test_damage_names_the_file(cubes, tmp_path, capsys):
    with (cubes / "flight_1_img").open("r+b") as file:
        file.truncate(1000)
    assert rsforge(f"data hsi-patches --input {{}} --output-dir {{}} {CUT}", cubes, tmp_path / "out") == 3
    error = capsys.readouterr().err
    assert "RSF-D008" in error and "flight_1_img.hdr: the file has 1,000 bytes" in " ".join(error.split())
    assert not (tmp_path / "out").exists()


def test_what_was_assumed_of_values_and_is_hard_to_believe_is_said(tmp_path, capsys):
    values = draw_cube(0, 30, 15)
    values[:3, :3] = -9999
    values[20] = -5
    path = write_envi(tmp_path / "scene.img", values)
    header = path.with_name("scene.img.hdr")
    header.write_text(header.read_text().replace("data ignore value = -9999\n", ""))
    line = f"data hsi-patches --input {{}} --output-dir {{}} {CUT}"
    assert rsforge(line, path, tmp_path / "out") == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "declares no nodata value; -9999 is used as one" in said
    assert "3.4% of its values are negative, down to -5" in said
    with h5py.File(tmp_path / "out" / "scene" / "test_patches.h5") as file:
        assert file["aviris"][:].min() == -5 and (file["valid"][:] == 0).sum() == 9
    values[:] = 1e10
    values[0, 0] = -0.001
    assert rsforge(f"{line} --overwrite", write_envi(path, values), tmp_path / "out") == 0
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
    assert list(printed_result(capsys)["coverage"]) == ["Red"]


@pytest.mark.parametrize(
    ("option", "hint"), [("--factor 7.5/0", "fraction such as 15/2"), ("--drop-nm 5", "1350-1470")]
)
def test_what_an_option_may_be_is_said(cubes, tmp_path, capsys, option, hint):
    assert rsforge(f"data hsi-patches --input {{}} --output-dir {{}} {option}", cubes, tmp_path / "out") == 2
    assert hint in " ".join(capsys.readouterr().err.split())


AWKWARD = "data hsi-patches --input {} --output-dir {} --patch-size 16 --min-valid 0.5"


@pytest.mark.parametrize(
    "draw",
    [
        awkward_cubes.scaled_geotiff, awkward_cubes.scaled_envi, awkward_cubes.emit, awkward_cubes.prisma,
        awkward_cubes.imagery_domain, awkward_cubes.header_beside, awkward_cubes.words_for_bands, awkward_cubes.plural,
        awkward_cubes.micrometres_with_an_underscore, awkward_cubes.zeros_outside,
    ],
)  # fmt: skip
def test_what_metadata_say_is_in_the_patches(tmp_path, capsys, draw):
    """Reflectance of 0.05 to 0.5 at its wavelengths, whatever the file says it by."""
    draw(tmp_path / "in")
    assert rsforge(AWKWARD, tmp_path / "in", tmp_path / "out") == 0
    said = capsys.readouterr().err
    (path,) = (tmp_path / "out").rglob("*.h5")
    with h5py.File(path) as file:
        nm, values, valid = file.attrs["wavelengths"], file["aviris"][0], file["valid"][0] != 0
    truth = awkward_cubes.draw_reflectance(nm)
    assert np.abs(values - truth)[valid].max() < 2e-4 and 400 <= nm.min() <= 410 and nm.max() > 2300
    outside = draw is awkward_cubes.zeros_outside
    assert valid[:, :12].all() and valid[:, 12:].all() == (not outside)
    assert ("64 pixels with 0 in every band are taken as not measured" in said) == outside
    judged = draw in (awkward_cubes.emit, awkward_cubes.words_for_bands)
    assert (nm[(nm > 700) & (nm < 820)].size == 0) == judged


@pytest.mark.parametrize(
    ("draw", "why"),
    [
        (awkward_cubes.marks_short_of_one, "its bbl marks 104 bands, and there are 105"),
        (awkward_cubes.other_unit, "no optical sensor measures at 400 to 2480"),
    ],
)
def test_what_metadata_say_wrongly_is_refused(tmp_path, capsys, draw, why):
    draw(tmp_path / "in")
    assert rsforge(AWKWARD, tmp_path / "in", tmp_path / "out") == 3
    assert why in " ".join(capsys.readouterr().err.split()) and not (tmp_path / "out").exists()


def test_wavelengths_of_a_table_help_where_the_unit_contradicts(tmp_path):
    awkward_cubes.other_unit(tmp_path / "in")
    table = tmp_path / "w.txt"
    table.write_text("\n".join(f"{nm:g}" for nm in awkward_cubes.NM))
    assert rsforge(f"{AWKWARD} --wavelengths {{}}", tmp_path / "in", tmp_path / "out", table) == 0


def test_equal_axes_are_asked_about(tmp_path, capsys):
    awkward_cubes.equal_axes(tmp_path / "in")
    line = f"{AWKWARD} --sensor {{}}"
    (tmp_path / "s.csv").write_text("nm,Red\n600,0\n700,1\n800,0\n")
    assert rsforge(line, tmp_path / "in", tmp_path / "out", tmp_path / "s.csv") == 3
    said = " ".join(capsys.readouterr().err.split())
    assert "fix: say which is that of the bands with --bands-axis first|middle|last" in said
    assert (
        rsforge(f"{line} --bands-axis first --drop-nm none", tmp_path / "in", tmp_path / "out", tmp_path / "s.csv") == 0
    )
    with h5py.File(tmp_path / "out/a/test_patches.h5") as file:
        assert np.allclose(file["aviris"][0], awkward_cubes.draw_reflectance(file.attrs["wavelengths"]))


def test_a_value_in_every_band_is_told_and_left_out_when_named(tmp_path, capsys):
    cube = Stored(awkward_cubes.draw_reflectance(), awkward_cubes.NM)
    cube.values[:, 12:] = -1
    write_envi_cube(tmp_path / "in", cube)
    assert rsforge(f"{AWKWARD} --dry-run", tmp_path / "in", tmp_path / "out") == 0
    assert "leave them out with --fill -1" in " ".join(capsys.readouterr().err.split())
    assert rsforge(f"{AWKWARD} --fill -1", tmp_path / "in", tmp_path / "out") == 0
    assert "64 pixels with -1 in every band are taken as not measured" in " ".join(capsys.readouterr().err.split())
    with h5py.File(tmp_path / "out/cube/test_patches.h5") as file:
        assert (file["valid"][0] != 0).tolist() == [[col < 12 for col in range(16)]] * 16
