"""The configuration of the text tower, both ways."""

from __future__ import annotations

import pytest
import torch

from rsforge.errors import RsforgeError
from rsforge.models.catalogue import build
from rsforge.models.pretrained.text_config import read_text, write_text

FIRST = {"model_type": "clip_text_model", "hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12,
         "num_hidden_layers": 12, "vocab_size": 49408, "architectures": ["CLIPTextModel"]}  # fmt: skip
SECOND = FIRST | {"hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16, "num_hidden_layers": 23,
                  "hidden_act": "gelu", "projection_dim": 512}  # fmt: skip


@pytest.mark.parametrize(("config", "number"), [(FIRST, 123_060_480), (SECOND, 340_387_840)], ids=["1.x", "2.x"])
def test_the_published_configurations_have_the_known_sizes(config, number):
    with torch.device("meta"):
        network = build(read_text(config, where="text_encoder"))
    assert sum(p.numel() for p in network.parameters()) == number
    assert network.architecture["hidden_act"] == config.get("hidden_act", "quick_gelu")


def test_what_is_written_is_read_as_the_same_network():
    ours = read_text(SECOND, where="text_encoder")
    config = write_text({**ours, "intermediate_size": None}, start=1, end=2, pad=0)
    assert read_text(config, where="text_encoder") == ours
    assert (config["bos_token_id"], config["eos_token_id"], config["pad_token_id"]) == (1, 2, 0)


def test_other_text_models_are_refused():
    for config in (
        {},
        FIRST | {"model_type": "t5"},
        FIRST | {"hidden_act": "relu"},
        FIRST | {"use_attention_mask": True},
    ):
        with pytest.raises(RsforgeError) as caught:
            read_text(config, where="text_encoder")
        assert caught.value.code == "RSF-C004"
