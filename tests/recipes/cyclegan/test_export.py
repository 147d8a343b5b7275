"""An exported generator is the generator: read back by others, described so that they can use it, or not there."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from rsforge.data.io.image_writer import to_uint8
from rsforge.data.sar.radiometry import Radiometry
from rsforge.data.scenes.tiling import TileGrid
from rsforge.models.pix2pix import Pix2PixUNet
from rsforge.recipes.export import formats
from rsforge.recipes.export.formats import FORMATS
from tests.worlds.commands import rsforge
from tests.worlds.cyclegan import write_checkpoint
from tests.worlds.export import DECIBELS, FEW, NAMES, SIDE, left, words


def agree(run, net: Pix2PixUNet, *, free: bool = True) -> None:
    """Both make the same of one, of three and, where sides are free, of larger images."""
    torch.manual_seed(1)
    for batch, h, w in [(1, SIDE, SIDE), (3, SIDE, SIDE), (2, 3 * SIDE, 2 * SIDE)][: 3 if free else 2]:
        x = torch.rand(batch, net.in_channels, h, w) * 2 - 1
        made, y = run(x), net(x)
        assert made.shape == y.shape == (batch, net.out_channels, h, w)
        assert float((made - y).abs().max()) <= 1e-4
        assert float(y.std()) > 0.01


def test_safetensors_hold_the_weights_to_the_bit(exported):
    path = exported.file(".safetensors")
    with safe_open(path, "pt") as file:
        header = file.metadata()
    architecture = json.loads(header["architecture"])
    assert architecture.pop("name") == "pix2pix_unet"
    other = Pix2PixUNet(**architecture).eval().requires_grad_(False)
    other.load_state_dict(load_file(path), strict=True)
    for key, weight in exported.net.state_dict().items():
        assert torch.equal(other.state_dict()[key], weight)
    agree(other, exported.net)


def test_the_program_runs_without_the_house(exported):
    extra = {"rsforge.json": ""}
    program = torch.export.load(exported.file(".pt2"), extra_files=extra).module()
    agree(program, exported.net, free=exported.free)
    assert json.loads(extra["rsforge.json"])["source_digest"] == exported.card["source"]["weights"]
    for side in [SIDE + 1] if exported.free else [SIDE + 1, 2 * SIDE]:
        with pytest.raises((AssertionError, RuntimeError), match="16"):
            program(torch.zeros(1, exported.net.in_channels, side, SIDE))


def test_onnx_runs_by_another_runtime(exported):
    session = onnxruntime.InferenceSession(exported.file(".onnx"))
    (given,), (made,) = session.get_inputs(), session.get_outputs()
    assert (given.name, made.name) == (exported.given, exported.made)
    assert given.shape == ["batch", exported.net.in_channels, *(["16*rows", "16*cols"] if exported.free else [16, 16])]
    agree(lambda x: torch.from_numpy(session.run(None, {given.name: x.numpy()})[0]), exported.net, free=exported.free)


def test_onnx_refuses_sides_that_the_network_refuses(exported):
    session = onnxruntime.InferenceSession(exported.file(".onnx"))
    for rows, cols in [(SIDE + 1, SIDE), (SIDE, 2 * SIDE + 1), (SIDE - 1, SIDE), (SIDE + 8, SIDE + 8)]:
        x = np.zeros((1, exported.net.in_channels, rows, cols), np.float32)
        with pytest.raises(Exception, match=r"(?i)reshape|invalid dimensions"):
            session.run(None, {exported.given: x})
    evaluator = onnx.reference.ReferenceEvaluator(str(exported.file(".onnx")))
    if exported.free:
        with pytest.raises(ValueError, match="reshape"):
            evaluator.run(None, {exported.given: x})
    assert "the ONNX and the torch file fail on others" in exported.card["sides"]


def test_files_carry_no_paths_of_the_machine_they_were_made_on(exported):
    for path in exported.folder.iterdir():
        content = path.read_bytes()
        assert b"pix2pix.py" not in content and str(exported.folder).encode() not in content


def test_every_file_says_what_it_is(exported):
    net, card = exported.net, exported.card
    with safe_open(exported.file(".safetensors"), "pt") as file:
        header = file.metadata()
    model = onnx.load(exported.file(".onnx"))
    props = {entry.key: entry.value for entry in model.metadata_props}
    assert {k: v for k, v in header.items() if k != "format"} == props
    assert json.loads(props["architecture"]) == net.architecture == card["architecture"]
    assert json.loads(props["radiometry"]) == DECIBELS.as_dict() == card["radiometry"]
    assert json.loads(props["normalisation"]) == {"input": card["input"], "output": card["output"]}
    assert (json.loads(props["image_size"]), json.loads(props["factor"])) == (SIDE, 16)
    assert props["direction"] == card["direction"] and props["source_digest"] == card["source"]["weights"]
    assert card["source"].keys() == {"checkpoint", "weights", "epoch", "step"}
    assert card["parameters"] == sum(p.numel() for p in net.parameters()) == exported.result["parameters"]
    assert [card[k]["shape"][1] for k in ("input", "output")] == [net.in_channels, net.out_channels]


def test_the_description_lists_the_files_and_what_was_measured(exported):
    rows = {row["format"]: row for row in exported.card["files"]}
    assert list(rows) == ["safetensors", "torch", "onnx"]
    for name, row in rows.items():
        assert row["bytes"] == (exported.folder / row["file"]).stat().st_size
        assert row["largest_difference"] == exported.result["largest_difference"][name] <= 1e-4
        free = exported.free or name == "safetensors"
        assert [shape[0] for shape in row["checked_shapes"]] == ([1, 3, 1] if free else [1, 3])
        assert row["sides"] == exported.result["sides"][name] == ("multiples of 16" if free else "16 only")
    assert rows["safetensors"]["largest_difference"] == 0.0
    assert rows["onnx"]["checked_by"].startswith("onnxruntime") and rows["onnx"]["opset"] >= 18
    assert set(exported.result["files"]) == left(exported.folder)


def test_nothing_of_other_libraries_is_told(exported):
    known = ("generator", "format ", "safetensors", "torch ", "onnx ")
    assert [line for line in exported.stderr.splitlines() if not line.startswith(known)] == []
    assert "[torch.onnx]" not in exported.stderr


def test_described_values_give_the_picture_that_the_house_makes(exported):
    """From raw values to a picture by the description and ONNX alone, and by the library."""
    card, net = exported.card, exported.net
    rng = np.random.default_rng(3)
    raw = rng.integers(0, 256, (net.in_channels, SIDE, SIDE)) if exported.given == "optical" else None
    raw = rng.uniform(-30, 10, (net.in_channels, SIDE, SIDE)) if raw is None else raw.astype(np.uint8)
    values = Radiometry.from_dict(card["input"])
    y = net(torch.from_numpy(values.to_unit(raw))[None])
    x = words(card["input"], "formula", v=raw.astype(np.float32)).astype(np.float32)
    session = onnxruntime.InferenceSession(exported.file(".onnx"))
    made = session.run(None, {exported.given: x[None]})[0]
    assert np.abs(made - y.numpy()).max() <= 1e-4
    if exported.made == "optical":
        picture = words(card["output"], "to_8_bit", y=made[0].transpose(1, 2, 0))
        assert np.abs(picture - to_uint8(y)[0]).max() <= 1 and np.mean(picture == to_uint8(y)[0]) > 0.99
    expected = Radiometry.from_dict(card["output"]).from_unit(y.numpy())
    assert np.abs(words(card["output"], "formula", y=made) - expected).max() <= (0.51 if made.shape[1] == 3 else 1e-2)


def test_onnx_is_checked_by_the_reference_where_the_runtime_is_missing(exported, monkeypatch):
    monkeypatch.setattr(formats.importlib.util, "find_spec", lambda name: None)
    loaded = FORMATS["onnx"].load(exported.file(".onnx"))
    assert loaded.slow and loaded.by.startswith("the reference evaluator of onnx")
    agree(loaded.run, exported.net, free=False)


def test_tiles_blend_as_the_description_says(exported):
    """Weights computed by the described formula, against the mosaic that translates large images."""
    tiling = exported.card["tiling"]
    side, overlap, how = tiling["tile"], tiling["overlap"], tiling["how"]
    assert (side, overlap) == (SIDE, SIDE // 4)
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


def test_the_same_model_becomes_the_same_file(exported, source, tmp_path):
    assert rsforge(FEW + f"safetensors --direction {exported.card['direction']}", source, tmp_path) == 0
    name = exported.file(".safetensors").name
    assert (tmp_path / name).read_bytes() == exported.file(".safetensors").read_bytes()


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
    write_checkpoint(tmp_path / "model.pt", image_size=SIDE, radiometry=radiometry)
    assert rsforge(FEW + f"safetensors --direction {direction}", tmp_path / "model.pt", tmp_path) == 0
    card = json.loads((tmp_path / f"{NAMES[direction][0]}.json").read_text())
    y = np.linspace(-1, 1, 41, dtype=np.float32)
    made = words(card["output"], "formula", y=y)
    made = words(card["output"], "last", v=made) if "last" in card["output"] else made
    values = Radiometry.from_dict(card["output"]).from_unit(y)
    np.testing.assert_allclose(made, values, rtol=1e-5, atol=0.51 if values.dtype == np.uint8 else 1e-3)
    v = np.float32([1e-6, 1e-4, 0.5, 1, 3, 254, 255, 5000])
    first = words(card["input"], "first", v=v) if card["input"]["unit"] == "linear" else v
    x = words(card["input"], "formula", v=first)
    np.testing.assert_allclose(x, Radiometry.from_dict(card["input"]).to_unit(v), atol=1e-6)
