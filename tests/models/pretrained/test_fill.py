"""Weights put into networks that were built without memory."""

from __future__ import annotations

import pytest
import torch

from rsforge.errors import RsforgeError
from rsforge.models.pretrained.fill import Piece, build_filled
from rsforge.models.pretrained.tensor_files import TensorFile
from rsforge.models.text_encoder import TextEncoder

TINY = {"name": "text_encoder", "vocab_size": 5, "embedding_dim": 4, "max_length": 3, "num_heads": 2, "num_layers": 1}


def _file(state):
    return TensorFile("there", {name: tuple(x.shape) for name, x in state.items()}, state.__getitem__)


@pytest.fixture
def state():
    return dict(TextEncoder(**{k: v for k, v in TINY.items() if k != "name"}).state_dict())


def test_weights_are_copied_into_the_network(state):
    network = build_filled(TINY, _file(state))
    torch.testing.assert_close(dict(network.state_dict()), state, atol=0, rtol=0)
    state["final_layer_norm.bias"].fill_(9)
    assert not (network.state_dict()["final_layer_norm.bias"] == 9).any()


def test_faults_are_named(state):
    layer = "encoder.layers.0.self_attn."
    faults = {
        "1 missing: final_layer_norm.bias": ("final_layer_norm.bias", None),
        "1 unknown: other": ("other", torch.ones(1)),
        rf"1 misshapen: {layer}k_proj.weight \[4, 5\] for \[4, 4\]": (f"{layer}k_proj.weight", torch.ones(4, 5)),
    }
    for sentence, (name, tensor) in faults.items():
        changed = {k: v for k, v in state.items() if k != name} | ({} if tensor is None else {name: tensor})
        with pytest.raises(RsforgeError) as caught:
            build_filled(TINY, _file(changed))
        assert (caught.value.code, caught.value.where) == ("RSF-C007", "there")
        assert caught.value.found.replace("[", r"\[").replace("]", r"\]") == sentence
    used = build_filled(TINY, _file(state | {"other": torch.ones(1)}), unused=lambda name: name == "other")
    assert set(used.state_dict()) == set(state)


def test_whole_numbers_and_what_is_not_finite_are_refused(state):
    name = "final_layer_norm.bias"
    with pytest.raises(RsforgeError, match="whole numbers") as caught:
        build_filled(TINY, _file(state | {name: torch.ones(4, dtype=torch.int8)}))
    assert caught.value.code == "RSF-C007"
    for bad in (float("nan"), float("inf")):
        with pytest.raises(RsforgeError, match="not finite") as caught:
            build_filled(TINY, _file(state | {name: torch.full((4,), bad)}))
        assert (caught.value.code, caught.value.found) == ("RSF-C002", name)


def test_a_part_of_a_joined_layer_and_another_scope(state):
    layer = "encoder.layers.0.self_attn."
    joined = torch.cat([state[f"{layer}{x}_proj.weight"] for x in "qkv"])
    renamed = {f"own.{k}": v for k, v in state.items() if "_proj.weight" not in k or "out_proj" in k}
    renamed |= {"own.joined": joined, "other.x": torch.ones(1)}

    def places(own):
        part = next((i for i, x in enumerate("qkv") if own == f"{layer}{x}_proj.weight"), None)
        return [Piece("nowhere"), Piece(f"own.{own}") if part is None else Piece("own.joined", part)]

    network = build_filled(TINY, _file(renamed), places, scope="own.")
    torch.testing.assert_close(dict(network.state_dict()), state, atol=0, rtol=0)
    with pytest.raises(RsforgeError) as caught:
        build_filled(TINY, _file(renamed | {"own.joined": joined[:-1]}), places, scope="own.")
    assert "3 misshapen" in caught.value.found
