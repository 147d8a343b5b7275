from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from rsforge.data.cubes import hdf5_file
from rsforge.data.cubes.hdf5_file import LazyRows
from rsforge.data.io.image_reader import UnreadableError


@pytest.fixture
def file(tmp_path: Path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["group/numbers"] = np.arange(6.0)
        file["group/again"] = file["group/numbers"]
        file["group/circle"] = file["group"]
        file["near"] = h5py.SoftLink("/group/numbers")
        file["group/beside"] = h5py.SoftLink("numbers")
        file["nowhere"] = h5py.SoftLink("/missing")
        file["round"] = h5py.SoftLink("/round")
        file["away"] = h5py.ExternalLink("/etc/passwd", "/x")
        file["group/folder"] = h5py.ExternalLink("other.h5", "/")
        file["text"] = "words"
        file["complex"] = np.ones(3, complex)
        file["records"] = np.zeros(3, [("a", "f4"), ("b", "i2")])
        file["references"] = np.array([file["group"].ref], h5py.ref_dtype)
        file["empty"] = h5py.Empty("f4")
        yield file


def reason(action) -> str:
    with pytest.raises(UnreadableError) as caught:
        action()
    return str(caught.value)


def test_numbers_are_listed_once_and_links_are_not_followed(file):
    assert list(hdf5_file.list_numeric_datasets(file)) in (["/empty", "/group/again"], ["/empty", "/group/numbers"])


@pytest.mark.parametrize("name", ["group/numbers", "/group/numbers", "near", "group/beside", "group/circle/numbers"])
def test_names_lead_to_what_lies_in_the_file(file, name):
    assert hdf5_file.read_small(hdf5_file.find_dataset(file, name)).tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("nowhere", "holds no nowhere"),
        ("round", "circle"),
        ("away", "another file, '/etc/passwd'"),
        ("group/folder/deeper", "another file, 'other.h5'"),
        ("group", "is a group"),
        ("group/numbers/deeper", "holds no"),
        ("", "holds no"),
    ],
)
def test_names_that_lead_elsewhere_are_refused(file, name, why):
    assert why in reason(lambda: hdf5_file.find_dataset(file, name))


@pytest.mark.parametrize("name", ["text", "complex", "records", "references"])
def test_what_is_no_number_is_refused(file, name):
    assert "no real numbers" in reason(lambda: hdf5_file.check_dataset(file[name]))


def test_nothing_is_no_array(file):
    assert "is empty" in reason(lambda: hdf5_file.check_dataset(file["empty"]))


def test_values_in_other_files_are_refused(tmp_path: Path):
    (tmp_path / "raw").write_bytes(b"secret secret secret")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file.create_dataset("outside", (4,), "u1", external=[(str(tmp_path / "raw"), 0, 4)])
        layout = h5py.VirtualLayout((4,), "u1")
        layout[:] = h5py.VirtualSource(tmp_path / "c.h5", "x", (4,))
        file.create_virtual_dataset("assembled", layout)
        for name, source in (("through", "outside"), ("twice", "assembled")):
            layout = h5py.VirtualLayout((4,), "u1")
            layout[:] = h5py.VirtualSource(file[source])
            file.create_virtual_dataset(name, layout)
        file["inside"] = np.arange(4, dtype="u1")
        layout = h5py.VirtualLayout((4,), "u1")
        layout[:] = h5py.VirtualSource(file["inside"])
        file.create_virtual_dataset("whole", layout)
    with hdf5_file.open_file(tmp_path / "b.h5") as file:
        assert "lie in another file" in reason(lambda: hdf5_file.check_dataset(file["outside"]))
        assert "assembled from other files" in reason(lambda: hdf5_file.check_dataset(file["assembled"]))
        assert "lie in another file" in reason(lambda: hdf5_file.check_dataset(file["through"]))
        assert "itself assembled" in reason(lambda: hdf5_file.check_dataset(file["twice"]))
        assert hdf5_file.read_small(file["whole"]).tolist() == [0, 1, 2, 3]


def test_giant_chunks_and_large_notes_are_refused(tmp_path: Path):
    with h5py.File(tmp_path / "b.h5", "w") as file:
        giant = file.create_dataset("giant", (1 << 15, 1 << 15), "f4", chunks=(1 << 14, 1 << 14), compression="gzip")
        assert "a chunk of /giant" in reason(lambda: hdf5_file.check_dataset(giant))
        long = file.create_dataset("long", (1 << 21,), "f4")
        assert "more than 1,048,576" in reason(lambda: hdf5_file.read_small(long))


def test_a_missing_filter_is_named(tmp_path: Path, monkeypatch):
    with h5py.File(tmp_path / "b.h5", "w") as file:
        packed = file.create_dataset("packed", data=np.zeros(8), chunks=(4,), compression="gzip")
        monkeypatch.setattr(h5py.h5z, "filter_avail", lambda code: False)
        assert "the filter deflate, which is not installed" in reason(lambda: hdf5_file.check_dataset(packed))


def test_damage_is_a_reason(tmp_path: Path):
    path = tmp_path / "b.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=np.arange(4000.0).reshape(40, 100), chunks=(40, 100), compression="gzip")
    whole = path.read_bytes()
    path.write_bytes(whole[:-2000])
    assert "not an intact HDF5 file" in reason(lambda: hdf5_file.open_file(path).__enter__())
    path.write_bytes(whole[:-2000] + bytes(2000))
    with hdf5_file.open_file(path) as file:
        assert "cannot be read" in reason(lambda: LazyRows(hdf5_file.check_dataset(file["x"])).read_rows(0, 40))
    assert "regular" in reason(lambda: hdf5_file.open_file(tmp_path).__enter__())


class Counted:
    """An array that writes down which rows were asked for."""

    name, chunks = "counted", (4, 3)

    def __init__(self) -> None:
        self.values, self.asked = np.arange(30).reshape(10, 3), []
        self.shape, self.dtype = self.values.shape, self.values.dtype

    def __getitem__(self, rows):
        self.asked.append((rows.start, rows.stop))
        return self.values[rows]


def test_rows_are_read_by_whole_chunks_once():
    source = Counted()
    lazy = LazyRows(source)
    assert [lazy.read_rows(k, k + 1).tolist() for k in range(10)] == [[row] for row in source.values.tolist()]
    assert source.asked == [(0, 4), (4, 8), (8, 10)] and len(lazy) == 10
    assert np.array_equal(lazy.read_rows(3, 7), source.values[3:7]) and source.asked[-1] == (0, 8)


def test_a_slab_beyond_the_limit_is_not_kept():
    source = Counted()
    lazy = LazyRows(source, max_slab=1)
    assert np.array_equal(lazy.read_rows(2, 6), source.values[2:6]) and source.asked == [(2, 6)]


def test_what_is_given_away_is_a_copy():
    lazy = LazyRows(Counted())
    lazy.read_rows(0, 2)[:] = -1
    assert lazy.read_rows(0, 1).tolist() == [[0, 1, 2]]


def test_rows_out_of_the_array_are_an_error():
    with pytest.raises(IndexError):
        LazyRows(Counted()).read_rows(5, 11)
