from __future__ import annotations

import json

import pytest

from rsforge.data.io.dataset_card import CARD, read_card, write_card
from rsforge.errors import RsforgeError


def test_a_card_is_read_as_written(tmp_path):
    assert read_card(tmp_path) == {}
    write_card(tmp_path, "pairs", radiometry={"unit": "db", "low": -25.0, "high": 0.0}, scenes=2)
    card = read_card(tmp_path)
    assert card["kind"] == "pairs" and card["version"] == 1 and card["radiometry"]["unit"] == "db"


def test_files_of_the_same_name_from_elsewhere_are_no_cards(tmp_path):
    for other in ({"images": []}, [1, 2]):
        (tmp_path / CARD).write_text(json.dumps(other))
        assert read_card(tmp_path) == {}
    (tmp_path / CARD).write_text(json.dumps({"images": "x" * 2_000_000}))
    assert read_card(tmp_path) == {}


@pytest.mark.parametrize(
    "text",
    ["{", "\udcff", "[" * 100_000, '{"format": "rsforge-dataset", "version": 2, "kind": "pairs"}',
     '{"format": "rsforge-dataset", "version": 1}'],
)  # fmt: skip
def test_a_damaged_or_newer_card_is_named(tmp_path, text):
    (tmp_path / CARD).write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(RsforgeError) as caught:
        read_card(tmp_path)
    assert caught.value.code == "RSF-D006" and caught.value.where.endswith(CARD)


def test_a_changed_fact_is_noticed_and_a_card_without_a_digest_is_believed(tmp_path):
    write_card(tmp_path, "pairs", radiometry={"unit": "db", "low": -25.0, "high": 0.0}, sizes={16: 2})
    assert "digest" not in read_card(tmp_path)
    card = json.loads((tmp_path / CARD).read_text())
    card["radiometry"]["low"] = -35.0
    (tmp_path / CARD).write_text(json.dumps(card))
    with pytest.raises(RsforgeError) as caught:
        read_card(tmp_path)
    assert caught.value.code == "RSF-D006" and "digest" in caught.value.fix
    del card["digest"]
    (tmp_path / CARD).write_text(json.dumps(card))
    assert read_card(tmp_path)["radiometry"]["low"] == -35.0
