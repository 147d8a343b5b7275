"""Text encoders from their checkpoints alone."""

from __future__ import annotations

import pytest
import torch

from rsforge.data.word_tokenizer import WordTokenizer
from rsforge.engine import checkpoint
from rsforge.errors import RsforgeError
from rsforge.models.image_encoder import ContrastiveHead, ImageEncoder
from rsforge.models.text_encoder import TextEncoder
from rsforge.recipes.clip.load import load_text_encoder, load_towers, stored_template

CPU = torch.device("cpu")
PROMPTS = ["Region: arctic, 10/20", "Region: tropical"]


def save(path, **changes):
    """A checkpoint as a training writes it, of networks that are not trained."""
    tokenizer = WordTokenizer.from_prompts(PROMPTS, vocab_size=50, max_length=12)
    nets = {
        "text_encoder": TextEncoder(
            vocab_size=len(tokenizer), embedding_dim=8, max_length=12, num_heads=2, num_layers=1
        ),
        "image_encoder": ImageEncoder(channels=(4, 8)),
        "head": ContrastiveHead(text_width=8, image_width=8, width=4),
    }
    state = {
        "kind": "clip",
        "architecture": {name: net.architecture for name, net in nets.items()},
        "image_size": 32,
        "vocabulary": tokenizer.vocabulary,
        "max_length": 12,
        "prompt_template": "Region: {region}",
        "radiometry": {"unit": "uint8", "low": 0.0, "high": 255.0},
        "sar_channels": 1,
        "nets": {name: net.state_dict() for name, net in nets.items()},
        "parts": {},
    }
    checkpoint.save(path, state | changes)
    return nets, tokenizer


def test_trap_08_the_checkpoint_alone_gives_network_vocabulary_and_template(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    nets, written = save(tmp_path / "clip.pt")
    network, loaded, tokenizer = load_text_encoder(tmp_path / "clip.pt", CPU)
    assert tokenizer.vocabulary == written.vocabulary and "/" in tokenizer.vocabulary
    tokens = tokenizer.encode(PROMPTS)
    with torch.no_grad():
        assert torch.equal(network(tokens), nets["text_encoder"].eval()(tokens))
    assert not network.training and not any(p.requires_grad for p in network.parameters())
    assert stored_template(loaded.state).fields == ("region",)
    assert loaded.digest == checkpoint.digest_weights(nets["text_encoder"].state_dict())


def test_both_other_networks_are_read_too(tmp_path):
    nets, _ = save(tmp_path / "clip.pt")
    image_encoder, head = load_towers(tmp_path / "clip.pt", CPU)
    assert torch.equal(image_encoder.conv_in.weight, nets["image_encoder"].conv_in.weight)
    assert torch.equal(head.text_projection.weight, nets["head"].text_projection.weight)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"kind": "vae"}, "RSF-C004"),
        ({"vocabulary": {"[PAD]": 0}}, "RSF-C003"),
        ({"vocabulary": dict.fromkeys("abcdefghijkl", 3)}, "RSF-C003"),
        ({"max_length": 13}, "RSF-C003"),
    ],
)
def test_what_is_no_text_encoder_is_refused(tmp_path, changes, code):
    save(tmp_path / "clip.pt", **changes)
    with pytest.raises(RsforgeError) as caught:
        load_text_encoder(tmp_path / "clip.pt", CPU)
    assert caught.value.code == code
