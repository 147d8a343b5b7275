"""Text encoders from their checkpoints alone."""

from __future__ import annotations

import pytest
import torch

from rsforge.engine import checkpoint
from rsforge.errors import RsforgeError
from rsforge.recipes.clip.load import load_text_encoder, load_towers, stored_template
from tests.worlds.clip import PROMPTS, write_checkpoint

CPU = torch.device("cpu")


def test_trap_08_the_checkpoint_alone_gives_network_vocabulary_and_template(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    nets, written = write_checkpoint(tmp_path / "clip.pt")
    network, loaded, tokenizer = load_text_encoder(tmp_path / "clip.pt", CPU)
    assert tokenizer.vocabulary == written.vocabulary and "/" in tokenizer.vocabulary
    tokens = tokenizer.encode(PROMPTS)
    with torch.no_grad():
        assert torch.equal(network(tokens), nets["text_encoder"].eval()(tokens))
    assert not network.training and not any(p.requires_grad for p in network.parameters())
    assert stored_template(loaded.state).fields == ("region",)
    assert loaded.digest == checkpoint.digest_weights(nets["text_encoder"].state_dict())


def test_both_other_networks_are_read_too(tmp_path):
    nets, _ = write_checkpoint(tmp_path / "clip.pt")
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
    write_checkpoint(tmp_path / "clip.pt", **changes)
    with pytest.raises(RsforgeError) as caught:
        load_text_encoder(tmp_path / "clip.pt", CPU)
    assert caught.value.code == code
