"""The image tower of CLIP, against Hugging Face's."""

from __future__ import annotations

import pytest
import torch

from rsforge.models.clip_vision import ClipVision
from tests.worlds.clip_model import SIDE, make_clip

SIZES = {"image_size": SIDE, "patch_size": 8, "width": 16, "num_heads": 2, "num_layers": 2, "intermediate_size": 24}


@pytest.mark.parametrize("activation", ["quick_gelu", "gelu"])
def test_the_reference_computes_the_same(activation, norm_constants):
    pytest.importorskip("transformers")
    theirs = make_clip(hidden_act=activation).vision_model
    ours = ClipVision(**SIZES, hidden_act=activation).eval()
    ours.load_state_dict(theirs.state_dict(), strict=True)
    x = torch.randn(3, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(ours(x), theirs(x).pooler_output, atol=1e-5, rtol=1e-5)
    assert norm_constants(ours) == norm_constants(theirs)


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="3 heads do not divide 16"):
        ClipVision(**SIZES | {"num_heads": 3})
    with pytest.raises(ValueError, match="patches of 5 pixels"):
        ClipVision(**SIZES | {"patch_size": 5})
    with pytest.raises(ValueError, match="takes 16"):
        ClipVision(**SIZES)(torch.zeros(1, 3, 24, 24))
