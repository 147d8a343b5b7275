from __future__ import annotations

import pytest
import torch

from rsforge.models.text_denoiser import TextDenoiser
from tests.worlds.pretrained_model import make_model


def test_it_is_the_u_net_told_by_what_the_text_tower_reads():
    model = make_model()
    network = TextDenoiser(model.unet, model.text_encoder)
    tokens, x_t, t = model.tokenizer.encode(["a river"]), torch.randn(1, 4, 8, 8), torch.tensor([3])
    assert torch.equal(network(x_t, t, context=tokens), model.unet(x_t, t, context=model.text_encoder(tokens)))
    network(x_t, t, context=tokens).sum().backward()
    assert model.text_encoder.embeddings.token_embedding.weight.grad.abs().sum() > 0
    with pytest.raises(ValueError, match="token ids"):
        network(x_t, t)
