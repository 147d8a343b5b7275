from __future__ import annotations

import errno
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import h5py
import numpy as np
import pytest

from rsforge import durable
from rsforge.data.cubes.patches import SLACK, Simulation, write_patches
from rsforge.data.io.windows import Window
from tests.worlds.cube_patches import WEIGHTS, draw_patches


def test_landsat_is_the_area_mean_of_the_weighted_bands():
    values = np.random.default_rng(0).uniform(0, 1, (15, 15, 4)).astype(np.float32)
    patch = Simulation.for_patches(WEIGHTS, 15, Fraction(15, 2)).simulate(
        Window(0, 0, 15, 15), values.copy(), np.ones((15, 15), bool)
    )
    assert patch.landsat_native.shape == (2, 2, 2) and patch.landsat.shape == (15, 15, 2) and patch.quality == 1
    edge = np.r_[np.ones(7), 0.5]
    weigh = np.outer(edge, edge)[..., None]
    expected = (values[:8, :8] * weigh).sum((0, 1)) / 7.5**2 @ WEIGHTS.T
    assert patch.landsat_native[0, 0] == pytest.approx(expected, rel=1e-6)
    assert np.array_equal(patch.aviris, values)


def test_invalid_pixels_are_zero_and_do_not_count():
    values = np.ones((15, 15, 4), np.float32)
    valid = np.ones((15, 15), bool)
    values[:8, :8], valid[:8, :8] = -9999, False
    patch = Simulation.for_patches(WEIGHTS, 15, Fraction(15, 2)).simulate(Window(0, 0, 15, 15), values, valid)
    assert patch.native_valid.tolist() == [[False, True], [True, True]]
    assert patch.landsat_native[..., 0].tolist() == [[0, 1], [1, 1]] and np.allclose(patch.landsat, 1)
    assert patch.aviris.sum() == 4 * valid.sum() and patch.quality == pytest.approx(valid.mean())


def test_files_hold_what_the_document_says(tmp_path):
    path = tmp_path / "scene" / "test_patches.h5"
    assert write_patches(path, "scene", draw_patches(3), {"sensor": "x", "wavelengths": np.arange(4.0)}) == 3
    with h5py.File(path) as file:
        assert file["aviris"].shape == (3, 15, 15, 4) and file["landsat"].shape == (3, 15, 15, 2)
        assert file["landsat_native"].shape == (3, 2, 2, 2) and file["valid"][1, 0, 1] == 0
        for name in ("aviris", "landsat", "landsat_native"):
            array = file[name]
            assert array.dtype == np.float32 and array.chunks == (1, *array.shape[1:])
            assert (array.compression, array.compression_opts, array.shuffle) == ("gzip", 4, True)
            assert tuple(file.attrs[f"{name}_shape"]) == array.shape[1:]
        assert file["scene"].asstr()[:].tolist() == ["scene"] * 3
        assert file["window"].dtype == np.int32 and file["window"][2].tolist() == [0, 2, 15, 15]
        assert file["qualities"][:] == pytest.approx(224 / 225)
        assert file.attrs["n_patches"] == file.attrs["num_patches"] == 3 and file.attrs["sensor"] == "x"


def test_large_patches_are_stored_in_small_tiles_with_all_bands(tmp_path):
    """A crop decodes the tiles it touches; small images, such as masks, stay one chunk."""
    patch = next(draw_patches(1, size=270))
    write_patches(tmp_path / "x.h5", "s", [patch], {})
    with h5py.File(tmp_path / "x.h5") as file:
        assert file["aviris"].chunks == (1, 16, 16, 4) and file["valid"].chunks == (1, 270, 270)
        assert np.array_equal(file["aviris"][0], patch.aviris)


def test_the_same_patches_make_the_same_bytes(tmp_path):
    for name in "ab":
        write_patches(tmp_path / name, "s", draw_patches(2), {"sensor": "x"})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_no_patches_leave_no_file(tmp_path):
    assert write_patches(tmp_path / "s" / "x.h5", "s", iter(()), {}) == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("at", [0, 1, 3])
def test_a_full_disk_leaves_what_was_there(tmp_path, monkeypatch, at):
    path = tmp_path / "x.h5"
    path.write_text("before")
    writes = []

    def full(operation):
        writes.append(operation)
        if operation == "write" and writes.count("write") > at:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(durable, "before_operation", full)
    with pytest.raises(OSError) as caught:
        write_patches(path, "s", draw_patches(4), {})
    assert caught.value.errno == errno.ENOSPC
    assert path.read_text() == "before" and [p.name for p in tmp_path.iterdir()] == ["x.h5"]


FULL = """
import resource, sys
from pathlib import Path
from rsforge.errors import from_os_error
from tests.worlds.cube_patches import draw_patches
from rsforge.data.cubes.patches import write_patches
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
try:
    write_patches(Path(sys.argv[1]), "s", draw_patches(6), {})
except OSError as error:
    print(from_os_error(error).code)
"""


@pytest.mark.parametrize("room", [1 << 10, SLACK + 15_000])
def test_a_disk_that_is_really_full_ends_in_an_error(tmp_path, room):
    """The library itself would end the process, at the failure or when it ends."""
    command = [sys.executable, "-c", FULL, str(tmp_path / "x.h5"), str(room)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[3])
    assert (done.returncode, done.stdout, done.stderr) == (0, "RSF-E001\n", "")
    assert list(tmp_path.iterdir()) == []


def test_what_was_reserved_is_given_back(tmp_path):
    write_patches(tmp_path / "x.h5", "s", draw_patches(2), {})
    assert (tmp_path / "x.h5").stat().st_size < SLACK // 4


def test_an_error_between_patches_leaves_what_was_there(tmp_path):
    def broken():
        yield from draw_patches(1)
        raise RuntimeError("the cube ended")

    for name in ("x.h5", "new/deep/x.h5"):
        with pytest.raises(RuntimeError, match="ended"):
            write_patches(tmp_path / name, "s", broken(), {})
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["aviris", "window", "qualities"])
def test_a_flipped_bit_in_a_stored_chunk_is_noticed_by_whoever_reads_it(tmp_path, name):
    path = tmp_path / "test_patches.h5"
    write_patches(path, "scene", draw_patches(2), {})
    with h5py.File(path) as file:
        chunk = file[name].id.get_chunk_info(0)
    data = bytearray(path.read_bytes())
    data[chunk.byte_offset + 4] ^= 1
    path.write_bytes(data)
    with h5py.File(path) as file, pytest.raises(OSError):
        file[name][:]
