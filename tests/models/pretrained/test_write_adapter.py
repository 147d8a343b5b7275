"""Adapters written for other programs: read back by us, and by the library where peft is installed."""

from __future__ import annotations

import pytest
import torch
from safetensors import safe_open

from rsforge.models.pretrained.read_adapter import read_adapter
from rsforge.models.pretrained.write_adapter import KOHYA_FILE, PEFT_FILE, write_kohya, write_peft
from tests.worlds.adapters import NETWORKS, make_updates

ENDS = {"unet": ("to_q", "to_k", "to_v", "to_out.0", "proj_in", "ff.net.2"), "text_encoder": ("q_proj", "fc1")}
PARTS = {part: make_updates(NETWORKS[part], ends, rank=2, alpha=3.0) for part, ends in ENDS.items()}


@pytest.mark.parametrize("write", [write_peft, write_kohya])
def test_what_is_written_is_read_as_the_same(write, tmp_path):
    write(tmp_path / "adapter.safetensors", PARTS)
    again = read_adapter(tmp_path / "adapter.safetensors", NETWORKS)
    assert {part: set(updates) for part, updates in again.items()} == {p: set(u) for p, u in PARTS.items()}
    for part, updates in PARTS.items():
        for name, update in updates.items():
            shape = NETWORKS[part].get_submodule(name).weight.shape
            torch.testing.assert_close(again[part][name].compute(shape), update.compute(shape))
            assert again[part][name].alpha == (2.0 if write is write_peft else 3.0)


def test_the_names_are_those_of_the_programs(tmp_path):
    write_peft(tmp_path / PEFT_FILE, PARTS)
    write_kohya(tmp_path / KOHYA_FILE, PARTS)
    block = "down_blocks.0.attentions.0.transformer_blocks.0"
    with safe_open(tmp_path / PEFT_FILE, "pt") as file:
        names = set(file.keys())
        assert names >= {f"unet.{block}.attn1.to_out.0.lora_A.weight", f"unet.{block}.ff.net.2.lora_B.weight",
                         "text_encoder.text_model.encoder.layers.0.mlp.fc1.lora_A.weight"}  # fmt: skip
    with safe_open(tmp_path / KOHYA_FILE, "pt") as file:
        flat = f"lora_unet_{block.replace('.', '_')}"
        assert set(file.keys()) >= {f"{flat}_attn1_to_out_0.lora_down.weight", f"{flat}_ff_net_2.lora_up.weight",
                                    f"{flat}_attn1_to_q.alpha",
                                    "lora_te_text_model_encoder_layers_0_mlp_fc1.lora_down.weight"}  # fmt: skip
        assert file.get_tensor(f"{flat}_attn1_to_q.alpha").shape == ()


@pytest.mark.parametrize("write", [write_peft, write_kohya])
def test_the_library_maps_every_name(write, tmp_path):
    """Its own conversion, which needs no peft, against the names of the layers."""
    pytest.importorskip("diffusers")
    from diffusers.loaders import StableDiffusionLoraLoaderMixin
    from diffusers.utils import convert_unet_state_dict_to_peft

    write(tmp_path / "adapter.safetensors", {"unet": PARTS["unet"]})
    state, alphas = StableDiffusionLoraLoaderMixin.lora_state_dict(
        str(tmp_path), weight_name="adapter.safetensors", local_files_only=True
    )
    theirs = convert_unet_state_dict_to_peft({name.removeprefix("unet."): value for name, value in state.items()})
    kinds = {"lora_A.weight": "down", "lora_B.weight": "up"}
    assert set(theirs) == {f"{layer}.{kind}" for layer in PARTS["unet"] for kind in kinds}
    assert set((alphas or {1: 3.0}).values()) == {3.0}
