from __future__ import annotations

import zipfile

import pytest
import torch

from rsforge.engine.checkpoint_archive import check_archive
from rsforge.errors import RsforgeError


def refused(path):
    with pytest.raises(RsforgeError) as caught:
        check_archive(path, "checkpoint")
    return caught.value.code


def test_what_torch_writes_passes(tmp_path):
    torch.save({"w": torch.ones(3)}, tmp_path / "a.pt")
    check_archive(tmp_path / "a.pt", "checkpoint")


def test_compressed_records_are_refused_from_the_directory(tmp_path):
    """A few kB that torch.load would make 64 MiB of."""
    with zipfile.ZipFile(tmp_path / "a.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", b"")
        archive.writestr("a/data/0", bytes(64 << 20))
    assert refused(tmp_path / "a.pt") == "RSF-C003"


def test_records_that_overlap_are_damage(tmp_path):
    """The directory names one stored record many times: together they are larger than the file."""
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
        archive.writestr("a/data.pkl", bytes(1000))
        first = archive.infolist()[0]
        for i in range(9):
            other = zipfile.ZipInfo(f"a/data/{i}")
            other.header_offset, other.file_size, other.compress_size, other.CRC = 0, 1000, 1000, first.CRC
            archive.filelist.append(other)
        archive._didModify = True
    assert refused(tmp_path / "a.pt") == "RSF-C002"


def test_another_archive_is_foreign_and_a_torn_one_damaged(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
        archive.writestr("notes.txt", "hello")
    assert refused(tmp_path / "a.pt") == "RSF-C003"
    (tmp_path / "b.pt").write_bytes((tmp_path / "a.pt").read_bytes()[:-30])
    assert refused(tmp_path / "b.pt") == "RSF-C002"
