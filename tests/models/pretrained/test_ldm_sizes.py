"""Sizes read from the shapes of the published models, as files of weights without memory have them."""

from __future__ import annotations

import pytest
import torch

from rsforge.models.autoencoder_kl import AutoencoderKL
from rsforge.models.catalogue import build
from rsforge.models.pretrained.ldm_names import autoencoder_places, clip_places, open_clip_places, unet_places
from rsforge.models.pretrained.ldm_sizes import is_second, read_autoencoder_sizes, read_text_sizes, read_unet_sizes
from rsforge.models.text_encoder import TextEncoder
from rsforge.models.unet import UNet

ATTENDS = (False, True, True, True)
SECOND = {"cross_attention_dim": 1024, "attention_head_dim": (5, 10, 20, 20), "use_linear_projection": True}


def _shapes(network, places):
    shapes = {}
    for name, parameter in network.state_dict().items():
        piece = places(name)[0]
        shape = tuple(parameter.shape)
        shapes[piece.name] = shape if piece.part is None else (3 * shape[0], *shape[1:])
    return shapes


@pytest.mark.parametrize(("options", "second"), [({}, False), (SECOND, True)], ids=["1.x", "2.x"])
def test_the_published_unets_are_recognised(options, second):
    with torch.device("meta"):
        network = UNet(**options)
        sizes = read_unet_sizes(_shapes(network, unet_places(2, ATTENDS)), second=second, where="x")
        again = build(sizes.architecture)
    assert (sizes.layers, sizes.up_attends) == (2, ATTENDS)
    assert {k: v.shape for k, v in again.state_dict().items()} == {k: v.shape for k, v in network.state_dict().items()}
    heads = [[m.heads for m in net.modules() if hasattr(m, "heads")] for net in (again, network)]
    assert heads[0] == heads[1] and len(set(heads[0])) == (3 if second else 1)


def test_the_published_autoencoder_is_recognised():
    with torch.device("meta"):
        network = AutoencoderKL()
    read = read_autoencoder_sizes(_shapes(network, autoencoder_places(4)), where="x")
    assert read == {k: v for k, v in network.architecture.items() if k not in ("norm_num_groups", "linear_path")}


def test_the_published_text_towers_are_recognised():
    first = {"vocab_size": 49408, "intermediate_size": 3072}
    second = {"vocab_size": 49408, "embedding_dim": 1024, "num_heads": 16, "num_layers": 24, "hidden_act": "gelu",
              "intermediate_size": 4096}  # fmt: skip
    for options, places, layers in ((first, clip_places, 12), (second, open_clip_places, 23)):
        with torch.device("meta"):
            network = TextEncoder(**options)
        shapes = _shapes(network, places)
        assert is_second(shapes) == (layers == 23)
        expected = {k: v for k, v in network.architecture.items() if k != "dropout"} | {"num_layers": layers}
        assert read_text_sizes(shapes, where="x") == expected
