"""The configuration of the U-Net, both ways."""

from __future__ import annotations

import pytest
import torch

from rsforge.errors import RsforgeError
from rsforge.models.catalogue import build
from rsforge.models.pretrained.unet_config import read_unet, write_unet
from rsforge.models.unet import UNet

FIRST = {"cross_attention_dim": 768, "attention_head_dim": 8, "sample_size": 64}
SECOND = {"cross_attention_dim": 1024, "attention_head_dim": [5, 10, 20, 20], "use_linear_projection": True}


@pytest.mark.parametrize(("config", "number"), [(FIRST, 859_520_964), (SECOND, 865_910_724)], ids=["1.x", "2.x"])
def test_the_published_configurations_have_the_known_sizes(config, number):
    with torch.device("meta"):
        network = build(read_unet(config, where="unet"))
    assert sum(p.numel() for p in network.parameters()) == number


def test_what_is_written_is_read_as_the_same_network_here_and_there(diffusers):
    with torch.device("meta"):
        ours = UNet(
            block_out_channels=(64, 128), down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), head_width=32
        )
        config = write_unet(ours.architecture, 16)
        again = build(read_unet(config, where="unet"))
        theirs = diffusers.UNet2DConditionModel.from_config(config)
    assert config["attention_head_dim"] == [2, 4] and config["sample_size"] == 16
    shapes = [{k: v.shape for k, v in net.state_dict().items()} for net in (ours, again, theirs)]
    assert shapes[0] == shapes[1] == shapes[2]
    heads = [net.mid_block.attentions[0].transformer_blocks[0].attn1.heads for net in (ours, again, theirs)]
    assert heads == [4, 4, 4]


def test_a_network_that_is_not_told_by_a_text_alone_is_refused():
    tiny = {"block_out_channels": (32,), "down_block_types": ("DownBlock2D",)}
    for options, found in [
        ({"cross_attention_dim": None}, "no text"),
        ({"projection_class_embeddings_input_dim": 6}, "a vector beside it"),
    ]:
        with torch.device("meta"), pytest.raises(RsforgeError) as caught:
            write_unet(UNet(**tiny, **options).architecture, 8)
        assert (caught.value.code, caught.value.found) == ("RSF-C004", found)
