from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from rsforge.errors import RsforgeError
from rsforge.recipes.evaluation.evaluation import Panel
from rsforge.recipes.evaluation.files import (
    FILES,
    check_output,
    check_outside,
    csv_of,
    draw_examples,
    wrap_note,
    write_files,
)
from tests.worlds.commands import rsforge


def test_a_table_has_a_row_for_every_sample_and_blanks_for_what_is_not_measured():
    text = csv_of(["a", "b"], ["s", ""], {"l1": np.array([0.12345678, np.nan]), "lpips": None})
    assert text == "name,scene,l1,lpips\na,s,0.123457,\nb,,,\n"


def test_examples_stand_in_rows_with_a_scale_of_colours_for_maps(tmp_path):
    panels = [Panel("image", torch.zeros(3, 8, 8)), Panel("error", torch.rand(8, 8), 0.5)]
    draw_examples(tmp_path / "e.png", [("best", panels), ("worst", panels)])
    with Image.open(tmp_path / "e.png") as picture:
        assert picture.size == (600, 620) and np.array(picture).std() > 20


def test_what_is_said_of_a_picture_stands_below_it_as_plain_text_in_few_lines(tmp_path):
    note = "a $river between fields " * 20
    assert [len(line) <= 48 for line in wrap_note(note).splitlines()] == [True] * 3 and wrap_note("") == ""
    sizes = {}
    for name, own in (("without", ""), ("with", note)):
        draw_examples(tmp_path / f"{name}.png", [("best", [Panel("true", torch.ones(3, 8, 8), note=own)])])
        with Image.open(tmp_path / f"{name}.png") as picture:
            sizes[name] = int((np.array(picture.convert("L")) < 100).sum())
    assert sizes["with"] > 1.5 * sizes["without"]  # so much is written


def test_an_output_folder_in_that_of_the_data_is_refused(tmp_path):
    (tmp_path / "tiles/models").mkdir(parents=True)
    data = str(tmp_path / "tiles")
    for place in ("ev", "tilesets", "../tiles-2"):
        check_outside(tmp_path / place, data)
    check_outside(None, data)
    check_outside(tmp_path / "tiles/models/ev", data, excluded=tmp_path / "tiles/models")
    check_outside(tmp_path / "ev", "synthetic")
    for place in ("tiles", "tiles/ev", "ev/../tiles/ev"):
        with pytest.raises(RsforgeError, match="taken for images") as caught:
            check_outside(tmp_path / place, data, excluded=tmp_path / "tiles/models")
        assert caught.value.code == "RSF-U005"


@pytest.mark.parametrize(
    "line",
    [
        "vae evaluate --checkpoint gone.pt",
        "cyclegan evaluate --checkpoint gone.pt",
        "clip evaluate --checkpoint gone.pt",
        "diffusion evaluate --model-checkpoint gone.pt",
        "diffusion evaluate --checkpoint gone.pt",
        "diffusion evaluate --pipeline gone.pt",
    ],
)
def test_every_evaluation_with_pictures_refuses_it_before_all_else(line, tmp_path, capsys):
    assert rsforge(f"{line} --data-dir {{}} --output-dir {{}}", tmp_path, tmp_path / "ev") == 2
    assert "RSF-U005" in capsys.readouterr().err and not (tmp_path / "ev").exists()


def test_an_earlier_evaluation_is_only_replaced_when_it_may_be(tmp_path):
    check_output(None, overwrite=False)
    rows = [("best", [Panel("image", torch.zeros(3, 8, 8))])]
    write_files(tmp_path, {"images": 1}, "name\n", rows, overwrite=False)
    assert {path.name for path in tmp_path.iterdir()} - {".lock"} == set(FILES)
    with pytest.raises(RsforgeError) as caught:
        check_output(tmp_path, overwrite=False)
    assert caught.value.code == "RSF-U004" and "--overwrite" in caught.value.fix
    write_files(tmp_path, {"images": 2}, "name\n", rows, overwrite=True)
    assert '"images": 2' in (tmp_path / "evaluation.json").read_text()
