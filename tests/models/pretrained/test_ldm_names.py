"""Names of single files; that all of them are right is tested with whole files in test_single_file.py."""

from __future__ import annotations

import pytest

from rsforge.models.pretrained.fill import Piece
from rsforge.models.pretrained.ldm_names import autoencoder_places, clip_places, open_clip_places, unet_places

# As they stand in Stable Diffusion's published files: two residual blocks a stage, attention in all stages but one.
UNET = {
    "conv_out.bias": "out.2.bias",
    "time_embedding.linear_2.weight": "time_embed.2.weight",
    "down_blocks.0.downsamplers.0.conv.weight": "input_blocks.3.0.op.weight",
    "down_blocks.2.attentions.1.proj_in.weight": "input_blocks.8.1.proj_in.weight",
    "down_blocks.3.resnets.1.time_emb_proj.bias": "input_blocks.11.0.emb_layers.1.bias",
    "mid_block.resnets.1.norm2.weight": "middle_block.2.out_layers.0.weight",
    "up_blocks.0.upsamplers.0.conv.bias": "output_blocks.2.1.conv.bias",
    "up_blocks.1.upsamplers.0.conv.bias": "output_blocks.5.2.conv.bias",
    "up_blocks.3.resnets.2.conv_shortcut.weight": "output_blocks.11.0.skip_connection.weight",
    "up_blocks.3.attentions.2.transformer_blocks.0.attn2.to_out.0.weight":
        "output_blocks.11.1.transformer_blocks.0.attn2.to_out.0.weight",
}  # fmt: skip


@pytest.mark.parametrize(("own", "name"), UNET.items())
def test_names_of_the_published_unet(own, name):
    assert unet_places(2, (False, True, True, True))(own) == [Piece(f"model.diffusion_model.{name}")]


VAE = {
    "encoder.down_blocks.1.resnets.0.conv_shortcut.weight": ["encoder.down.1.block.0.nin_shortcut.weight"],
    "encoder.down_blocks.2.downsamplers.0.conv.bias": ["encoder.down.2.downsample.conv.bias"],
    "decoder.up_blocks.0.resnets.2.norm1.bias": ["decoder.up.3.block.2.norm1.bias"],
    "decoder.up_blocks.2.upsamplers.0.conv.weight": ["decoder.up.1.upsample.conv.weight"],
    "decoder.conv_norm_out.weight": ["decoder.norm_out.weight"],
    "encoder.mid_block.attentions.0.to_out.0.weight": [
        "encoder.mid.attn_1.proj_out.weight",
        "encoder.mid.attn_1.to_out.0.weight",
    ],
    "encoder.mid_block.resnets.1.conv1.weight": ["encoder.mid.block_2.conv1.weight"],
    "quant_conv.bias": ["quant_conv.bias"],
}


@pytest.mark.parametrize(("own", "names"), VAE.items())
def test_names_of_the_published_autoencoder(own, names):
    assert autoencoder_places(4)(own) == [Piece(f"first_stage_model.{name}") for name in names]


def test_names_of_the_text_towers():
    name = "encoder.layers.7.self_attn.k_proj.bias"
    prefix = "cond_stage_model.transformer."
    assert clip_places(name) == [Piece(f"{prefix}text_model.{name}"), Piece(prefix + name)]
    assert open_clip_places(name) == [Piece("cond_stage_model.model.transformer.resblocks.7.attn.in_proj_bias", 1)]
    assert open_clip_places("embeddings.position_embedding.weight") == [
        Piece("cond_stage_model.model.positional_embedding")
    ]
