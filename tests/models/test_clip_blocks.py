"""Attention to all tokens or to none behind, which is what tells both towers of CLIP apart."""

from __future__ import annotations

import torch

from rsforge.models.clip_blocks import Block, Encoder, FeedForward, SelfAttention


def test_causal_attention_alone_does_not_see_what_follows():
    torch.manual_seed(0)
    x = torch.randn(1, 5, 8)
    changed = x.clone()
    changed[:, 3] += 1
    for causal in (True, False):
        attention = SelfAttention(8, 2, causal=causal)
        differs = (attention(x) - attention(changed)).abs().amax((0, 2)) > 1e-6
        assert differs.tolist() == [not causal] * 3 + [True] * 2


def test_blocks_add_to_their_input_one_after_the_other():
    torch.manual_seed(0)
    blocks = [Block(8, 2, FeedForward(8, 16, "gelu"), causal=False) for _ in range(2)]
    x = torch.randn(2, 3, 8)
    torch.testing.assert_close(Encoder(blocks)(x), blocks[1](blocks[0](x)))
    for layer in (blocks[0].self_attn.out_proj, blocks[0].mlp.fc2):
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    assert torch.equal(blocks[0](x), x)
