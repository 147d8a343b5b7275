"""Single files of the names of Rombach et al. 2022, against the folder that they were made of."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import save_file

from rsforge.errors import RsforgeError
from rsforge.models.pretrained.folder import read_folder
from rsforge.models.pretrained.single_file import find_prediction, read_single_file
from tests.worlds.single_files import read_states, rename_open_clip, rename_unet, rename_vae, single_file
from tests.worlds.stable_diffusion import copy_folder, make_parts

OURS = ("unet", "autoencoder", "text_encoder")


def assert_same_weights(one, other):
    for name in OURS:
        torch.testing.assert_close(
            dict(getattr(one, name).state_dict()), dict(getattr(other, name).state_dict()), atol=0, rtol=0
        )


def test_the_names_of_this_test_are_those_that_the_library_reads(source, family):
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from diffusers.loaders import single_file_utils as library

    unet, vae, text = read_states(source)
    configs = {part: json.loads((source / part / "config.json").read_text()) for part in ("unet", "vae")}
    converted = library.convert_ldm_unet_checkpoint(rename_unet(unet), configs["unet"])
    UNet2DConditionModel(**configs["unet"]).load_state_dict(converted, strict=True)
    torch.testing.assert_close(converted, unet, atol=0, rtol=0)
    converted = library.convert_ldm_vae_checkpoint(rename_vae(vae), configs["vae"])
    AutoencoderKL(**configs["vae"]).load_state_dict(converted, strict=True)
    torch.testing.assert_close(converted, vae, atol=0, rtol=0)
    if family == "2.x":
        network = make_parts(family)[2]
        theirs = library.convert_open_clip_checkpoint(network, rename_open_clip(text))
        bare = {name.removeprefix("text_model."): tensor for name, tensor in theirs.items()}
        torch.testing.assert_close(bare, {k.removeprefix("text_model."): v for k, v in text.items()}, atol=0, rtol=0)


@pytest.mark.parametrize("present", [False, True], ids=["former attention", "attention of today"])
def test_a_file_gives_the_networks_of_its_folder(source, family, tmp_path, present):
    save_file(single_file(source, family, present=present), tmp_path / "model.safetensors")
    ours, of_folder = read_single_file(tmp_path / "model.safetensors"), read_folder(source)
    assert_same_weights(ours, of_folder)
    tokens = torch.arange(77)[None]
    x_t, image = torch.randn(1, 4, 8, 8), torch.randn(1, 3, 16, 16)
    with torch.no_grad():
        context = of_folder.text_encoder(tokens)
        assert torch.equal(ours.text_encoder(tokens), context)
        assert torch.equal(ours.unet(x_t, 7, context), of_folder.unet(x_t, 7, context))
        assert torch.equal(ours.autoencoder(image), of_folder.autoencoder(image))
    assert ours.schedule.schedule == of_folder.schedule.schedule
    assert ours.schedule.prediction == of_folder.schedule.prediction == {"1.x": "eps", "2.x": "v"}[family]
    assert ours.scaling_factor == of_folder.scaling_factor


def test_a_pickled_file_is_read_without_executing_it(source, family, tmp_path):
    further = {
        "model_ema.decay": torch.tensor(0.9),
        "betas": torch.ones(3),
        "first_stage_model.loss.logvar": torch.ones(1),
    }
    if family == "1.x":
        further["cond_stage_model.transformer.text_model.embeddings.position_ids"] = torch.arange(77)[None]
    else:
        further |= {"cond_stage_model.model.text_projection": torch.ones(2, 2),
                    "cond_stage_model.model.logit_scale": torch.ones(())}  # fmt: skip
    contents = {"state_dict": single_file(source, family) | further, "global_step": 875000, "epoch": 3}
    torch.save(contents, tmp_path / "model.ckpt")
    ours = read_single_file(tmp_path / "model.ckpt")
    assert_same_weights(ours, read_folder(source))
    assert ours.schedule.prediction == "eps" and ours.latent_size == 64
    torch.save(contents, tmp_path / "old.ckpt", _use_new_zipfile_serialization=False)
    assert_same_weights(read_single_file(tmp_path / "old.ckpt"), ours)


def test_the_last_layer_of_open_clip_is_left_out_and_fewer_are_all_read(tmp_path):
    folder = copy_folder("2.x", tmp_path / "model")
    state = single_file(folder, "2.x")
    prefix = "cond_stage_model.model.transformer.resblocks."
    layer = {
        name.removeprefix(f"{prefix}0."): tensor for name, tensor in state.items() if name.startswith(f"{prefix}0.")
    }
    for number in range(24):
        state |= {f"{prefix}{number}.{name}": tensor + number for name, tensor in layer.items()}
    save_file(state, tmp_path / "deep.safetensors")
    encoder = read_single_file(tmp_path / "deep.safetensors").text_encoder
    assert encoder.architecture["num_layers"] == len(encoder.encoder.layers) == 23
    expected = layer["mlp.c_fc.bias"] + 22
    assert torch.equal(encoder.encoder.layers[22].mlp.fc1.bias, expected)


FAMILIES = {
    "conditioner.embedders.0.transformer.text_model.final_layer_norm.bias": "Stable Diffusion XL",
    "model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight": "Stable Diffusion 3",
    "double_blocks.0.img_attn.proj.bias": "Flux",
    "control_model.time_embed.0.weight": "a ControlNet",
    "lora_unet_down_blocks_0.alpha": "an adapter",
}


@pytest.mark.parametrize(("name", "family"), FAMILIES.items(), ids=FAMILIES.values())
def test_files_of_other_families_are_refused_by_name(tmp_path, name, family):
    save_file({name: torch.ones(2)}, tmp_path / "model.safetensors")
    with pytest.raises(RsforgeError, match=f"the file holds {family}") as caught:
        read_single_file(tmp_path / "model.safetensors")
    assert (caught.value.code, caught.value.exit) == ("RSF-C004", 4)


def test_a_model_for_inpainting_is_refused(tmp_path):
    state = single_file(copy_folder("1.x", tmp_path / "model"), "1.x")
    state["model.diffusion_model.input_blocks.0.0.weight"] = torch.ones(32, 9, 3, 3)
    save_file(state, tmp_path / "model.safetensors")
    with pytest.raises(RsforgeError, match="the U-Net takes 9 channels") as caught:
        read_single_file(tmp_path / "model.safetensors")
    assert caught.value.code == "RSF-C004"


@pytest.mark.parametrize(
    ("prefix", "part"),
    [("model.", "U-Net"), ("first_stage_model.", "autoencoder"), ("cond_stage_model.", "text encoder")],
)
def test_a_part_that_is_missing_is_named(tmp_path, prefix, part):
    state = single_file(copy_folder("1.x", tmp_path / "model"), "1.x")
    left = {name: tensor for name, tensor in state.items() if not name.startswith(prefix)}
    save_file(left, tmp_path / "model.safetensors")
    with pytest.raises(RsforgeError, match=f"no whole {part} of Stable Diffusion") as caught:
        read_single_file(tmp_path / "model.safetensors")
    assert caught.value.code == "RSF-C007"


def test_what_the_network_predicts_is_stated_or_follows_from_the_family(tmp_path):
    assert find_prediction({}, second=False) == "eps" and find_prediction({}, second=True) == "v"
    assert find_prediction({"global_step": 875_000}, second=True) == "eps"
    assert find_prediction({"modelspec.prediction_type": "epsilon"}, second=True) == "eps"
    assert find_prediction({"modelspec.prediction_type": "v"}, second=False) == "v"
    state = single_file(copy_folder("2.x", tmp_path / "model"), "2.x")
    save_file(state, tmp_path / "model.safetensors", {"modelspec.prediction_type": "epsilon"})
    assert read_single_file(tmp_path / "model.safetensors").schedule.prediction == "eps"
    told = read_single_file(tmp_path / "model.safetensors", prediction="v")
    assert told.schedule.prediction == "v" and told.latent_size == 96
