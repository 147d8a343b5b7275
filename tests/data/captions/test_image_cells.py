"""Images in the cells of tables."""

from __future__ import annotations

import base64

import pyarrow as pa
import pytest

from rsforge.data.captions.image_cells import read_cell
from rsforge.data.io.image_reader import UnreadableError
from tests.worlds.parquet_tables import IMAGE

DATA = bytes(range(256)) * 3


def test_images_stand_in_cells_of_many_kinds(tmp_path):
    (tmp_path / "a.png").write_bytes(DATA)
    text = base64.b64encode(DATA).decode()
    cells = [DATA, "a.png", text, f"data:image/png;base64,{text}"]
    scalars = [pa.scalar(cell) for cell in cells]
    scalars += [
        pa.scalar({"bytes": DATA, "path": "x"}, IMAGE),
        pa.scalar([{"bytes": None, "path": "a.png"}], pa.list_(IMAGE)),
    ]
    assert [read_cell(tmp_path / "t.parquet", one, "row 1") for one in scalars] == [DATA] * len(scalars)


@pytest.mark.parametrize(
    ("cell", "why"),
    [(pa.scalar(None, pa.binary()), "no image"), (pa.scalar([], pa.list_(IMAGE)), "no image"),
     (pa.scalar([{"bytes": b"1"}] * 2, pa.list_(IMAGE)), "2 images"), (pa.scalar("!" * 300), "too long")],
)  # fmt: skip
def test_cells_without_one_image_say_why(tmp_path, cell, why):
    with pytest.raises(UnreadableError, match=why):
        read_cell(tmp_path / "t.parquet", cell, "row 1")
