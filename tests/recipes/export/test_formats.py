"""Each file format holds the network, and says how it is used."""

from __future__ import annotations

import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from rsforge.models.catalogue import build
from rsforge.recipes.export import formats
from rsforge.recipes.export.formats import FORMATS
from tests.worlds.commands import rsforge
from tests.worlds.cyclegan_export import (
    DECIBELS,
    EXPORT_FORMATS,
    SIZE,
    assert_agree,
)


def test_safetensors_hold_the_weights_to_the_bit(exported):
    path = exported.file(".safetensors")
    with safe_open(path, "pt") as file:
        header = file.metadata()
    architecture = json.loads(header["architecture"])
    other = build(architecture).eval().requires_grad_(False)
    assert type(other) is type(exported.net)
    other.load_state_dict(load_file(path), strict=True)
    for key, weight in exported.net.state_dict().items():
        assert torch.equal(other.state_dict()[key], weight)
    assert_agree(other, exported.net)


def test_onnx_runs_by_another_runtime(exported):
    session = onnxruntime.InferenceSession(exported.file(".onnx"))
    (given,), (made,) = session.get_inputs(), session.get_outputs()
    assert (given.name, made.name) == (exported.input_name, exported.output_name)
    assert given.shape == [
        "batch",
        exported.net.in_channels,
        *(["16*rows", "16*cols"] if exported.any_size else [16, 16]),
    ]
    assert_agree(
        lambda x: torch.from_numpy(session.run(None, {given.name: x.numpy()})[0]),
        exported.net,
        any_size=exported.any_size,
    )


def test_onnx_refuses_sides_that_the_network_refuses(exported):
    session = onnxruntime.InferenceSession(exported.file(".onnx"))
    for rows, cols in [(SIZE + 1, SIZE), (SIZE, 2 * SIZE + 1), (SIZE - 1, SIZE), (SIZE + 8, SIZE + 8)]:
        x = np.zeros((1, exported.net.in_channels, rows, cols), np.float32)
        with pytest.raises(Exception, match=r"(?i)reshape|invalid dimensions"):
            session.run(None, {exported.input_name: x})
    evaluator = onnx.reference.ReferenceEvaluator(str(exported.file(".onnx")))
    if exported.any_size:
        with pytest.raises(ValueError, match="reshape"):
            evaluator.run(None, {exported.input_name: x})
    assert "the ONNX and the torch file fail on others" in exported.card["sides"]


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
    assert (json.loads(props["image_size"]), json.loads(props["factor"])) == (SIZE, 16)
    assert props["direction"] == card["direction"] and props["source_digest"] == card["source"]["weights"]
    assert card["source"].keys() == {"checkpoint", "weights", "epoch", "step"}
    assert card["parameters"] == sum(p.numel() for p in net.parameters()) == exported.result["parameters"]
    assert [card[k]["shape"][1] for k in ("input", "output")] == [net.in_channels, net.out_channels]


def test_onnx_is_checked_by_the_reference_where_the_runtime_is_missing(exported, monkeypatch):
    monkeypatch.setattr(formats.importlib.util, "find_spec", lambda name: None)
    loaded = FORMATS["onnx"].load(exported.file(".onnx"))
    assert loaded.slow and loaded.runtime.startswith("the reference evaluator of onnx")
    assert_agree(loaded.run, exported.net, any_size=False)


def test_the_same_model_becomes_the_same_file(exported, generators, tmp_path):
    assert rsforge(EXPORT_FORMATS + f"safetensors --direction {exported.card['direction']}", generators, tmp_path) == 0
    name = exported.file(".safetensors").name
    assert (tmp_path / name).read_bytes() == exported.file(".safetensors").read_bytes()
