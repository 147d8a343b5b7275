"""The text tower, against Hugging Face's."""

from __future__ import annotations

import pytest
import torch

from rsforge.models.text_encoder import TextEncoder, pool_last

SIZES = {"vocab_size": 11, "embedding_dim": 24, "max_length": 7, "num_heads": 3, "num_layers": 2}
TOKENS = torch.tensor([[2, 4, 5, 6, 3, 0, 0], [2, 3, 0, 0, 0, 0, 0], [2, 10, 9, 8, 7, 6, 3]])


@pytest.fixture
def theirs(clip_text_model, stirred):
    return stirred(
        clip_text_model(
            vocab_size=11, hidden_size=24, intermediate_size=96, num_hidden_layers=2, num_attention_heads=3,
            max_position_embeddings=7,
        )
    )  # fmt: skip


def test_the_reference_computes_the_same(theirs, norm_constants):
    ours = TextEncoder(**SIZES).eval()
    ours.load_state_dict(theirs.state_dict(), strict=True)
    assert norm_constants(ours) == norm_constants(theirs)
    with torch.no_grad():
        expected = theirs(TOKENS)
        torch.testing.assert_close(ours(TOKENS), expected.last_hidden_state, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(pool_last(ours(TOKENS), TOKENS != 0), expected.pooler_output, atol=1e-5, rtol=1e-5)
        shorter = theirs(TOKENS[:, :5]).last_hidden_state
        torch.testing.assert_close(ours(TOKENS[:, :5]), shorter, atol=1e-5, rtol=1e-5)


def test_the_activation_and_the_width_of_open_clip(clip_text_model, stirred):
    options = {"hidden_act": "gelu", "intermediate_size": 40}
    theirs = stirred(
        clip_text_model(vocab_size=11, hidden_size=24, num_hidden_layers=2, num_attention_heads=3,
                        max_position_embeddings=7, **options)
    )  # fmt: skip
    ours = TextEncoder(**SIZES, **options).eval()
    ours.load_state_dict(theirs.state_dict(), strict=True)
    other = TextEncoder(**SIZES, intermediate_size=40).eval()
    other.load_state_dict(theirs.state_dict(), strict=True)
    with torch.no_grad():
        expected = theirs(TOKENS).last_hidden_state
        torch.testing.assert_close(ours(TOKENS), expected, atol=1e-5, rtol=1e-5)
        assert not torch.allclose(other(TOKENS), expected, atol=1e-4)


def test_names_and_shapes_are_the_references(theirs):
    def describe(network):
        return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}

    assert describe(TextEncoder(**SIZES)) == describe(theirs)


def test_names_of_published_folders_load(theirs):
    published = {f"text_model.{name}": tensor for name, tensor in theirs.state_dict().items()}
    published["text_model.embeddings.position_ids"] = torch.arange(7)[None]
    ours = TextEncoder(**SIZES)
    ours.load_state_dict(published, strict=True)
    torch.testing.assert_close(ours.state_dict(), dict(theirs.state_dict()))


def test_padding_and_later_words_change_no_earlier_vector():
    network = TextEncoder(**SIZES).eval()
    changed = TOKENS.clone()
    changed[:, 4:] = 9
    with torch.no_grad():
        assert torch.equal(network(changed)[:, :4], network(TOKENS)[:, :4])
        assert not torch.equal(network(changed)[:, 4:], network(TOKENS)[:, 4:])


def test_the_documents_sizes_are_about_85_million_parameters():
    with torch.device("meta"):
        network = TextEncoder()
    blocks = sum(p.numel() for p in network.encoder.parameters())
    assert blocks == 12 * (12 * 768**2 + 13 * 768) == 85_054_464
    assert sum(p.numel() for p in network.parameters()) == blocks + (1000 + 77 + 2) * 768


def test_dropout_acts_in_training_alone():
    network = TextEncoder(**SIZES, dropout=0.5)
    assert not torch.equal(network(TOKENS), network(TOKENS))
    network.eval()
    assert torch.equal(network(TOKENS), network(TOKENS))


def test_heads_that_do_not_divide_the_width_and_long_texts_are_refused():
    with pytest.raises(ValueError, match="5 heads do not divide 24"):
        TextEncoder(**SIZES | {"num_heads": 5})
    with pytest.raises(ValueError, match="8 tokens, the text encoder takes 7"):
        TextEncoder(**SIZES)(torch.zeros(1, 8, dtype=torch.int64))
    with pytest.raises(ValueError, match="unknown hidden_act 'relu'"):
        TextEncoder(**SIZES, hidden_act="relu")


@torch.no_grad()
def test_training_begins_where_clip_does():
    torch.manual_seed(0)
    network = TextEncoder(vocab_size=100, embedding_dim=64, max_length=9, num_heads=2, num_layers=8)
    assert not network.embeddings.position_embedding.weight.any()
    assert float(network.embeddings.token_embedding.weight.std()) == pytest.approx(0.02, rel=0.1)
    block = network.encoder.layers[0]
    assert float(block.mlp.fc1.weight.std()) == pytest.approx(1 / 8, rel=0.1)
    assert float(block.self_attn.out_proj.weight.std()) == pytest.approx(1 / 32, rel=0.1)
