"""CLIP folders of transformers, against that library, and what is refused of them."""

from __future__ import annotations

import json

import pytest
import torch

from rsforge.data.clip_tokenizer_files import read_clip_tokenizer
from rsforge.errors import RsforgeError
from rsforge.models.pretrained.clip_folder import read_clip
from tests.worlds.clip_model import SIDE, make_clip, write_clip
from tests.worlds.stable_diffusion import edit_json

transformers = pytest.importorskip("transformers")


@pytest.fixture
def folder(tmp_path):
    return write_clip(tmp_path / "clip")


def test_texts_and_images_lie_where_the_library_puts_them(folder):
    ours, theirs = read_clip(folder), make_clip()
    texts = ["a river and trees", "trees", "river " * 30]
    tokenizer = read_clip_tokenizer(folder)
    tokens = tokenizer.encode(texts)
    processor = transformers.CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})
    generator = torch.Generator().manual_seed(1)
    smooth = torch.nn.functional.interpolate(torch.rand(3, 3, 5, 5, generator=generator), (40, 40), mode="bicubic")
    pixels = (smooth.clamp(0, 1) * 255).round().byte()
    with torch.no_grad():
        inputs = processor(list(pixels), return_tensors="pt")["pixel_values"]
        torch.testing.assert_close(ours.prepare(pixels.float() / 127.5 - 1), inputs, atol=0.03, rtol=0)
        told = theirs(input_ids=tokens, pixel_values=inputs)
        torch.testing.assert_close(ours.embed_texts(tokens, tokenizer.end), told.text_embeds, atol=1e-4, rtol=1e-4)
        images = ours.embed_images(pixels.float() / 127.5 - 1)
        torch.testing.assert_close(images, told.image_embeds, atol=0.01, rtol=0)


def test_sizes_and_colours_are_those_of_the_folder(folder):
    (folder / "preprocessor_config.json").write_text(
        json.dumps({"size": 20, "image_mean": [0.5] * 3, "image_std": [0.25] * 3, "resample": 3, "do_resize": True})
    )
    grey = torch.zeros(1, 3, 40, 40)
    grey[..., 4:36, 4:36] = 1.0  # after scaling to 20 pixels the crop of 16 has none of the edge
    prepared = read_clip(folder).prepare(grey)
    assert prepared.shape[-1] == SIDE and prepared[..., 2:-2, 2:-2].min() == pytest.approx(2.0, abs=1e-3)


@pytest.mark.parametrize(
    ("name", "changes", "code", "words"),
    [
        ("config.json", {"model_type": "siglip"}, "RSF-C004", "siglip"),
        ("config.json", {"vision_config": {"hidden_act": "relu"}}, "RSF-C004", "hidden_act"),
        ("config.json", {"projection_dim": 13}, "RSF-C007", "projection"),
        ("config.json", {"projection_dim": [12]}, "RSF-C007", "contrastive_head"),
        ("preprocessor_config.json", {"resample": 2}, "RSF-C004", "resample"),
        ("preprocessor_config.json", {"size": {"shortest_edge": 8}}, "RSF-C003", "size 8"),
        ("preprocessor_config.json", {"image_std": [0, 1, 1]}, "RSF-C003", "[0, 1, 1]"),
    ],
)
def test_what_is_read_otherwise_is_refused_by_name(folder, name, changes, code, words):
    if not (folder / name).exists():
        (folder / name).write_text("{}")
    edit_json(folder / name, **changes)
    with pytest.raises(RsforgeError) as raised:
        read_clip(folder)
    assert raised.value.code == code and words in f"{raised.value.what} {raised.value.found}"


def test_former_configurations_and_pickles(folder):
    config = json.loads((folder / "config.json").read_text())
    edit_json(folder / "config.json", text_config={}, text_config_dict=config["text_config"])
    assert read_clip(folder).text.architecture["embedding_dim"] == 16
    (folder / "model.safetensors").unlink()
    torch.save(make_clip().state_dict(), folder / "pytorch_model.bin")
    with pytest.raises(RsforgeError, match="pickled"):
        read_clip(folder)
    assert read_clip(folder, allow_pickle=True).side == SIDE
