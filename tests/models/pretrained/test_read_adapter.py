"""Adapters as every program writes them, and what is none."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from rsforge.errors import RsforgeError
from rsforge.models.pretrained.read_adapter import read_adapter
from tests.worlds.adapters import NETWORKS, TEXT_LAYER, UNET_LAYER, WIDTH, make_matrices

DOWN, UP = make_matrices(WIDTH, WIDTH, 2)
TE = "text_encoder.text_model."
KOHYA = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_v"


@pytest.fixture
def read(tmp_path):
    def call(tensors, header=None, name="pytorch_lora_weights.safetensors"):
        save_file({key: tensor.clone() for key, tensor in tensors.items()}, tmp_path / name, header)
        return read_adapter(tmp_path / name, NETWORKS)

    return call


def refusal(read, *args, **options) -> RsforgeError:
    with pytest.raises(RsforgeError) as caught:
        read(*args, **options)
    assert caught.value.exit == 4
    return caught.value


@pytest.mark.parametrize(
    ("names", "alpha"),
    [
        ((f"unet.{UNET_LAYER}.lora_A.weight", f"unet.{UNET_LAYER}.lora_B.weight", None), 2.0),
        ((f"{UNET_LAYER}.lora.down.weight", f"{UNET_LAYER}.lora.up.weight", None), 2.0),
        ((f"{KOHYA}.lora_down.weight", f"{KOHYA}.lora_up.weight", f"{KOHYA}.alpha"), 0.5),
    ],
)
def test_the_names_of_all_programs_are_read(read, names, alpha):
    down, up, stated = names
    tensors = {down: DOWN.half(), up: UP.half()} | ({stated: torch.tensor(0.5)} if stated else {})
    parts = read(tensors)
    assert set(parts) == {"unet"} and set(parts["unet"]) == {UNET_LAYER}
    update = parts["unet"][UNET_LAYER]
    assert torch.equal(update.down, DOWN.half().float()) and torch.equal(update.up, UP.half().float())
    assert update.alpha == alpha


def test_an_alpha_may_be_a_whole_number(read):
    (update,) = read(_pair() | {f"unet.{UNET_LAYER}.alpha": torch.tensor([4])})["unet"].values()
    assert update.alpha == 4.0


def test_text_towers_and_convolutions_are_read(read):
    conv, kernel = "down_blocks.0.resnets.0.conv1", torch.ones(2, WIDTH, 3, 3)
    parts = read({
        f"{TE}{TEXT_LAYER}.lora_A.weight": DOWN, f"{TE}{TEXT_LAYER}.lora_B.weight": UP,
        f"unet.{conv}.lora_A.weight": kernel, f"unet.{conv}.lora_B.weight": torch.ones(WIDTH, 2, 1, 1),
    })  # fmt: skip
    assert {part: list(updates) for part, updates in parts.items()} == {"unet": [conv], "text_encoder": [TEXT_LAYER]}


def _pair(prefix="unet.", layer=UNET_LAYER, down=DOWN, up=UP):
    return {f"{prefix}{layer}.lora_A.weight": down, f"{prefix}{layer}.lora_B.weight": up}


@pytest.mark.parametrize(
    ("settings", "alpha"),
    [
        ({"unet.r": 2, "unet.lora_alpha": 8}, 8.0),
        ({"unet.r": 2, "unet.lora_alpha": 8, "unet.use_rslora": True}, 8 * 2**0.5),
        ({"unet.r": 4, "unet.rank_pattern": {"to_v": 2}, "unet.lora_alpha": 8,
          "unet.alpha_pattern": {"attn2.to_v": 3}}, 3),
        ({"unet.r": 2, "unet.lora_alpha": 8, "unet.alpha_pattern": {"n2.to_v": 3, r"^attn1\.to_v$": 4}}, 8),
        ({"text_encoder.lora_alpha": 8}, 2.0),
    ],
)  # fmt: skip
def test_what_peft_says_of_alpha_counts(read, settings, alpha):
    (update,) = read(_pair(), {"lora_adapter_metadata": json.dumps(settings)})["unet"].values()
    assert update.alpha == pytest.approx(alpha)


def test_a_folder_of_peft_is_read_with_its_configuration(read, tmp_path):
    (tmp_path / "adapter_config.json").write_text(json.dumps({"r": 2, "lora_alpha": 16}))
    read(_pair("base_model.model."), name="adapter_model.safetensors")
    assert read_adapter(tmp_path, NETWORKS)["unet"][UNET_LAYER].alpha == 16


@pytest.mark.parametrize(
    ("tensors", "found"),
    [
        (_pair(layer="up.9.to_q"), "2 tensors of layers that the model has not: unet.up.9.to_q.lora_A.weight, unet.up"),
        (_pair() | {"unet.something": DOWN}, "1 tensors of layers that the model has not: unet.something"),
        ({f"unet.{UNET_LAYER}.lora_A.weight": DOWN}, "without its other half"),
        ({}, "no tensors"),
        (_pair(down=torch.ones(2, WIDTH + 1)), f"[2, {WIDTH + 1}] and [{WIDTH}, 2] for a weight [{WIDTH}, {WIDTH}]"),
        (_pair(up=torch.ones(WIDTH, 3)), f"[2, {WIDTH}] and [{WIDTH}, 3] for a weight"),
        (_pair(down=torch.ones(0, WIDTH), up=torch.ones(WIDTH, 0)), f"[0, {WIDTH}]"),
        (_pair(down=DOWN.int()), f"unet.{UNET_LAYER}.lora_A.weight torch.int32"),
        (_pair() | {f"unet.{UNET_LAYER}.alpha": torch.ones(0)}, "alpha is no single number but torch.float32 [0]"),
        (_pair() | {f"unet.{UNET_LAYER}.alpha": torch.ones(2)}, "alpha is no single number but torch.float32 [2]"),
        (_pair() | {f"{KOHYA}.lora_down.weight": DOWN, f"{KOHYA}.lora_up.weight": UP, f"{KOHYA}.alpha": torch.ones(())},
         "lora_down.weight and unet."),
        (_pair() | _pair(prefix=""), "are of one layer"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(read, tensors, found):
    error = refusal(read, tensors)
    assert error.code == "RSF-C007" and found in error.found


def test_a_rank_that_is_not_the_stated_one_is_named(read):
    error = refusal(read, _pair(), {"lora_adapter_metadata": '{"unet.r": 4, "unet.lora_alpha": 4}'})
    assert error.code == "RSF-C007" and "has rank 2, the settings of the file say 4" in error.found


@pytest.mark.parametrize(
    ("name", "method"),
    [
        (f"unet.{UNET_LAYER}.lora_magnitude_vector", "DoRA"),
        (f"{KOHYA}.dora_scale", "DoRA"),
        (f"{KOHYA}.hada_w1_a", "LyCORIS"),
        (f"{KOHYA}.diff", "LyCORIS"),
        ("lora_te1_text_model_encoder_layers_0_mlp_fc1.lora_down.weight", "Stable Diffusion XL"),
        ("lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight", "a transformer model"),
        (f"unet.{UNET_LAYER}.lora_B.bias", "LoRA with biases"),
    ],
)
def test_other_methods_are_refused_by_name(read, name, method):
    error = refusal(read, _pair() | {name: DOWN})
    assert error.code == "RSF-C004" and method in error.what and error.found == name


def test_what_is_no_adapter_is_refused(read, tmp_path):
    assert refusal(lambda: read_adapter(tmp_path / "none.safetensors", NETWORKS)).code == "RSF-C001"
    assert refusal(lambda: read_adapter(tmp_path, NETWORKS)).code == "RSF-C001"
    torch.save(_pair(), tmp_path / "adapter.bin")
    assert refusal(lambda: read_adapter(tmp_path / "adapter.bin", NETWORKS)).code == "RSF-C003"
    assert refusal(read, _pair(up=UP / 0)).code == "RSF-C002"
    assert refusal(read, _pair(), {"lora_adapter_metadata": "{"}).code == "RSF-C003"
    assert refusal(read, _pair(), {"lora_adapter_metadata": "[" * 100_000}).code == "RSF-C003"
    file = tmp_path / "short.safetensors"
    file.write_bytes((tmp_path / "pytorch_lora_weights.safetensors").read_bytes()[:-5])
    assert load_file(tmp_path / "pytorch_lora_weights.safetensors")
    assert refusal(lambda: read_adapter(file, NETWORKS)).code == "RSF-C002"
