"""Images in the cells of tables."""

from __future__ import annotations

import base64

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from rsforge.data.captions.image_cells import read_cell
from rsforge.data.io.image_reader import UnreadableError, decode_masked
from tests.worlds.parquet_tables import IMAGE
from tests.worlds.rasters import lay_mask, ramp

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


def test_the_mask_beside_a_file_that_a_cell_names_is_heeded(tmp_path):
    pixels, inside = ramp(6, 8, 3, "uint8") + 1, np.arange(48).reshape(6, 8) % 7 > 1
    Image.fromarray(pixels).save(tmp_path / "a.png")
    lay_mask(tmp_path / "a.png", inside)
    read, valid = decode_masked(read_cell(tmp_path / "t.parquet", pa.scalar("a.png"), "row 1"))
    assert np.array_equal(valid, inside) and np.array_equal(read, pixels * inside[..., None])
    lay_mask(tmp_path / "a.png", np.ones((6, 8), bool))
    assert read_cell(tmp_path / "t.parquet", pa.scalar("a.png"), "row 1") == (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png.msk").write_bytes(b"no TIFF")
    with pytest.raises(UnreadableError, match=r"its mask a\.png\.msk cannot be read"):
        read_cell(tmp_path / "t.parquet", pa.scalar("a.png"), "row 1")
