"""Attention, one layer at a time."""

from __future__ import annotations

import copy

import pytest
import torch

from rsforge.models.attention import Attention, PixelAttention, SpatialTransformer, to_image, to_tokens


def test_attention_is_the_softmax_formula() -> None:
    attention = Attention(8, heads=2, context_width=6).double()
    x, context = torch.randn(3, 5, 8).double(), torch.randn(3, 7, 6).double()
    q, k, v = attention.to_q(x), attention.to_k(context), attention.to_v(context)
    heads = []
    for part in (slice(0, 4), slice(4, 8)):
        weights = torch.softmax(q[..., part] @ k[..., part].transpose(1, 2) / 2, dim=-1)
        heads.append(weights @ v[..., part])
    torch.testing.assert_close(attention(x, context), attention.to_out(torch.cat(heads, dim=2)))


def test_tokens_that_do_not_count_get_no_weight() -> None:
    attention = Attention(8, heads=2, context_width=6).double()
    x, context = torch.randn(2, 5, 8).double(), torch.randn(2, 7, 6).double()
    mask = torch.tensor([[1, 1, 0, 1, 0, 0, 0], [1] * 7]).bool()
    first, second = attention(x, context, mask)
    torch.testing.assert_close(first, attention(x[:1], context[:1, [0, 1, 3]])[0])
    torch.testing.assert_close(second, attention(x[1:], context[1:])[0])
    nothing = attention(x, context, torch.zeros_like(mask))
    torch.testing.assert_close(nothing, attention.to_out[0].bias.expand_as(nothing))


def test_tokens_and_image_are_two_views_of_the_same_numbers() -> None:
    x = torch.randn(2, 3, 4, 5)
    tokens = to_tokens(x)
    torch.testing.assert_close(tokens[1, 7], x[1, :, 1, 2])
    assert tokens.data_ptr() == x.data_ptr()
    torch.testing.assert_close(to_image(tokens, x), x)


@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("context_width", [None, 12])
def test_the_transformer_is_the_references(diffusers, stirred, norm_constants, linear, context_width) -> None:
    theirs = stirred(
        diffusers.Transformer2DModel(
            num_attention_heads=4,
            attention_head_dim=8,
            in_channels=32,
            num_layers=2,
            norm_num_groups=8,
            cross_attention_dim=context_width,
            use_linear_projection=linear,
        )
    )
    ours = SpatialTransformer(32, heads=4, context_width=context_width, depth=2, groups=8, linear=linear)
    ours.load_state_dict(theirs.state_dict())
    assert norm_constants(ours) == norm_constants(theirs)
    x = torch.randn(2, 32, 4, 6)
    context = None if context_width is None else torch.randn(2, 3, context_width)
    with torch.no_grad():
        expected = theirs(x, encoder_hidden_states=context).sample
        torch.testing.assert_close(ours(x, context), expected, atol=1e-5, rtol=1e-5)


def test_the_two_layouts_of_the_projection_are_one_function() -> None:
    options = {"heads": 2, "context_width": None, "depth": 1, "groups": 4}
    first = SpatialTransformer(16, linear=False, **options)
    second = SpatialTransformer(16, linear=True, **options)
    flat = {k: v.flatten(1) if k.startswith("proj") and v.ndim == 4 else v for k, v in first.state_dict().items()}
    second.load_state_dict(flat)
    x = torch.randn(2, 16, 3, 3)
    torch.testing.assert_close(first(x, None), second(x, None), atol=1e-5, rtol=1e-5)


def test_weights_under_their_former_names_are_taken_also_by_a_copy() -> None:
    source = PixelAttention(16, groups=4)
    former = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn", "group_norm": "group_norm"}
    state = {
        f"{former[name]}.{kind}": tensor
        for (name, kind), tensor in ((k.rsplit(".", 1), v) for k, v in source.state_dict().items())
    }
    before = dict(state)
    for target in (PixelAttention(16, groups=4), copy.deepcopy(PixelAttention(16, groups=4))):
        target.load_state_dict(state)
        x = torch.randn(1, 16, 4, 4)
        torch.testing.assert_close(target(x), source(x))
    assert state == before
