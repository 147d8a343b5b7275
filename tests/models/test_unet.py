"""The U-Net, against the reference and against itself."""

from __future__ import annotations

import pytest
import torch

from rsforge.models.unet import UNet

TINY = {"block_out_channels": (32, 64), "layers_per_block": 1, "norm_num_groups": 16}
TEXT = ("CrossAttnDownBlock2D", "DownBlock2D"), ("UpBlock2D", "CrossAttnUpBlock2D")
PLAIN = ("DownBlock2D",) * 2, ("UpBlock2D",) * 2
SD1 = {"cross_attention_dim": 768, "attention_head_dim": 8}
SD2 = {"cross_attention_dim": 1024, "attention_head_dim": (5, 10, 20, 20), "use_linear_projection": True}


def _blocks(pair):
    return {"down_block_types": pair[0], "up_block_types": pair[1]}


CONFIGURATIONS = {
    "text": {**TINY, **_blocks(TEXT), "cross_attention_dim": 24, "attention_head_dim": 4},
    "linear projection, heads per stage": {
        **TINY,
        **_blocks(TEXT),
        "cross_attention_dim": 24,
        "attention_head_dim": (2, 8),
        "use_linear_projection": True,
    },
    "three stages, deep, lopsided, conditioned": {
        "block_out_channels": (32, 32, 64),
        "layers_per_block": 2,
        "norm_num_groups": 8,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "cross_attention_dim": 16,
        "attention_head_dim": (1, 2, 4),
        "transformer_layers_per_block": 2,
        "in_channels": 8,
        "out_channels": 3,
    },
    "no context": {**TINY, **_blocks(PLAIN), "cross_attention_dim": None, "attention_head_dim": 8},
}
every_configuration = pytest.mark.parametrize("options", CONFIGURATIONS.values(), ids=CONFIGURATIONS.keys())


def _reference(diffusers, options):
    levels = len(options["block_out_channels"])
    # A tuple of None is how the reference leaves the context out of its middle block.
    width = options["cross_attention_dim"] or (None,) * levels
    return diffusers.UNet2DConditionModel(**{**options, "cross_attention_dim": width})


def _inputs(options, size=(8, 12)):
    width = options["cross_attention_dim"]
    context = None if width is None else torch.randn(2, 5, width)
    return torch.randn(2, options.get("in_channels", 4), *size), torch.tensor([3, 981]), context


@every_configuration
@pytest.mark.parametrize("size", [(8, 12), (10, 7)], ids=["even", "odd"])
def test_the_reference_computes_the_same(diffusers, stirred, norm_constants, options, size) -> None:
    theirs, ours = stirred(_reference(diffusers, options)), UNet(**options).eval()
    ours.load_state_dict(theirs.state_dict())
    assert norm_constants(ours) == norm_constants(theirs)
    x_t, t, context = _inputs(options, size)
    with torch.no_grad():
        expected = theirs(x_t, t, encoder_hidden_states=context).sample
        torch.testing.assert_close(ours(x_t, t, context), expected, atol=1e-5, rtol=1e-5)


MASK = torch.tensor([[True, True, False, False, True], [True] * 5])


@pytest.mark.parametrize("name", ["text", "three stages, deep, lopsided, conditioned"])
def test_a_context_mask_is_the_references(diffusers, stirred, name) -> None:
    options = CONFIGURATIONS[name]
    theirs, ours = stirred(_reference(diffusers, options)), UNet(**options).eval()
    ours.load_state_dict(theirs.state_dict())
    x_t, t, context = _inputs(options)
    with torch.no_grad():
        expected = theirs(x_t, t, encoder_hidden_states=context, encoder_attention_mask=MASK).sample
        masked = ours(x_t, t, context, context_mask=MASK)
        torch.testing.assert_close(masked, expected, atol=1e-5, rtol=1e-5)
        everything = ours(x_t, t, context, context_mask=torch.ones_like(MASK))
        torch.testing.assert_close(everything, ours(x_t, t, context), atol=1e-5, rtol=1e-5)
    assert not torch.allclose(masked[0], everything[0]) and torch.allclose(masked[1], everything[1], atol=1e-5)


def test_a_vector_is_added_to_the_time_embedding_as_in_the_reference(diffusers, stirred) -> None:
    options = CONFIGURATIONS["text"] | {"projection_class_embeddings_input_dim": 6}
    theirs = stirred(_reference(diffusers, options | {"class_embed_type": "projection"}))
    ours = UNet(**options).eval()
    ours.load_state_dict(theirs.state_dict())
    (x_t, t, context), vector = _inputs(options), torch.randn(2, 6)
    with torch.no_grad():
        expected = theirs(x_t, t, encoder_hidden_states=context, class_labels=vector).sample
        torch.testing.assert_close(ours(x_t, t, context, vector=vector), expected, atol=1e-5, rtol=1e-5)
        assert not torch.allclose(ours(x_t, t, context, vector=2 * vector), expected, atol=1e-3)


@every_configuration
def test_our_weights_load_in_the_reference(diffusers, options) -> None:
    _reference(diffusers, options).load_state_dict(UNet(**options).state_dict(), strict=True)


@pytest.mark.parametrize(("options", "number"), [(SD1, 859_520_964), (SD2, 865_910_724)], ids=["SD 1", "SD 2"])
def test_stable_diffusion_fits(diffusers, options, number) -> None:
    with torch.device("meta"):
        ours, theirs = UNet(**options), diffusers.UNet2DConditionModel(**options)
    assert sum(p.numel() for p in ours.parameters()) == number
    shapes = [{k: v.shape for k, v in net.state_dict().items()} for net in (ours, theirs)]
    assert shapes[0] == shapes[1]


@pytest.fixture
def unconditional(stirred) -> UNet:
    return stirred(UNet(**TINY, down_block_types=TEXT[0], cross_attention_dim=None, head_width=32))


def test_without_context_the_blocks_attend_only_to_themselves(unconditional: UNet) -> None:
    names = list(unconditional.state_dict())
    assert any("down_blocks.0.attentions.0.transformer_blocks.0.attn1" in name for name in names)
    assert any("up_blocks.1.attentions.1.transformer_blocks.0.attn1" in name for name in names)
    assert not [name for name in names if "attn2" in name or ("norm2" in name and "transformer" in name)]
    assert unconditional(torch.randn(1, 4, 8, 8), 3).shape == (1, 4, 8, 8)


def test_a_condition_is_more_channels_of_x_t(stirred) -> None:
    unet = stirred(UNet(**CONFIGURATIONS["text"] | {"in_channels": 7}))
    x, t, context = _inputs(CONFIGURATIONS["text"] | {"in_channels": 7})
    together = unet(x, t, context)
    torch.testing.assert_close(unet(x[:, :4], t, context=context, condition=x[:, 4:]), together)


def test_what_the_network_has_no_place_for_is_refused(unconditional: UNet) -> None:
    x = torch.zeros(1, 4, 8, 8)
    with pytest.raises(ValueError, match=r"8 channels together, in_channels is 4"):
        unconditional(x, 0, condition=x)
    with pytest.raises(ValueError, match="24 wide, cross_attention_dim is None"):
        unconditional(x, 0, torch.zeros(1, 5, 24))
    textual = UNet(**CONFIGURATIONS["text"])
    with pytest.raises(ValueError, match="None wide, cross_attention_dim is 24"):
        textual(x, 0)
    with pytest.raises(ValueError, match="16 wide, cross_attention_dim is 24"):
        textual(x, 0, torch.zeros(1, 5, 16))
    with pytest.raises(ValueError, match=r"context_mask of \(1, 4\)"):
        textual(x, 0, torch.zeros(1, 5, 24), context_mask=torch.ones(1, 4).bool())
    with pytest.raises(ValueError, match="the vector is 3 wide, projection_class_embeddings_input_dim is None"):
        textual(x, 0, torch.zeros(1, 5, 24), vector=torch.zeros(1, 3))


def test_items_of_a_batch_do_not_meet_and_a_scalar_serves_all(stirred) -> None:
    options = CONFIGURATIONS["text"]
    unet = stirred(UNet(**options))
    x_t, t, context = _inputs(options)
    whole = unet(x_t, t, context)
    torch.testing.assert_close(whole[1:], unet(x_t[1:], t[1:], context[1:]), atol=1e-5, rtol=1e-5)
    alike = unet(x_t, torch.tensor([981, 981]), context)
    torch.testing.assert_close(unet(x_t, 981, context), alike)
    torch.testing.assert_close(unet(x_t, torch.tensor(981), context), alike)
    assert not torch.allclose(whole[0], alike[0])


@pytest.mark.parametrize(("head_width", "numbers"), [(32, (1, 2)), (16, (2, 4))])
def test_head_width_is_another_way_to_count_heads(stirred, head_width, numbers) -> None:
    options = CONFIGURATIONS["text"]
    by_width = stirred(UNet(**options | {"attention_head_dim": 5, "head_width": head_width}))
    by_number = UNet(**options | {"attention_head_dim": numbers})
    by_number.load_state_dict(by_width.state_dict())
    x_t, t, context = _inputs(options)
    torch.testing.assert_close(by_width(x_t, t, context), by_number(x_t, t, context))
    one_head = UNet(**options | {"attention_head_dim": 1})
    one_head.load_state_dict(by_width.state_dict())
    assert not torch.allclose(by_width(x_t, t, context), one_head(x_t, t, context))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"head_width": 48}, "32 channels cannot be divided into heads of head_width 48"),
        ({"head_width": 64}, "32 channels cannot be divided into heads of head_width 64"),
        ({"attention_head_dim": 5}, "32 channels cannot be divided into attention_head_dim 5 heads"),
        ({"attention_head_dim": (4, 3)}, "64 channels cannot be divided into attention_head_dim 3 heads"),
        ({"attention_head_dim": (4, 4, 4)}, "differ in length"),
        ({"down_block_types": ("DownBlock2D",)}, "block types"),
        ({"up_block_types": ("UpBlock2D", "AttnUpBlock2D")}, "AttnUpBlock2D"),
        ({"norm_num_groups": 24}, "divisible"),
    ],
)
def test_options_that_do_not_fit_together_are_refused(change, message) -> None:
    with pytest.raises(ValueError, match=message):
        UNet(**CONFIGURATIONS["text"] | change)


def test_heads_need_not_fit_where_there_is_no_attention() -> None:
    options = {**TINY, "down_block_types": PLAIN[0], "cross_attention_dim": None, "head_width": 64}
    assert UNet(**options).mid_block.attentions[0].transformer_blocks[0].attn1.heads == 1


def test_the_way_up_mirrors_the_way_down_unless_told() -> None:
    options = {k: v for k, v in CONFIGURATIONS["text"].items() if k != "up_block_types"}
    named, mirrored = UNet(**CONFIGURATIONS["text"]), UNet(**options)
    assert {k: v.shape for k, v in named.state_dict().items()} == {k: v.shape for k, v in mirrored.state_dict().items()}


@every_configuration
def test_every_parameter_learns(options) -> None:
    unet = UNet(**options)
    unet(*_inputs(options)).square().mean().backward()
    assert [name for name, p in unet.named_parameters() if p.grad is None or not p.grad.any()] == []
