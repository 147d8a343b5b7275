"""The configuration of the autoencoder, both ways."""

from __future__ import annotations

import pytest
import torch

from rsforge.errors import RsforgeError
from rsforge.models.autoencoder_kl import AutoencoderKL
from rsforge.models.catalogue import build
from rsforge.models.pretrained.autoencoder_config import read_autoencoder, read_scaling_factor, write_autoencoder

PUBLISHED = {"block_out_channels": [128, 256, 512, 512], "layers_per_block": 2, "sample_size": 512}


def test_the_published_configuration_has_the_known_size():
    with torch.device("meta"):
        network = build(read_autoencoder(PUBLISHED, where="vae"))
    assert sum(p.numel() for p in network.parameters()) == 83_653_863


def test_what_is_written_is_read_as_the_same_network_here_and_there(diffusers):
    with torch.device("meta"):
        ours = AutoencoderKL(block_out_channels=(32, 64, 64), layers_per_block=1, latent_channels=3, norm_num_groups=16)
        config = write_autoencoder(ours.architecture, 32)
        theirs = diffusers.AutoencoderKL.from_config(config)
        assert build(read_autoencoder(config, where="vae")).architecture == ours.architecture
    shapes = [{k: v.shape for k, v in net.state_dict().items()} for net in (ours, theirs)]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("key", ["down_block_types", "up_block_types"])
@pytest.mark.parametrize("value", [None, 3, [], [["DownEncoderBlock2D"]], ["UpDecoderBlock2D", {}]])
def test_kinds_of_blocks_are_a_list_of_names(key, value):
    with pytest.raises(RsforgeError, match=key) as caught:
        read_autoencoder(PUBLISHED | {key: value}, where="vae")
    assert caught.value.code == "RSF-C004"


def test_the_scaling_factor_is_a_positive_number():
    assert (
        read_scaling_factor({}, where="vae") == 0.18215 and read_scaling_factor({"scaling_factor": 2}, where="vae") == 2
    )
    for bad in (0, -1, True, "1", None, float("inf"), float("nan")):
        with pytest.raises(RsforgeError, match="scaling_factor") as caught:
            read_scaling_factor({"scaling_factor": bad}, where="vae")
        assert caught.value.code == "RSF-C004"
