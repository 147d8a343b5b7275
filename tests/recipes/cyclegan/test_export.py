"""``cyclegan export``: the description, its formulas, and the options."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import onnxruntime
import pytest
import torch

from rsforge.data.io.image_writer import to_uint8
from rsforge.data.sar.radiometry import Radiometry
from rsforge.data.scenes.tiling import TileGrid
from tests.worlds.commands import rsforge
from tests.worlds.cyclegan import write_checkpoint
from tests.worlds.cyclegan_export import (
    DIRECTIONS,
    EXPORT_FORMATS,
    SIZE,
    evaluate_formula,
    files_in,
)


def test_the_description_lists_the_files_and_what_was_measured(exported):
    rows = {row["format"]: row for row in exported.card["files"]}
    assert list(rows) == ["safetensors", "torch", "onnx"]
    for name, row in rows.items():
        assert row["bytes"] == (exported.folder / row["file"]).stat().st_size
        assert row["largest_difference"] == exported.result["largest_difference"][name] <= 1e-4
        any_size = exported.any_size or name == "safetensors"
        assert [shape[0] for shape in row["checked_shapes"]] == ([1, 3, 1] if any_size else [1, 3])
        assert row["sides"] == exported.result["sides"][name] == ("multiples of 16" if any_size else "16 only")
    assert rows["safetensors"]["largest_difference"] == 0.0
    assert rows["onnx"]["checked_by"].startswith("onnxruntime") and rows["onnx"]["opset"] >= 18
    assert set(exported.result["files"]) == files_in(exported.folder)


def test_described_values_give_the_picture_that_the_house_makes(exported):
    """From raw values to a picture by the description and ONNX alone, and by the library."""
    card, net = exported.card, exported.net
    rng = np.random.default_rng(3)
    raw = rng.integers(0, 256, (net.in_channels, SIZE, SIZE)) if exported.input_name == "optical" else None
    raw = rng.uniform(-30, 10, (net.in_channels, SIZE, SIZE)) if raw is None else raw.astype(np.uint8)
    values = Radiometry.from_dict(card["input"])
    y = net(torch.from_numpy(values.to_unit(raw))[None])
    x = evaluate_formula(card["input"], "formula", v=raw.astype(np.float32)).astype(np.float32)
    session = onnxruntime.InferenceSession(exported.file(".onnx"))
    made = session.run(None, {exported.input_name: x[None]})[0]
    assert np.abs(made - y.numpy()).max() <= 1e-4
    if exported.output_name == "optical":
        picture = evaluate_formula(card["output"], "to_8_bit", y=made[0].transpose(1, 2, 0))
        assert np.abs(picture - to_uint8(y)[0]).max() <= 1 and np.mean(picture == to_uint8(y)[0]) > 0.99
    expected = Radiometry.from_dict(card["output"]).from_unit(y.numpy())
    assert np.abs(evaluate_formula(card["output"], "formula", y=made) - expected).max() <= (
        0.51 if made.shape[1] == 3 else 1e-2
    )


def test_no_format_is_no_export(generators, tmp_path, capsys):
    assert rsforge(EXPORT_FORMATS + "{}", generators, tmp_path, "") == 2
    assert "--formats" in capsys.readouterr().err and not files_in(tmp_path)


def test_dry_run_checks_and_writes_nothing(generators, tmp_path, capsys):
    line = EXPORT_FORMATS + "onnx,safetensors --dry-run --json"
    assert rsforge(line, generators, tmp_path / "out") == 0
    plan = json.loads(capsys.readouterr().out)["plan"]
    assert plan["files"] == ["gen_AB.onnx", "gen_AB.safetensors", "gen_AB.json"]
    assert not (tmp_path / "out").exists()
    assert rsforge(line, tmp_path / "none.pt", tmp_path / "out") == 4
    (tmp_path / "file").write_text("")
    assert rsforge(line, generators, tmp_path / "file" / "out") == 6
    assert rsforge(line, generators, "/proc/x") == 6
    assert "RSF-E008" in capsys.readouterr().err
    (tmp_path / "gen_AB.json").write_text("")
    assert rsforge(line, generators, tmp_path) == 2


def test_tiles_blend_as_the_description_says(exported):
    """Weights computed by the described formula, against the mosaic that translates large images."""
    tiling = exported.card["tiling"]
    side, overlap, how = tiling["tile"], tiling["overlap"], tiling["how"]
    assert (side, overlap) == (SIZE, SIZE // 4)
    formula = how.split("r(d) = ")[1].split(", a raised")[0].replace("clip", "np.clip").replace("sin", "np.sin")

    def r(d):
        return eval(formula, {"np": np, "pi": np.pi, "d": d})

    assert "r(p - m) * (1 - r(p - n))" in how and f"start every {side} - {overlap} pixels" in how
    width = 2 * side + 5
    starts, p = [0, side - overlap, width - side], np.arange(width) + 0.5
    middles = [-np.inf, *((a + b + side) / 2 for a, b in pairwise(starts)), np.inf]
    raw = [r(p - m) * (1 - r(p - n)) for m, n in pairwise(middles)]
    raw = [w * (s <= p) * (p <= s + side) for w, s in zip(raw, starts, strict=True)]
    expected = np.stack(raw) / np.sum(raw, 0)
    for k in range(3):
        tiles = [np.full((1, side, side), float(k == tile), np.float32) for tile in range(3)]
        (found,) = TileGrid(side, width, side, overlap).blend(iter(tiles))
        np.testing.assert_allclose(found[0, 0], expected[k], atol=1e-6)
    assert {"nodata", "mask", "alpha"} <= set(exported.card["input"]["no_data"].replace(",", "").split())


@pytest.mark.parametrize(
    ("direction", "unit"),
    [
        ("sar2optical", ("linear", -25, 0)),
        ("sar2optical", ("dn", 0, 4000)),
        ("sar2optical", ("uint8", 0, 255)),
        ("optical2sar", ("linear", -25, 0)),
        ("optical2sar", ("uint8", 0, 255)),
    ],
)
def test_each_unit_is_described_as_it_is_computed(tmp_path, direction, unit):
    """The described formulas, computed as they are written, against the radiometry itself."""
    radiometry = Radiometry(unit[0], *map(float, unit[1:]))
    write_checkpoint(tmp_path / "model.pt", image_size=SIZE, radiometry=radiometry)
    assert rsforge(EXPORT_FORMATS + f"safetensors --direction {direction}", tmp_path / "model.pt", tmp_path) == 0
    card = json.loads((tmp_path / f"{DIRECTIONS[direction][0]}.json").read_text())
    y = np.linspace(-1, 1, 41, dtype=np.float32)
    made = evaluate_formula(card["output"], "formula", y=y)
    made = evaluate_formula(card["output"], "last", v=made) if "last" in card["output"] else made
    values = Radiometry.from_dict(card["output"]).from_unit(y)
    np.testing.assert_allclose(made, values, rtol=1e-5, atol=0.51 if values.dtype == np.uint8 else 1e-3)
    v = np.float32([1e-6, 1e-4, 0.5, 1, 3, 254, 255, 5000])
    first = evaluate_formula(card["input"], "first", v=v) if card["input"]["unit"] == "linear" else v
    x = evaluate_formula(card["input"], "formula", v=first)
    np.testing.assert_allclose(x, Radiometry.from_dict(card["input"]).to_unit(v), atol=1e-6)
