"""Two sets: every image has its turn, partners are drawn anew, nothing depends on who asks."""

from __future__ import annotations

import numpy as np
import torch

from rsforge.data.io.rasters import read_info
from rsforge.data.pairs.layouts import find_layout
from rsforge.data.pairs.pair import Pair
from rsforge.data.pairs.unpaired_dataset import (
    OneModality,
    UnpairedDataset,
    UnpairedImage,
    judge_image,
    list_unpaired_images,
    split_pair,
)
from rsforge.data.sar.radiometry import EIGHT_BIT
from tests.worlds.pairs import fields, save
from tests.worlds.rasters import NORTH_UP, write


class Numbers:
    """Images that show their number."""

    def __init__(self, count: int, channels: int) -> None:
        self.count, self.channels = count, channels

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> torch.Tensor:
        return torch.arange(2.0).expand(self.channels, 2, 2) + 10 * index


def numbers(data, epoch):
    items = [data[epoch, k] for k in range(len(data))]
    return [int(x.min()) // 10 for x, _ in items], [int(y.min()) // 10 for _, y in items]


def sets(sar, optical, **options):
    names = [f"sar {k}" for k in range(sar)]
    return UnpairedDataset(Numbers(sar, 1), Numbers(optical, 3), names, seed=7, **options)


def test_the_larger_set_counts_and_the_smaller_starts_over():
    for one, other in ((3, 7), (7, 3), (5, 5)):
        data = sets(one, other)
        assert len(data) == max(one, other)
        first, second = numbers(data, 0)
        assert first == [k % one for k in range(len(data))]
        assert set(second) == set(range(other))
        assert max(map(second.count, set(second))) == -(-len(data) // other)
    assert sets(3, 7).name(4) == "sar 1"


def test_partners_are_drawn_by_seed_and_epoch():
    data = sets(9, 9)
    orders = [tuple(numbers(data, epoch)[1]) for epoch in range(4)]
    assert len(set(orders)) == 4 and numbers(data, 2)[1] == list(orders[2])
    data.seed = 8
    assert tuple(numbers(data, 0)[1]) != orders[0]
    assert numbers(sets(4, 6, shuffle_partners=False), 3)[1] == list(range(6))


def test_both_are_mirrored_and_plain_ones_are_not():
    data = sets(4, 4, flip=1.0)
    x, y = data[0, 0]
    assert x[0, 0, 0] > x[0, 0, 1] and y[0, 0, 0] > y[0, 0, 1]
    x, _ = data.plain()[0, 0]
    assert x[0, 0, 0] < x[0, 0, 1]


def test_both_are_turned_and_plain_ones_are_not():
    data = sets(4, 4, half_turn=1.0)
    for turned, plain in zip(data[0, 0], data.plain()[0, 0], strict=True):
        assert torch.equal(turned, plain.flip((-2, -1))) and not torch.equal(turned, plain)


def test_half_of_pairs():
    pairs = sets(4, 4, shuffle_partners=False)
    assert len(OneModality(pairs, 1)) == 4 and torch.equal(OneModality(pairs, 1)[2], pairs[0, 2][1])


def test_images_are_listed_with_the_scenes_that_names_tell(tmp_path):
    sar, optical = fields(16, 0)
    save(tmp_path / "agri/s1/ROIs1970_fall_s1_4_p10.png", sar)
    save(tmp_path / "agri/s1/ROIs1970_fall_s1_4_p9.png", sar)
    save(tmp_path / "agri/s2/whatever.png", optical)
    outside = save(tmp_path.parent / "outside.png", optical)
    (tmp_path / "agri/s2/link.png").symlink_to(outside)
    layout = find_layout(tmp_path, "auto")
    found = list_unpaired_images(tmp_path, layout.name, layout.groups[0])
    assert [(image.name.split("/")[-1], image.modality, image.scene) for image in found] == [
        ("ROIs1970_fall_s1_4_p9.png", 1, "ROIs1970_fall_4"),
        ("ROIs1970_fall_s1_4_p10.png", 1, "ROIs1970_fall_4"),
        ("whatever.png", 2, ""),
    ]
    assert found[0].pairs == ("agri/ROIs1970_fall_s1_4_p9", "agri/ROIs1970_fall_4_p9")


def test_a_link_inside_the_folder_is_an_image(tmp_path):
    sar, optical = fields(16, 0)
    save(tmp_path / "s2/a.png", optical)
    (tmp_path / "s1").mkdir()
    (tmp_path / "s1/b.png").symlink_to(save(tmp_path / "store/b.png", sar))
    layout = find_layout(tmp_path, "terrain")
    assert [image.name for image in list_unpaired_images(tmp_path, layout.name, layout.groups[0])] == [
        "s1/b.png",
        "s2/a.png",
    ]


def test_the_halves_of_a_pair_know_it(tmp_path):
    pair = Pair("agri/a", tmp_path / "agri/s1/a.png", tmp_path / "agri/s2/a.png", scene="field")
    assert split_pair(pair, tmp_path) == [
        UnpairedImage(pair.sar, "agri/s1/a.png", 1, "field", ("agri/a",)),
        UnpairedImage(pair.optical, "agri/s2/a.png", 2, "field", ("agri/a",)),
    ]


def test_an_image_is_judged_by_its_side(tmp_path):
    path = save(tmp_path / "a.png", np.full((4, 6, 3), 9, np.uint8))
    told = [judge_image(UnpairedImage(path, "a", side), EIGHT_BIT, False) for side in (1, 2)]
    assert [(one.bands, one.height, one.width, one.name) for one in told] == [(1, 4, 6, "a"), (3, 4, 6, "a")]
    assert told[0].digest == told[1].digest and told[0].footprint is None
    placed = tmp_path / "b.tif"
    write(placed, np.full((8, 8, 3), 9, np.uint8), transform=NORTH_UP)
    assert (
        judge_image(UnpairedImage(placed, "b", 2), EIGHT_BIT, False).footprint
        == read_info(placed).footprint
        is not None
    )


class Masked(Numbers):
    """The same, of which odd ones hold no data on the left."""

    has_gaps = True

    def valid(self, index: int) -> torch.Tensor:
        mask = torch.ones(1, 2, 2, dtype=torch.bool)
        mask[..., 0] = index % 2 == 0
        return mask


def test_a_pixel_counts_where_both_images_of_an_item_hold_data():
    names = [str(k) for k in range(4)]
    data = UnpairedDataset(Masked(4, 1), Masked(6, 3), names, seed=7, flip=0.5)
    one_side = UnpairedDataset(Masked(4, 1), Numbers(6, 3), names, seed=7)
    assert data.has_gaps and one_side.has_gaps and not sets(4, 6).has_gaps
    for epoch, index in ((e, k) for e in range(3) for k in range(6)):
        x, y = data[epoch, index]
        known = int(x.min()) // 10 % 2 == 0 and int(y.min()) // 10 % 2 == 0
        left = torch.equal(x[0, 0], x[0, 0].sort().values)  # the left pixel is the smaller one
        expected = torch.ones(2, dtype=torch.bool) if known else torch.tensor([False, True] if left else [True, False])
        assert torch.equal(data.valid((epoch, index))[0, 0], expected)
        assert one_side.valid((epoch, index))[0, 0, 0] == (int(one_side[epoch, index][0].min()) // 10 % 2 == 0)
