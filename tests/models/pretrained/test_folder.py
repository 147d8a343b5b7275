"""Folders of the Hugging Face layout, against the library that writes them."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from rsforge.errors import RsforgeError
from rsforge.models.pretrained.folder import read_folder
from tests.worlds.clip_tokens import vocabulary
from tests.worlds.stable_diffusion import SIZE, copy_folder, edit_json, source_pipeline

CLOSE = {"atol": 1e-5, "rtol": 1e-5}


@torch.no_grad()
def assert_equal_networks(ours, theirs):
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(len(vocabulary()), (2, 77), generator=generator)
    context = theirs.text_encoder(tokens).last_hidden_state
    torch.testing.assert_close(ours.text_encoder(tokens), context, **CLOSE)
    x_t, t = torch.randn(2, 4, SIZE, SIZE, generator=generator), torch.tensor([3, 981])
    torch.testing.assert_close(ours.unet(x_t, t, context), theirs.unet(x_t, t, context).sample, **CLOSE)
    image = torch.randn(2, 3, 2 * SIZE, 2 * SIZE, generator=generator)
    latents = theirs.vae.encode(image).latent_dist
    torch.testing.assert_close(ours.autoencoder.encode(image), (latents.mean, latents.logvar), **CLOSE)
    torch.testing.assert_close(ours.autoencoder.decode(x_t), theirs.vae.decode(x_t).sample, **CLOSE)


def test_the_networks_give_what_the_library_s_give(source, family):
    ours = read_folder(source)
    assert_equal_networks(ours, source_pipeline(family))
    assert (ours.scaling_factor, ours.latent_size, ours.image_size) == (0.18215, SIZE, 2 * SIZE)
    assert not ours.unet.training and not any(p.is_meta for p in ours.unet.parameters())
    assert all(p.requires_grad for p in ours.unet.parameters())


def test_former_names_of_the_autoencoder_and_of_the_text_tower_load(folder, family):
    path = folder / "vae" / "diffusion_pytorch_model.safetensors"
    names = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    renamed = {}
    for name, tensor in load_file(path).items():
        for present, former in names.items():
            name = name.replace(f"attentions.0.{present}.", f"attentions.0.{former}.")
        renamed[name] = tensor
    assert sum("proj_attn" in name for name in renamed) == 4
    path.unlink()
    save_file(renamed, path, {"format": "pt"})
    path = folder / "text_encoder" / "model.safetensors"
    bare = {name.removeprefix("text_model."): tensor for name, tensor in load_file(path).items()}
    path.unlink()
    save_file(
        {
            **{f"text_model.{k}": v for k, v in bare.items()},
            "text_model.embeddings.position_ids": torch.arange(77)[None],
        },
        path,
    )
    ours = read_folder(folder)
    save_file(bare, path)
    bare_read = read_folder(folder)
    for one in (ours, bare_read):
        assert_equal_networks(one, source_pipeline(family))


def test_half_precision_becomes_single_and_the_other_way_where_asked(tmp_path):
    folder = copy_folder("1.x", tmp_path / "model")
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    halves = {name: tensor.half() for name, tensor in load_file(path).items()}
    save_file(halves, folder / "unet" / "diffusion_pytorch_model.fp16.safetensors")
    whole, half = read_folder(folder), read_folder(folder, variant="fp16")
    name = "conv_in.weight"
    assert torch.equal(half.unet.state_dict()[name], halves[name].float())
    assert not torch.equal(half.unet.state_dict()[name], whole.unet.state_dict()[name])
    assert read_folder(folder, dtype=torch.bfloat16).unet.conv_in.weight.dtype == torch.bfloat16


@pytest.mark.parametrize(
    "name", ["StableDiffusionXLPipeline", "StableDiffusion3Pipeline", "FluxPipeline", "StableDiffusionInpaintPipeline"]
)
def test_other_classes_are_refused_by_name(tmp_path, name):
    folder = copy_folder("1.x", tmp_path / "model")
    edit_json(folder / "model_index.json", _class_name=name)
    with pytest.raises(RsforgeError, match=f"{name} is not Stable Diffusion 1.x or 2.x") as caught:
        read_folder(folder)
    assert (caught.value.code, caught.value.exit) == ("RSF-C004", 4)


REFUSED = [
    ("unet/config.json", "only_cross_attention", True, "only_cross_attention true"),
    ("unet/config.json", "time_cond_proj_dim", 256, "time_cond_proj_dim 256"),
    ("unet/config.json", "some_new_key", 1, "some_new_key 1"),
    ("unet/config.json", "cross_attention_dim", [64, 32], "differs between the stages"),
    ("unet/config.json", "_class_name", "UNet2DModel", "unet is UNet2DModel"),
    ("vae/config.json", "use_quant_conv", False, "use_quant_conv false"),
    ("vae/config.json", "shift_factor", 0.1, "shift_factor 0.1"),
    ("vae/config.json", "scaling_factor", 0, "scaling_factor 0"),
    ("vae/config.json", "down_block_types", ["AttnDownEncoderBlock2D"] * 2, "AttnDownEncoderBlock2D"),
    ("text_encoder/config.json", "model_type", "t5", 'model_type "t5"'),
    ("text_encoder/config.json", "hidden_act", "relu", 'hidden_act "relu"'),
    ("text_encoder/config.json", "layer_norm_eps", 1e-6, "layer_norm_eps"),
    ("model_index.json", "vae", ["diffusers", "AutoencoderTiny"], "the vae is AutoencoderTiny"),
]


@pytest.mark.parametrize(("name", "key", "value", "sentence"), REFUSED, ids=[f"{row[0]} {row[1]}" for row in REFUSED])
def test_keys_that_change_results_are_refused_by_name(tmp_path, name, key, value, sentence):
    folder = copy_folder("1.x", tmp_path / "model")
    edit_json(folder / name, **{key: value})
    with pytest.raises(RsforgeError, match=sentence) as caught:
        read_folder(folder)
    assert caught.value.code == "RSF-C004" and name.split("/")[0] in caught.value.where


def test_what_changes_nothing_is_taken(folder, family):
    edit_json(folder / "unet" / "config.json", upcast_attention=True, dropout=0.0, layers_per_block=[1, 1])
    edit_json(folder / "vae" / "config.json", force_upcast=False, latents_mean=[0.1] * 4)
    edit_json(folder / "text_encoder" / "config.json", projection_dim=7, _name_or_path="x")
    assert_equal_networks(read_folder(folder), source_pipeline(family))


@pytest.mark.parametrize("size", [0, True, "8", 10**30])
def test_a_size_that_is_none_is_that_of_the_first_models(tmp_path, size):
    folder = copy_folder("1.x", tmp_path / "model")
    edit_json(folder / "unet" / "config.json", sample_size=size)
    assert read_folder(folder).latent_size == 64


def test_a_folder_that_is_none_is_named(tmp_path):
    with pytest.raises(RsforgeError, match=r"model_index.json not found") as caught:
        read_folder(tmp_path)
    assert caught.value.code == "RSF-C001"
    (tmp_path / "model_index.json").write_text("{nonsense")
    with pytest.raises(RsforgeError, match=r"model_index.json is no JSON") as caught:
        read_folder(tmp_path)
    assert caught.value.code == "RSF-C003"
    (tmp_path / "model_index.json").write_text(json.dumps([1]))
    with pytest.raises(RsforgeError, match="no JSON object"):
        read_folder(tmp_path)
