from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
import scipy.io

from rsforge.data.cubes.mat5 import list_variables, load_variable
from rsforge.data.io.image_reader import UnreadableError

DTYPES = ["f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"]


def element(order: str, kind: int, data: bytes) -> bytes:
    return struct.pack(f"{order}II", kind, len(data)) + data + bytes(-len(data) % 8)


def by_hand(
    order: str, values: np.ndarray, *, packed: bool, name: bytes = b"x", flags: int = 6, stored: int = 9
) -> bytes:
    """A file of one array, as the format's description has it."""
    head = b"MATLAB 5.0".ljust(124) + struct.pack(f"{order}H", 0x0100) + {"<": b"IM", ">": b"MI"}[order]
    inside = element(order, 6, struct.pack(f"{order}II", flags, 0))
    inside += element(order, 5, np.array(values.shape, f"{order}i4").tobytes())
    # A name of up to four letters stands in the tag of its element.
    inside += struct.pack(f"{order}I", len(name) << 16 | 1) + name.ljust(4, b"\0")
    inside += element(order, stored, values.tobytes("F"))
    array = struct.pack(f"{order}II", 14, len(inside)) + inside
    if packed:
        pressed = zlib.compress(array)
        array = struct.pack(f"{order}II", 15, len(pressed)) + pressed
    return head + array


@pytest.mark.parametrize("compressed", [False, True])
def test_every_class_is_read_as_scipy_wrote_it(tmp_path, compressed):
    rng = np.random.default_rng(0)
    arrays = {f"a_longer_name_{d}": rng.integers(0, 100, (3, 4, 5)).astype(d) for d in DTYPES}
    arrays |= {"flags": rng.random((2, 3)) > 0.5, "one": np.array([[7.0]]), "none": np.zeros((0, 3))}
    others = {"cells": np.array([1, "a"], object), "record": {"x": 1}, "text": "words"}
    scipy.io.savemat(tmp_path / "a.mat", arrays | others, do_compression=compressed)
    found = list_variables(tmp_path / "a.mat")
    assert list(found) == sorted(arrays)
    for name, expected in arrays.items():
        values = load_variable(tmp_path / "a.mat", found[name])
        assert np.array_equal(values, expected) and values.dtype == (expected.dtype if name != "flags" else np.uint8)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("packed", [False, True])
def test_both_byte_orders_are_read(tmp_path, order, packed):
    values = np.arange(6.0).reshape(2, 3).astype(f"{order}f8")
    (tmp_path / "a.mat").write_bytes(by_hand(order, values, packed=packed))
    found = list_variables(tmp_path / "a.mat")["x"]
    assert found.shape == (2, 3) and np.array_equal(load_variable(tmp_path / "a.mat", found), values)


def test_numbers_stored_small_keep_their_class(tmp_path):
    values = np.array([[1, 2, 250]], np.uint8)
    (tmp_path / "a.mat").write_bytes(by_hand("<", values, packed=False, stored=2))
    loaded = load_variable(tmp_path / "a.mat", list_variables(tmp_path / "a.mat")["x"])
    assert loaded.dtype == np.float64 and loaded.tolist() == [[1, 2, 250]]


def test_complex_values_are_listed_and_refused(tmp_path):
    (tmp_path / "a.mat").write_bytes(by_hand("<", np.ones((2, 2)), packed=False, flags=6 | 0x0800))
    with pytest.raises(UnreadableError, match="complex"):
        load_variable(tmp_path / "a.mat", list_variables(tmp_path / "a.mat")["x"])


def test_a_declared_size_must_be_there(tmp_path):
    data = bytearray(by_hand("<", np.ones((2, 2)), packed=False))
    at = data.index(struct.pack("<2i", 2, 2))
    data[at : at + 8] = struct.pack("<2i", 2000, 2000)
    (tmp_path / "a.mat").write_bytes(data)
    with pytest.raises(UnreadableError, match="not the size that it declares"):
        load_variable(tmp_path / "a.mat", list_variables(tmp_path / "a.mat")["x"])


def test_a_bomb_is_not_inflated_to_be_listed(tmp_path):
    inside = element("<", 6, struct.pack("<II", 6, 0)) + element("<", 5, np.array([1 << 14, 1 << 14], "<i4").tobytes())
    inside += element("<", 1, b"bomb") + struct.pack("<II", 9, 1 << 31)
    pressed = zlib.compress(struct.pack("<II", 14, 1 << 31) + inside + bytes(1 << 24))
    head = b"MATLAB 5.0".ljust(124) + struct.pack("<H", 0x0100) + b"IM"
    (tmp_path / "a.mat").write_bytes(head + struct.pack("<II", 15, len(pressed)) + pressed)
    found = list_variables(tmp_path / "a.mat")["bomb"]
    assert found.shape == (1 << 14, 1 << 14)
    with pytest.raises(UnreadableError, match="ends within"):
        load_variable(tmp_path / "a.mat", found)


@pytest.mark.parametrize("cut", [50, 130, 180, 200])
def test_a_short_file_is_refused(tmp_path, cut):
    (tmp_path / "a.mat").write_bytes(by_hand("<", np.ones((2, 2)), packed=False)[:cut])
    with pytest.raises(UnreadableError):
        list_variables(tmp_path / "a.mat")
