"""Pairs are judged once, squared alike, mirrored alike, and never swapped for other files unnoticed."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from rsforge.data.images.augment import to_square
from rsforge.data.pairs.dataset import PairDataset, judge_pairs, read_optical_square, read_sar_square
from rsforge.data.pairs.index import find_pairs
from rsforge.data.pairs.pair import Pair
from rsforge.data.pairs.reading import open_pair, rgb_to_grey
from rsforge.data.sar.radiometry import EIGHT_BIT, Radiometry
from rsforge.data.views.view import PairViews, View
from rsforge.errors import RsforgeError
from rsforge.seeds import derive
from tests.worlds.geotiff_pairs import geotiffs
from tests.worlds.pairs import fields, save, write_pairs


@pytest.fixture
def world(tmp_path):
    write_pairs(tmp_path, ("agri", "urban"), count=3, size=24)
    return find_pairs(tmp_path).pairs


def judged(pairs, **options):
    found, refused = judge_pairs(pairs, EIGHT_BIT, **options)
    assert refused == []
    return found


def dataset(pairs, size=24, **options):
    return PairDataset(judged(pairs), radiometry=EIGHT_BIT, image_size=size, seed=3, **options)


def pictures(root, name, sar, optical) -> Pair:
    return Pair(name, save(root / "s1" / f"{name}.png", sar), save(root / "s2" / f"{name}.png", optical))


def test_a_judged_pair_tells_size_bands_and_contents(world):
    one = judged(world)[0]
    files = tuple(hashlib.sha256(path.read_bytes()).hexdigest() for path in (world[0].sar, world[0].optical))
    assert (one.name, one.height, one.width, one.sar_bands, one.files) == (world[0].name, 24, 24, 1, files)
    assert one.digest == hashlib.sha256("".join(files).encode()).hexdigest()


def test_what_cannot_be_used_is_named_with_its_reason(world, tmp_path):
    steps = []
    world[0].sar.write_bytes(b"broken")
    save(world[1].optical, np.zeros((24, 24), np.uint8))
    save(world[2].optical, np.zeros((24, 20, 3), np.uint8))
    float_pair = geotiffs(tmp_path / "agri", np.full((24, 24, 1), -9.0), np.ones((24, 24, 3), np.uint8))
    found, refused = judge_pairs([*world, float_pair], EIGHT_BIT, progress=lambda: steps.append(1))
    assert [one.name for one in found] == [pair.name for pair in world[3:]] and len(steps) == 7
    assert [(name, error.code) for name, error in refused] == [
        (world[0].name, "RSF-D002"),
        (world[1].name, "RSF-D009"),
        (world[2].name, "RSF-D009"),
        ("a", "RSF-D010"),
    ]
    assert len(judge_pairs(world, EIGHT_BIT, allow_gray_optical=True)[0]) == 4


def test_a_pair_of_the_right_size_stays_as_it_is(world):
    data = dataset(world)
    sar, optical = data[5, 1]
    first, second, _ = open_pair(world[1], EIGHT_BIT)
    assert sar.dtype == optical.dtype == torch.float32 and sar.shape == (1, 24, 24) and optical.shape == (3, 24, 24)
    assert np.array_equal(sar.permute(1, 2, 0).numpy(), first)
    assert np.array_equal(optical.permute(1, 2, 0).numpy(), second)


def test_decibels_of_the_right_size_stay_as_they_are(tmp_path):
    values = np.random.default_rng(0).uniform(-30, 5, (16, 16, 2)).astype(np.float32)
    pair = geotiffs(tmp_path, values, np.ones((16, 16, 3), np.uint8))
    decibel = Radiometry("db", -25, 0)
    found, _ = judge_pairs([pair], decibel)
    assert found[0].sar_bands == 2
    sar, _ = PairDataset(found, radiometry=decibel, image_size=16, seed=0)[0, 0]
    assert np.array_equal(sar.permute(1, 2, 0).numpy(), decibel.to_unit(values))


@pytest.mark.parametrize(("height", "width"), [(48, 48), (30, 50), (50, 31), (10, 14)])
def test_both_images_are_scaled_and_cropped_by_one_geometry(tmp_path, height, width):
    """The same picture on both sides stays the same picture, up to the two roundings of eight bits."""
    grey = np.asarray(Image.fromarray(fields(64, 4)[0]).resize((width, height)))
    pair = pictures(tmp_path, "a", grey, np.repeat(grey[..., None], 3, 2))
    sar, optical = dataset([pair], size=24)[0, 0]
    assert sar.shape == (1, 24, 24) and sar.abs().max() <= 1
    assert (sar - optical).abs().max() <= 2.01 / 255
    expected = to_square(np.repeat(grey[..., None], 3, 2), 24).float() / 255 * 2 - 1
    torch.testing.assert_close(optical, expected)


def test_sixteen_bits_of_the_right_size_stay_as_they_are(tmp_path):
    values = np.random.default_rng(0).integers(0, 5000, (16, 16)).astype(np.uint16)
    pair = pictures(tmp_path, "a", values, fields(16, 1)[1])
    numbers = Radiometry("dn", 0, 4000)
    found, _ = judge_pairs([pair], numbers)
    sar, _ = PairDataset(found, radiometry=numbers, image_size=16, seed=0)[0, 0]
    expected = np.clip(values / 4000 * 2 - 1, -1, 1).astype(np.float32)
    torch.testing.assert_close(sar[0], torch.from_numpy(expected))


def test_a_smaller_sar_image_is_antialiased(tmp_path):
    board = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)
    sar, _ = dataset([pictures(tmp_path, "a", board, fields(64, 1)[1])], size=16)[0, 0]
    assert sar[:, 2:-2, 2:-2].abs().max() < 0.02


def test_a_larger_sar_image_keeps_its_range(tmp_path):
    """Bicubic resampling overshoots beside an edge from black to white."""
    edge = np.repeat([[0, 255]], 4, axis=1).repeat(8, axis=0).astype(np.uint8)
    sar, _ = dataset([pictures(tmp_path, "a", edge, fields(8, 1)[1])], size=24)[0, 0]
    assert sar.min() == -1 and sar.max() == 1


def test_colours_of_sar_images_count_as_grey(tmp_path):
    rgb = fields(24, 2)[1]
    pair = pictures(tmp_path, "a", rgb, rgb)
    one = judged([pair])[0]
    assert one.sar_bands == 1
    luma = np.asarray(Image.fromarray(rgb).convert("L"))
    sar, _ = dataset([pair])[0, 0]
    torch.testing.assert_close(sar[0], torch.from_numpy(luma / np.float32(255) * 2 - 1))
    assert np.array_equal(rgb_to_grey(rgb)[..., 0], luma)
    floats = rgb.astype(np.float32)
    assert rgb_to_grey(floats) is floats and rgb_to_grey(rgb[..., :2]).shape[-1] == 2


def test_both_images_are_mirrored_alike_by_epoch_and_index_alone(world):
    data, plain = dataset(world, flip=0.5), dataset(world)
    coins = []
    for epoch in range(12):
        for index in range(6):
            (sar, optical), (x, y) = data[epoch, index], plain[0, index]
            coin = not torch.equal(sar, x)
            assert torch.equal(sar, x.flip(-1) if coin else x) and torch.equal(optical, y.flip(-1) if coin else y)
            coins.append(coin)
    assert 18 < sum(coins) < 54 and coins[:6] != coins[6:12]
    assert all(torch.equal(data.plain()[3, k][1], plain[0, k][1]) for k in range(6))


def test_a_half_turn_turns_both_images_and_leaves_mirrored_ones_upside_down(world):
    plain, turned = dataset(world), dataset(world, half_turn=1.0)
    both, seldom = dataset(world, flip=1.0, half_turn=1.0), dataset(world, flip=0.5, half_turn=0.5)
    for index in range(6):
        for image, one, two in zip(plain[0, index], turned[0, index], both[0, index], strict=True):
            assert torch.equal(one, image.rot90(2, (-2, -1))) and torch.equal(two, image.flip(-2))
    assert all(torch.equal(turned.plain()[3, k][0], plain[0, k][0]) for k in range(6))
    views = [[x, x.flip(-1), x.flip(-2), x.flip((-2, -1))] for x in (plain[0, k][0] for k in range(6))]
    seen = [
        next(k for k, view in enumerate(views[i]) if torch.equal(seldom[e, i][0], view))
        for e in range(20)
        for i in range(6)
    ]
    assert min(seen.count(k) for k in range(4)) > 15


def test_pairs_are_mirrored_as_before_there_were_half_turns(world):
    plain, mirrored = dataset(world), dataset(world, flip=0.5, half_turn=0.5)
    for key in [(epoch, index) for epoch in range(4) for index in range(6)]:
        coin = torch.rand((), generator=torch.Generator().manual_seed(derive(3, "mirror", *key))).item() < 0.5
        x, image = plain[key][0], mirrored[key][0]
        assert any(torch.equal(image, view.flip(-1) if coin else view) for view in (x, x.rot90(2, (-2, -1))))


def test_kept_or_opened_and_helped_by_workers_are_the_same(world):
    kept, opened = dataset(world, 16, flip=0.5), dataset(world, 16, flip=0.5, keep_bytes=6 * 7 * 16**2 - 1)
    assert kept.sar.cached is not None and opened.sar.cached is None and kept.optical.cached.dtype == torch.uint8
    keys = [(epoch, index) for epoch in range(2) for index in range(6)]
    for sampled in (kept, opened):
        helped = DataLoader(sampled, batch_size=6, sampler=keys, num_workers=2, multiprocessing_context="fork")
        for key, (sar, optical) in zip((0, 1), helped, strict=True):
            assert torch.equal(sar, torch.stack([kept[key, i][0] for i in range(6)]))
            assert torch.equal(optical, torch.stack([kept[key, i][1] for i in range(6)]))


def test_what_is_kept_cannot_be_changed_from_outside(world):
    data = dataset(world)
    sar, optical = data[0, 0]
    before = sar.clone()
    sar.zero_(), optical.zero_()
    assert torch.equal(data[0, 0][0], before) and len(data) == 6 and data.name(0) == world[0].name


@pytest.mark.parametrize("side", ["sar", "optical"])
@pytest.mark.parametrize("fate", ["vanished", "changed"])
@pytest.mark.parametrize("keep_bytes", [0, 1 << 30])
def test_a_file_that_is_not_what_was_judged_is_named(world, side, fate, keep_bytes):
    found, path = judged(world), getattr(world[2], side)
    if fate == "vanished":
        path.unlink()
    else:
        save(path, fields(24, 99)[side == "optical"])
    with pytest.raises(RsforgeError) as caught:
        PairDataset(found, radiometry=EIGHT_BIT, image_size=24, seed=0, keep_bytes=keep_bytes)[0, 2]
    assert caught.value.code == "RSF-D002" and str(path) in caught.value.what and caught.value.where == str(path)


def test_sides_too_unequal_are_named(tmp_path):
    pair = pictures(tmp_path, "a", np.zeros((2, 8000), np.uint8), np.zeros((2, 8000, 3), np.uint8))
    with pytest.raises(RsforgeError) as caught:
        dataset([pair], size=256)
    assert caught.value.code == "RSF-D003" and str(pair.sar) == caught.value.where


def test_squares_of_nothing_are_nothing(world):
    assert len(PairDataset([], radiometry=EIGHT_BIT, image_size=16, seed=0)) == 0


def test_one_image_alone_is_the_one_of_the_pair(world):
    sar, optical = dataset(world, 16)[0, 4]
    assert torch.equal(read_sar_square(world[4].sar, EIGHT_BIT, 16), sar)
    assert torch.equal(read_optical_square(world[4].optical, 16, False).float() / 255 * 2 - 1, optical)


def test_renamed_files_keep_their_digest(world, tmp_path):
    pair = world[0]
    moved = replace(pair, name="other", sar=pair.sar.rename(tmp_path / "other.png"))
    assert (
        judged([moved])[0].digest
        == hashlib.sha256(
            "".join(hashlib.sha256(p.read_bytes()).hexdigest() for p in (moved.sar, moved.optical)).encode()
        ).hexdigest()
    )


def test_pairs_say_where_both_images_hold_data(tmp_path):
    """Gaps of SAR by a declared value, of optical images by another; masks are mirrored as the images are."""
    decibel = Radiometry("db", -25, 0)
    for name in "ab":
        (tmp_path / name).mkdir()
    values = np.full((16, 16, 1), -9.0, np.float32)
    values[:4] = 99
    colours = np.full((16, 16, 3), 100, np.uint8)
    colours[:, :3] = 7
    whole = geotiffs(tmp_path / "a", np.full((16, 16, 1), -9.0, np.float32), np.ones((16, 16, 3), np.uint8))
    gaps = geotiffs(tmp_path / "b", values, colours, nodata=99)
    gaps = replace(gaps, views=PairViews(optical=View(fill=7)))
    found = [judge_pairs([pair], decibel)[0][0] for pair in (replace(whole, views=gaps.views), gaps)]
    assert [one.gaps for one in found] == [(False, False), (True, True)]
    for keep_bytes in (1 << 20, 0):
        data = PairDataset(
            found, radiometry=decibel, image_size=16, seed=3, flip=0.5, half_turn=0.5, keep_bytes=keep_bytes
        )
        corners = set()
        for epoch in range(12):
            (sar, optical), mask = data[epoch, 1], data.valid((epoch, 1))
            assert torch.equal(mask, (sar > -1) & (optical > -1).any(0, keepdim=True)) and mask.sum() == 12 * 13
            assert data.valid((epoch, 0)).all()
            corners.add(tuple(mask[0, [0, 0, -1, -1], [0, -1, 0, -1]].tolist()))
        assert len(corners) == 4
    assert not PairDataset(found[:1], radiometry=decibel, image_size=16, seed=3).has_gaps
