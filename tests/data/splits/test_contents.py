"""What kind of data a folder holds, and its items."""

from __future__ import annotations

import pytest

from rsforge.data.io.dataset_card import write_card
from rsforge.data.splits.contents import find_contents
from rsforge.errors import RsforgeError
from tests.worlds.pairs import fields, save, write_pairs


def test_pairs_with_their_scenes(tmp_path):
    write_pairs(tmp_path, ("agri", "urban"), 2, 32)
    found = find_contents(tmp_path)
    assert found.kind == "pairs" and found.modalities == ("sar", "optical")
    assert [i.name for i in found.items] == [
        f"{t}/ROIs1970_fall_{k}_p{p}" for k, t in enumerate(("agri", "urban")) for p in range(2)
    ]
    first = found.items[0]
    assert first.scene == "ROIs1970_fall_0" and first.terrain == "agri" and first.season == "fall"
    assert [p.parent.name for p in first.paths] == ["s1", "s2"]
    assert [i.terrain for i in find_contents(tmp_path, terrains=["urban"], max_per_terrain=1).items] == ["urban"]


def test_sets_of_pairs_side_by_side_are_one(tmp_path):
    for name in ("one", "two"):
        write_pairs(tmp_path / name, ("agri",), 2, 32)
    (tmp_path / "notes").mkdir()
    next((tmp_path / "two" / "agri" / "s1").iterdir()).unlink()
    found = find_contents(tmp_path)
    assert found.kind == "pairs" and len(found.items) == 3 and len({i.name for i in found.items}) == 3
    assert {i.scene for i in found.items} == {"one/ROIs1970_fall_0", "two/ROIs1970_fall_0"}
    assert found.orphans[0][0].startswith("two/agri/s2/") and "notes" in found.notes[-1]


def test_a_pair_folder_without_its_other_half_is_not_taken_for_photographs(tmp_path):
    save(tmp_path / "agri" / "s1" / "1.png", fields(32, 0)[0])
    with pytest.raises(RsforgeError) as caught:
        find_contents(tmp_path)
    assert caught.value.code in ("RSF-D009", "RSF-D001")


def test_the_card_says_what_it_is(folder):
    write_card(folder, "tiles")
    (folder / "metadata.jsonl").write_text("")
    assert find_contents(folder).kind == "tiles"
    assert find_contents(folder, layout="captions").kind == "captions"
