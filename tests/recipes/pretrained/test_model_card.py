"""The card of an exported model."""

from __future__ import annotations

import pytest
import yaml

from rsforge.recipes.pretrained.model_card import TAGS, ModelFacts, list_figures, write_adapter_card, write_card
from tests.worlds.pretrained_model import make_model

ADAPTER = {"file": "fields.safetensors", "weight": 0.8, "layers": 32, "sha256": "ab12"}


@pytest.fixture(scope="module")
def networks():
    return make_model().networks


def _fields(card):
    before, fields, _ = card.split("---\n", 2)
    assert before == ""
    return yaml.safe_load(fields)


def test_what_is_known_stands_in_its_place(networks):
    facts = ModelFacts(
        title="Fields from above", source={"pipeline": "sd15", "provenance": {"a": 1}}, adapters=[ADAPTER],
        settings={"learning_rate": 1e-6}, metrics={"fid": {"value": 12.3456789, "images": 2048}, "note": "a|b"},
        datasets=["RSICD: train", "own"], license="openrail++", data_license="CC-BY-4.0", base_model="some/model",
    )  # fmt: skip
    card = write_card(facts, networks)
    assert _fields(card) == {
        "library_name": "diffusers", "pipeline_tag": "text-to-image", "tags": list(TAGS), "license": "openrail++",
        "base_model": "some/model", "datasets": ["RSICD: train", "own"],
    }  # fmt: skip
    for line in (
        "# Fields from above", "- pipeline: sd15", "- adapter: fields.safetensors, weight 0.8, 32 layers, SHA-256 ab12",
        "- RSICD: train", "Licence of the data: CC-BY-4.0.", '  "learning_rate": 1e-06',
        "openrail++. The terms of some/model and of its data hold beside it.",
        "| fid.value | 12.3457 |", "| fid.images | 2048 |", r"| note | a\|b |",
    ):  # fmt: skip
        assert line in card.splitlines()
    assert "images of 16 x 16 pixels and predicts eps" in card and "Stable Diffusion 1.x" in card
    assert f"U-Net {sum(p.numel() for p in networks.unet.parameters()):,}" in card


def test_what_is_unknown_is_said_to_be(networks):
    card = write_card(ModelFacts("X", {}), networks)
    assert set(_fields(card)) == {"library_name", "pipeline_tag", "tags"}
    assert card.count("\nNot stated.\n") == 4 and "Licence of the data: not stated." in card
    assert "Not stated. The terms of the model that it was made from" in card


def test_adapters_are_told_to_be_some():
    facts = ModelFacts("Fields", {"checkpoint": "best_model.pt"}, base_model="some/model")
    card = write_adapter_card(facts, 8)
    fields = _fields(card)
    assert "lora" in fields["tags"] and fields["base_model"] == "some/model"
    for words in ('from_pretrained("some/model")', "pipeline.load_lora_weights(", "rank 8", "checkpoint: best_model.pt",
                  '--pipeline "some/model" --lora pytorch_lora_weights.safetensors'):  # fmt: skip
        assert words in card
    begun = write_adapter_card(ModelFacts("Fields", {"pretrained_model": "sd15"}), 8)
    assert "U-Net of sd15" in begun and '--pipeline "PATH OF sd15" --lora' in begun and "base_model" not in begun
    assert "The terms of sd15 and of its data" in begun
    assert "MODEL THAT THEY WERE TRAINED ON" in write_adapter_card(ModelFacts("Fields", {}), 8)


def test_figures_are_told_by_their_place():
    assert list_figures({"a": {"b": {"c": 0.123456789}}, "d": [1], "e": "x\ny"}) == [
        ("a.b.c", "0.123457"),
        ("e", "x y"),
    ]


def test_data_of_a_training_are_told_by_folder_numbers_and_digests(networks):
    data = {"folder": "rsicd", "train": 80, "held_out": 10, "test": 10, "split": "ab", "captions": "cd"}
    card = write_card(ModelFacts("X", {}, datasets=["RSICD"], data=data), networks)
    counts = "80 trained on, 10 that chose the checkpoint, 10 that judge it"
    assert f"- RSICD\n- images with captions in the folder `rsicd`: {counts}\n" in card
    assert "- SHA-256 of the images that trained and chose: ab\n- SHA-256 of their captions: cd\n" in card
    assert _fields(card)["datasets"] == ["RSICD"]
