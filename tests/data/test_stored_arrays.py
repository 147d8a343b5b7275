from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from rsforge import durable
from rsforge.data.stored_arrays import check_array, open_array, write_array
from rsforge.errors import RsforgeError

SHAPE = (5, 2, 2, 3, 4, 4)
VALUES = torch.randn(SHAPE, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "values.npy"


@pytest.mark.parametrize("shape", [SHAPE, (5, 1, 2, 7)])
@pytest.mark.parametrize("batch", [1, 2, 5])
def test_what_is_written_is_read(path: Path, shape: tuple[int, ...], batch: int) -> None:
    values = torch.randn(shape)
    write_array(path, values.split(batch), shape)
    read = open_array(path, shape)
    assert isinstance(read, np.memmap) and not read.flags.writeable and read.dtype == np.float32
    assert np.array_equal(read, values.numpy())
    assert np.array_equal(np.load(path, allow_pickle=False), values.numpy())


def test_half_precision_and_strided_batches_are_written_right(path: Path) -> None:
    values = torch.randn(4, 2, 2, 6, dtype=torch.float16).requires_grad_().transpose(0, 1)
    write_array(path, [values], values.shape)
    assert np.array_equal(open_array(path, (2, 4, 2, 6)), values.detach().float().numpy())


@pytest.mark.parametrize("shape", [(6, *SHAPE[1:]), (4, *SHAPE[1:]), (5, 1, *SHAPE[2:])])
def test_batches_that_do_not_add_up_leave_no_file(path: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError):
        write_array(path, VALUES.split(2), shape)
    assert list(path.parent.iterdir()) == []


def test_a_fault_at_any_operation_leaves_all_or_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    operations: list[str] = []
    monkeypatch.setattr(durable, "before_operation", operations.append)
    write_array(path, VALUES.split(2), SHAPE)
    assert {"write", "fsync", "rename", "fsync folder"} <= set(operations)
    path.unlink()
    for fatal in range(operations.index("rename") + 1):
        count = 0

        def fail(operation: str, fatal: int = fatal) -> None:
            nonlocal count
            count += 1
            if count > fatal:
                raise OSError(28, "No space left on device")

        monkeypatch.setattr(durable, "before_operation", fail)
        with pytest.raises(OSError, match="No space left"):
            write_array(path, VALUES.split(2), SHAPE)
        assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("damage", ["absent", "empty", "short", "header", "shape", "type", "order", "objects"])
def test_unusable_arrays_are_refused(path: Path, damage: str) -> None:
    write_array(path, [VALUES], SHAPE)
    data = path.read_bytes()
    if damage == "absent":
        path.unlink()
    elif damage == "objects":
        np.save(path, np.array([{}, {}], object), allow_pickle=True)
    elif damage in ("shape", "type", "order"):
        changed = {"shape": VALUES[:4], "type": VALUES.double(), "order": VALUES}[damage].numpy()
        np.save(path, np.asfortranarray(changed) if damage == "order" else changed)
    else:
        path.write_bytes({"empty": b"", "short": data[:-49], "header": b"\0" + data[1:]}[damage])
    with pytest.raises(RsforgeError) as caught:
        open_array(path, SHAPE)
    assert caught.value.code == "RSF-D003" and str(path) in caught.value.what


@pytest.mark.parametrize(
    "damage", ["zeros", "one bit", "NaN", "no digest", "another name", "digest", "short", "longer"]
)
def test_arrays_that_are_not_what_was_written_are_noticed(path: Path, damage: str) -> None:
    write_array(path, VALUES.split(2), SHAPE)
    check_array(path, SHAPE)
    data, first = bytearray(path.read_bytes()), path.stat().st_size - 48 - VALUES.numel() * 4
    if damage == "another name":
        path = path.rename(path.with_name("others.npy"))
    elif damage == "zeros":
        path.write_bytes(data[:first] + bytes(VALUES.numel() * 4) + data[-48:])
    elif damage in ("one bit", "digest"):
        data[{"one bit": first + 401, "digest": -1}[damage]] ^= 4
        path.write_bytes(data)
    elif damage == "NaN":
        changed = VALUES.clone()
        changed[3] = math.nan
        path.write_bytes(data[:first] + changed.numpy().tobytes() + data[-48:])
    else:
        path.write_bytes({"no digest": data[:-48], "short": data[:-1], "longer": data + b"x"}[damage])
    open_array(path, SHAPE)
    with pytest.raises(RsforgeError) as caught:
        check_array(path, SHAPE)
    assert caught.value.code == "RSF-D003" and "digest" in caught.value.found
