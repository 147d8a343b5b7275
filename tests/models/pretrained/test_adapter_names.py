"""Names in adapters of every program, against layers written down by hand."""

from __future__ import annotations

import pytest

from rsforge.models.pretrained.adapter_names import Place, find_place, index_layers, peft_name

ATTENTION = "down_blocks.0.attentions.0.transformer_blocks.0.attn1"
LAYER = "encoder.layers.3.self_attn.q_proj"
KOHYA = {
    **{name: ("unet", layer) for name, layer in index_layers("unet", [f"{ATTENTION}.to_out.0"]).items()},
    **{name: ("text_encoder", layer) for name, layer in index_layers("text_encoder", [LAYER]).items()},
}


@pytest.mark.parametrize(
    ("name", "part", "layer", "role"),
    [
        (f"unet.{ATTENTION}.to_q.lora_A.weight", "unet", f"{ATTENTION}.to_q", "down"),
        (f"unet.{ATTENTION}.to_out.0.lora_B.default.weight", "unet", f"{ATTENTION}.to_out.0", "up"),
        (f"base_model.model.{ATTENTION}.to_q.lora_B.weight", "unet", f"{ATTENTION}.to_q", "up"),
        (f"unet.{ATTENTION}.to_k.lora.down.weight", "unet", f"{ATTENTION}.to_k", "down"),
        (f"{ATTENTION}.processor.to_v_lora.up.weight", "unet", f"{ATTENTION}.to_v", "up"),
        (f"unet.{ATTENTION}.processor.to_out_lora.down.weight", "unet", f"{ATTENTION}.to_out.0", "down"),
        (f"unet.{ATTENTION}.to_q.alpha", "unet", f"{ATTENTION}.to_q", "alpha"),
        (f"text_encoder.text_model.{LAYER}.lora_linear_layer.up.weight", "text_encoder", LAYER, "up"),
        (f"text_encoder.{LAYER}.lora_A.weight", "text_encoder", LAYER, "down"),
        ("text_encoder.text_model.encoder.layers.3.self_attn.to_q_lora.up.weight", "text_encoder", LAYER, "up"),
        ("text_encoder.text_model.encoder.layers.3.self_attn.to_out_lora.down.weight", "text_encoder",
         "encoder.layers.3.self_attn.out_proj", "down"),
        ("text_encoder.text_model.encoder.layers.3.mlp.fc1.lora_B.weight", "text_encoder", "encoder.layers.3.mlp.fc1",
         "up"),
        ("lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_out_0.lora_down.weight", "unet",
         f"{ATTENTION}.to_out.0", "down"),
        ("lora_te_text_model_encoder_layers_3_self_attn_q_proj.alpha", "text_encoder", LAYER, "alpha"),
        ("lora_unet_elsewhere.lora_up.weight", "unet", "lora_unet_elsewhere", "up"),
    ],
)  # fmt: skip
def test_what_a_tensor_is(name, part, layer, role):
    assert find_place(name, KOHYA) == Place(part, layer, role)


@pytest.mark.parametrize("name", ["conv_in.weight", "lora_unet_x.scale", "unet.to_q.lora_C.weight", "lora_te_x", ""])
def test_other_names_are_none(name):
    assert find_place(name, KOHYA) is None


def test_names_that_are_written():
    assert peft_name("unet", f"{ATTENTION}.to_q") == f"unet.{ATTENTION}.to_q"
    assert peft_name("text_encoder", LAYER) == f"text_encoder.text_model.{LAYER}"
