"""Shards of WebDataset that are written are read back as they were."""

from __future__ import annotations

import io
import tarfile

import pytest

from rsforge.data.captions.webdataset import read_samples
from rsforge.data.captions.webdataset_output import CaptionedFile, holds_shard, write_shard
from rsforge.errors import RsforgeError
from tests.worlds.published_layouts import save


@pytest.fixture
def images(tmp_path):
    names = {"a.png": ["one"], "b/c.v2.PNG": ["a river .", "ein Fluß"], "a.jpg": ["a port"]}
    for seed, name in enumerate(names):
        save(tmp_path / name, seed)
    sides = {"a.jpg": "val"}
    return [CaptionedFile(name, tmp_path / name, texts, sides.get(name, "")) for name, texts in names.items()]


def shard(images) -> bytes:
    file = io.BytesIO()
    write_shard(file, images)
    return file.getvalue()


def test_what_is_written_is_read_back(tmp_path, images):
    (tmp_path / "x.tar").write_bytes(shard(images))
    samples = list(read_samples(tmp_path / "x.tar"))
    assert [sample.reason for sample in samples] == ["", "", ""]
    assert [sample.key for sample in samples] == ["a", "b/c_v2", "a_2"]
    assert [sample.image for sample in samples] == [image.path.read_bytes() for image in images]
    assert [sample.captions for sample in samples] == [image.captions for image in images]
    assert [sample.side for sample in samples] == ["", "", "val"]


def test_equal_images_and_captions_give_equal_bytes(tmp_path, images):
    data = shard(images)
    images[0].path.touch()
    assert shard(images) == data
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert {(member.mtime, member.uid, member.uname) for member in tar} == {(0, 0, "")}
    (tmp_path / "x.tar").write_bytes(data)
    assert holds_shard(tmp_path / "x.tar", images)
    for other in (data + b"\0", data[:-1], data.replace(b"one", b"two")):
        (tmp_path / "x.tar").write_bytes(other)
        assert not holds_shard(tmp_path / "x.tar", images)


def test_an_image_that_is_gone_is_named(images):
    images[1].path.unlink()
    with pytest.raises(RsforgeError, match=r"c\.v2\.PNG") as refused:
        shard(images)
    assert refused.value.code == "RSF-D002"
