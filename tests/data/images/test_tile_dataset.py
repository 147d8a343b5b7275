from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from rsforge.data.images.tile_dataset import Tile, TileDataset, scan, scan_one, split_digest
from rsforge.errors import RsforgeError


def tiles(count: int) -> list[Tile]:
    return [Tile(Path(f"{k}.png"), f"{k:03d}.png", f"{k:064x}", 8, 8) for k in range(count)]


def test_scan_lists_what_is_there(folder: Path) -> None:
    steps: list[tuple[int, int]] = []
    index = scan(folder, progress=lambda done, total: steps.append((done, total)))
    names = [tile.name for tile in index.tiles]
    assert names == sorted(names) and len(names) == 12 and names[0] == "class_0/00.png"
    assert {(tile.width, tile.height) for tile in index.tiles} == {(12, 12)}
    assert steps == [(k, 12) for k in range(1, 13)]
    assert index.summary() == "12 images"
    assert scan(folder) == index and scan(folder).digest == index.digest


def test_copies_are_counted_once(folder: Path) -> None:
    shutil.copytree(folder / "class_1", folder / "all")
    index = scan(folder)
    assert len(index.tiles) == 12
    assert index.duplicates[0] == ("class_1/01.png", "all/01.png")
    assert index.summary() == "12 images, 6 duplicates left out"


def test_one_file_is_an_index_of_one(folder: Path, noise) -> None:
    path = folder / "class_0" / "00.png"
    index = scan_one(path)
    assert index.tiles == [replace(t, name="00.png") for t in scan(folder).tiles if t.path == path]
    assert index.summary() == "1 image"
    path.write_bytes(b"not a picture")
    with pytest.raises(RsforgeError, match="cannot read the image") as caught:
        scan_one(path)
    assert caught.value.code == "RSF-D002" and caught.value.where == str(path)


def test_an_excluded_folder_is_not_entered_by_any_name(folder: Path, tmp_path: Path) -> None:
    (folder / "link").symlink_to(folder / "class_1")
    names = [tile.name for tile in scan(folder, exclude=folder / "class_0" / ".." / "class_1").tiles]
    assert names == [f"class_0/{k:02d}.png" for k in range(0, 12, 2)]
    assert len(scan(folder, exclude=tmp_path / "absent").tiles) == 12


def test_the_digest_knows_names_and_contents(folder: Path, noise) -> None:
    before = scan(folder).digest
    (folder / "class_0" / "00.png").rename(folder / "class_0" / "zz.png")
    renamed = scan(folder).digest
    Image.fromarray(noise(99)).save(folder / "class_0" / "zz.png")
    assert len({before, renamed, scan(folder).digest}) == 3


def test_bad_images_are_refused_or_left_out(folder: Path) -> None:
    good = (folder / "class_0" / "00.png").read_bytes()
    for k in range(6):
        (folder / f"bad_{k}.png").write_bytes(good[: 60 + k])
    with pytest.raises(RsforgeError, match="6 images cannot be read") as caught:
        scan(folder)
    error = caught.value
    assert error.code == "RSF-D002" and "--on-bad skip" in error.fix
    assert all(f"bad_{k}.png" in error.found for k in range(5)) and "bad_5.png" not in error.found
    assert "and 1 more" in error.found
    index = scan(folder, on_bad="skip")
    assert [name for name, _ in index.bad] == [f"bad_{k}.png" for k in range(6)]
    assert index.summary() == "12 images, 6 unreadable left out"


def test_only_bad_images_are_no_images(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"not a picture")
    with pytest.raises(RsforgeError) as caught:
        scan(tmp_path, on_bad="skip")
    assert caught.value.code == "RSF-D001"
    assert caught.value.what.startswith(f"No images found in {tmp_path}")


def test_a_progress_that_raises_ends_the_scan(folder: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scan(folder, progress=stop)


def test_the_digest_of_a_split_says_which_tiles_are_held_out() -> None:
    first, second = tiles(2)
    assert (
        len({split_digest(*split) for split in ([(first, second), ()], [(first,), (second,)], [(), (first, second)])})
        == 3
    )


def test_images_come_as_they_are(folder: Path) -> None:
    index = scan(folder)
    data = TileDataset(index.tiles, image_size=12, seed=0, flip=0.0)
    assert len(data) == 12 and data.name(3) == index.tiles[3].name
    pixels = np.array(Image.open(index.tiles[3].path))
    expected = torch.from_numpy(pixels).permute(2, 0, 1).float() / 127.5 - 1
    torch.testing.assert_close(data[5, 3], expected)
    assert torch.equal(data[0, 3], data[9, 3])


@pytest.mark.parametrize("keep_bytes", [0, 1 << 30])
def test_plain_tiles_share_what_is_kept(folder: Path, keep_bytes: int, monkeypatch) -> None:
    found = scan(folder).tiles
    changed = TileDataset(found, image_size=8, seed=3, flip=1.0, jitter=0.5, keep_bytes=keep_bytes)
    expected = TileDataset(found, image_size=8, seed=3, flip=0.0)
    if keep_bytes:
        monkeypatch.setattr("rsforge.data.images.tile_dataset.read_bytes", lambda path: pytest.fail("read again"))
    plain = changed.plain()
    assert plain.cached is changed.cached and len(plain) == 12
    assert all(torch.equal(plain[2, k], expected[0, k]) for k in range(12))
    assert not torch.equal(changed[2, 0], plain[2, 0])


@pytest.mark.parametrize("size", [8, 16])
def test_kept_and_read_on_demand_are_equal(folder: Path, size: int) -> None:
    found = scan(folder).tiles
    kept = TileDataset(found, image_size=size, seed=3, jitter=0.2)
    read = TileDataset(found, image_size=size, seed=3, jitter=0.2, keep_bytes=12 * 3 * size**2 - 1)
    assert kept.cached is not None and read.cached is None
    for key in [(0, 0), (1, 0), (4, 11)]:
        assert torch.equal(kept[key], read[key])
    assert kept[0, 0].shape == (3, size, size) and kept[0, 0].dtype == torch.float32


@pytest.mark.parametrize("keep_bytes", [0, 1 << 30])
def test_workers_do_not_matter(folder: Path, keep_bytes: int) -> None:
    data = TileDataset(scan(folder).tiles, image_size=8, seed=3, jitter=0.2, keep_bytes=keep_bytes)
    keys = [(epoch, index) for epoch in range(2) for index in range(12)]
    alone = list(DataLoader(data, batch_size=4, sampler=keys))
    helped = list(DataLoader(data, batch_size=4, sampler=keys, num_workers=2, multiprocessing_context="fork"))
    assert all(torch.equal(a, b) for a, b in zip(alone, helped, strict=True))


@pytest.mark.parametrize("fate", ["vanished", "changed", "truncated"])
@pytest.mark.parametrize("keep_bytes", [0, 1 << 30])
def test_a_file_that_is_not_what_was_scanned_is_named(folder: Path, noise, fate: str, keep_bytes: int) -> None:
    found = scan(folder).tiles
    path = found[4].path
    if fate == "vanished":
        path.unlink()
    elif fate == "changed":
        Image.fromarray(noise(77)).save(path)
    else:
        path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(RsforgeError) as caught:
        TileDataset(found, image_size=8, seed=0, keep_bytes=keep_bytes)[0, 4]
    assert caught.value.code == "RSF-D002" and str(path) in caught.value.what


def test_an_unusable_shape_names_its_file(tmp_path: Path) -> None:
    Image.new("RGB", (9000, 1)).save(tmp_path / "hair.png")
    with pytest.raises(RsforgeError) as caught:
        TileDataset(scan(tmp_path).tiles, image_size=256, seed=0)
    assert caught.value.code == "RSF-D003" and caught.value.where.endswith("hair.png")


def test_a_random_crop_lies_elsewhere_in_each_epoch_and_is_the_same_for_one_key(tmp_path: Path) -> None:
    ramp = np.broadcast_to(np.arange(80, dtype=np.uint8)[None, :, None], (20, 80, 3))
    Image.fromarray(np.ascontiguousarray(ramp)).save(tmp_path / "wide.png")
    found = scan(tmp_path).tiles
    data = TileDataset(found, image_size=20, seed=1, flip=0.0, random_crop=True)
    lefts = [round(float((data[epoch, 0][0, 0, 0] + 1) * 127.5)) for epoch in range(40)]
    assert min(lefts) < 15 and max(lefts) > 45 and len(set(lefts)) > 15 and data.cached is None
    assert torch.equal(data[3, 0], data[3, 0])
    centre = TileDataset(found, image_size=20, seed=1, flip=0.0)
    assert torch.equal(data.plain()[3, 0], centre[0, 0]) and round(float((centre[0, 0][0, 0, 0] + 1) * 127.5)) == 30


def test_an_image_without_data_is_a_bad_one(folder: Path, noise) -> None:
    Image.fromarray(np.dstack([noise(9, 8, 8), np.zeros((8, 8), np.uint8)])).save(folder / "empty.png")
    with pytest.raises(RsforgeError, match="cannot be read") as caught:
        scan(folder)
    assert "empty.png: none of its pixels holds data" in caught.value.found
