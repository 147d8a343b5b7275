from __future__ import annotations

import io

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from rsforge.data.synthetic import write_captions
from rsforge.data.synthetic.noise_textures import MATERIALS
from rsforge.data.synthetic.world import draw_strips
from rsforge.data.synthetic.write_captions import SCHEMA, compose_captions, write


def test_the_file_has_the_usual_layout(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(write_captions, "_ROWS", 3)
    assert list(write(tmp_path, count=7, size=16, seed=2)) == [3, 3, 1]
    file = pq.ParquetFile(tmp_path / "train-00000-of-00001.parquet")
    assert file.schema_arrow.equals(SCHEMA) and file.num_row_groups == 3
    rows = file.read().to_pylist()
    for k, row in enumerate(rows):
        image = Image.open(io.BytesIO(row["image"]["bytes"]))
        assert (image.format, image.size) == ("JPEG", (16, 16))
        assert row["filename"].endswith(row["image"]["path"]) and f"{k + 1:05d}" in row["filename"]
        assert len(set(row["captions"])) == 5 and all(c.endswith(" .") for c in row["captions"])
    list(write(tmp_path, count=2, size=16, seed=2))
    assert pq.read_table(tmp_path / "train-00000-of-00001.parquet").to_pylist() == rows[:2]


def sayings(kind: str, laid: list[str], **share: float) -> set[str]:
    shares = dict.fromkeys(MATERIALS, 0.0) | share
    return {c for k in range(60) for c in compose_captions(kind, laid, shares, np.random.default_rng(k))}


def test_captions_say_what_was_laid() -> None:
    said = sayings("village", ["road", "road", "track"], crop=0.6, soil=0.2, roof=0.03)
    assert "a village with two roads and one track ." in said and "most of the fields are green ." in said
    assert "houses stand in blocks between streets ." in said
    assert not any("wood" in c or "forest" in c or "water" in c or "no road" in c for c in said)
    said = sayings("coast", [], water=0.6, forest=0.3, crop=0.05)
    assert "a coast with a sandy beach with no road ." in said and "a part of the land is dark green forest ." in said
    assert not any("house" in c or "most of the fields" in c for c in said)


def test_a_village_that_does_not_show_is_not_told() -> None:
    said = sayings("village", ["road"], soil=0.9)
    assert not any("village" in c or "house" in c for c in said) and "most of the fields are brown ." in said


@pytest.mark.parametrize("kind", ["river", "village", "coast", "fields"])
def test_roads_that_are_told_can_be_seen(kind: str) -> None:
    for number in range(12):
        (g,) = draw_strips(8, number, 32, kind=kind)
        roads, tracks = g.roads.count("road"), g.roads.count("track")
        assert roads + tracks <= 3
        assert not roads or g.material_share("road").mean() > 0.003
        assert not tracks or g.material_share("sand").mean() > 0.003
