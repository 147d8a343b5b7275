from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from multiprocessing.reduction import ForkingPickler

import h5py
import numpy as np
import pytest

from rsforge.data.cubes import hdf5_file
from rsforge.data.io.windows import Window
from rsforge.data.spectra.patch_files import PatchRef, open_patch_file
from rsforge.data.spectra.patch_reader import PatchReader
from rsforge.errors import RsforgeError
from tests.worlds.spectral_patches import edit, write_plain, write_scene


def refusal(patch: PatchRef, window: Window | None = None) -> RsforgeError:
    reader = PatchReader()
    with pytest.raises(RsforgeError) as caught:
        reader.read(patch, window)
    reader.close()
    return caught.value


@pytest.fixture
def opened(monkeypatch):
    """The files that were opened, in this process."""
    names = []
    original = hdf5_file.open_unmanaged

    def counting(path, cache=0):
        names.append(path.name)
        return original(path, cache)

    monkeypatch.setattr(hdf5_file, "open_unmanaged", counting)
    return names


def test_windows_are_what_the_file_holds_and_invalid_pixels_are_zero(tmp_path):
    path = write_scene(tmp_path / "s" / "x.h5", hole=4)
    patch = PatchRef(open_patch_file(path, "x.h5"), 1)
    pixels = PatchReader().read(patch, Window(2, 3, 10, 12))
    with h5py.File(path) as file:
        assert np.array_equal(pixels.spectra, file["aviris"][1, 2:12, 3:15])
        assert np.array_equal(pixels.landsat[5:], file["landsat"][1, 7:12, 3:15])
    assert pixels.valid.sum() == 120 - 2 and not pixels.landsat[:2, :1].any() and pixels.landsat.dtype == np.float32
    assert PatchReader().read(patch).spectra.shape == (30, 30, 12)
    with pytest.raises(IndexError):
        PatchReader().read(patch, Window(25, 0, 10, 10))


def test_a_file_without_mask_has_its_nodata_pixels_invalid(tmp_path):
    path = write_plain(tmp_path / "x.h5")
    edit(path, "aviris", (0, 3, 4, 7), -9999)
    edit(path, "landsat", (0, 5, 6, 0), -32768)
    pixels = PatchReader().read(PatchRef(open_patch_file(path, "x.h5"), 0))
    assert np.argwhere(~pixels.valid).tolist() == [[3, 4], [5, 6]] and pixels.spectra.min() == 0
    edit(path, "aviris", (0, 7, slice(2, 5)), 0)
    assert not PatchReader().read(PatchRef(open_patch_file(path, "x.h5"), 0)).valid[7, 2:5].any()


def test_a_file_is_opened_once_and_few_stay_open(tmp_path, opened):
    patches = [PatchRef(open_patch_file(write_plain(tmp_path / f"{k}.h5"), f"{k}.h5"), 1) for k in range(3)]
    opened.clear()
    reader = PatchReader(most_open=2)
    for k in (0, 0, 1, 0, 1, 2, 1, 0):
        reader.read(patches[k], Window(0, 0, 2, 2))
    assert opened == ["0.h5", "1.h5", "2.h5", "0.h5"]
    reader.close()
    reader.read(patches[0])
    assert opened[4:] == ["0.h5"]


def test_open_files_are_neither_pickled_nor_inherited(tmp_path, opened):
    patch = PatchRef(open_patch_file(write_plain(tmp_path / "x.h5"), "x.h5"), 0)
    opened.clear()
    reader = PatchReader(most_open=5)
    reader.read(patch)
    copy = ForkingPickler.loads(ForkingPickler.dumps(reader))
    assert copy.most_open == 5 and copy.read(patch).valid.all() and opened == ["x.h5"] * 2

    def child(answers):
        answers.put((os.getpid(), float(reader.read(patch).spectra.sum()), len(opened)))

    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    process = context.Process(target=child, args=(answers,))
    process.start()
    pid, total, count = answers.get(timeout=60)
    process.join()
    assert pid != os.getpid() and total == float(reader.read(patch).spectra.sum()) and count == 3
    assert len(opened) == 2


@pytest.mark.parametrize(("name", "shown"), [("aviris", "band 5 (1067.27 nm)"), ("landsat", "band 2")])
def test_a_value_that_is_not_finite_is_named_with_its_place(tmp_path, name, shown):
    path = write_scene(tmp_path / "s" / "x.h5")
    edit(path, name, (1, 8, 9, 4 if name == "aviris" else 1), np.nan)
    patch = PatchRef(open_patch_file(path, "s/x.h5"), 1)
    error = refusal(patch, Window(5, 5, 10, 10))
    assert error.code == "RSF-D008" and f"{name} of patch 1 is nan in row 8, column 9, {shown}" in error.what
    assert error.where == f"{path}#1" and PatchReader().read(patch, Window(10, 10, 5, 5)).valid.all()
    edit(path, "valid", (1, 8, 9), 0)
    again = PatchRef(open_patch_file(path, "s/x.h5"), 1)
    assert np.isfinite(PatchReader().read(again).spectra).all()


def test_a_file_that_changed_is_refused(tmp_path):
    path = write_plain(tmp_path / "x.h5")
    patch = PatchRef(open_patch_file(path, "x.h5"), 0)
    write_plain(path, 5)
    assert "changed since it was first read" in refusal(patch).what
    path.unlink()
    assert refusal(patch).code == "RSF-D008"


def test_a_process_ends_quietly_with_files_open(tmp_path):
    path = write_plain(tmp_path / "x.h5")
    code = (
        "import sys; from pathlib import Path; from rsforge.data.spectra.patch_files import PatchRef, open_patch_file\n"
        "from rsforge.data.spectra.patch_reader import PatchReader\n"
        "reader = PatchReader(); reader.read(PatchRef(open_patch_file(Path(sys.argv[1]), 'x'), 0))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_damage_behind_the_header_is_named(tmp_path):
    path = write_plain(tmp_path / "x.h5")
    with h5py.File(path) as file:
        chunk = file["aviris"].id.get_chunk_info(1)
    data = bytearray(path.read_bytes())
    data[chunk.byte_offset : chunk.byte_offset + 64] = bytes(64)
    path.write_bytes(data)
    file = open_patch_file(path, "x.h5")
    assert PatchReader().read(PatchRef(file, 0)).valid.all()
    assert "cannot be decoded" in refusal(PatchRef(file, 1)).what
