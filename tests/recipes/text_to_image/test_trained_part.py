"""What of a model is trained, its weights in a checkpoint, and what training it takes."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
import torch

from rsforge.errors import RsforgeError
from rsforge.models.recompute import use_checkpointing
from rsforge.recipes.text_to_image.trained_part import attach_trained, choose_trained, read_weights
from tests.worlds.pretrained_model import make_model


@pytest.mark.parametrize(("text", "names"), [(False, ["denoiser"]), (True, ["denoiser", "text_encoder"])])
def test_only_what_is_trained_has_gradients(text, names):
    model = make_model()
    trained = choose_trained(model, text_encoder=text)
    assert list(trained) == names
    learns = {name: any(p.requires_grad for p in getattr(model, name).parameters())
              for name in ("unet", "autoencoder", "text_encoder")}  # fmt: skip
    assert learns == {"unet": True, "autoencoder": False, "text_encoder": text}


def test_weights_come_back_averaged_or_as_they_were():
    model = make_model()
    trained = choose_trained(model)
    nets = {"denoiser": {name: torch.ones_like(value) for name, value in model.unet.state_dict().items()}}
    state = {"nets": nets, "parts": {"ema": {"shadow": {"denoiser.conv_in.bias": torch.full((8,), 5.0)}}}}
    read_weights(trained, state, Path("x.pt"))
    assert model.unet.conv_in.bias[0] == 5 and model.unet.conv_out.bias[0] == 1
    read_weights(trained, state, Path("x.pt"), averaged=False)
    assert model.unet.conv_in.bias[0] == 1
    with pytest.raises(RsforgeError) as raised:
        read_weights(trained, {"nets": {}, "parts": {}}, Path("x.pt"))
    assert raised.value.code == "RSF-C007"


def test_an_adapter_learns_beside_a_frozen_model_with_and_without_recomputation():
    model, gradients = make_model(), []
    inputs = torch.randn(2, 4, 8, 8), torch.tensor([3, 500]), torch.randn(2, 16, 8)
    before = model.unet(*inputs)
    trained = attach_trained(model, rank=2, alpha=1.0)
    assert list(trained) == ["adapter"] and trained["adapter"].alpha == 1
    torch.testing.assert_close(model.unet(*inputs), before, rtol=0, atol=0)
    with torch.no_grad():
        for parameter in trained["adapter"].parameters():
            parameter.normal_(std=0.3)
    for recomputed in (False, True):
        use_checkpointing(model.unet, recomputed)
        model.unet(*inputs).square().mean().backward()
        gradients.append([p.grad.clone() for p in trained["adapter"].parameters()])
        trained["adapter"].zero_grad(set_to_none=True)
    torch.testing.assert_close(*gradients)
    assert all(gradient.abs().max() > 0 for gradient in gradients[0])
    frozen = (model.unet, model.autoencoder, model.text_encoder)
    assert all(p.grad is None and not p.requires_grad for network in frozen for p in network.parameters())


@pytest.fixture(scope="module")
def table():
    """The benchmark that says what fits on which card."""
    file = Path(__file__).parents[3] / "benchmarks" / "finetune_memory.py"
    spec = spec_from_file_location(file.stem, file)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_of_cards_counts_what_is_trained_and_what_is_frozen(table):
    small = table.Shape((32, 32), (32, 32), width=24, heads=2, text_layers=1, latent_size=8, layers=1)
    unet, *others = map(table.count, table.build(small))
    frozen = sum(others)
    adapted = table.estimate(table.Choice(2, half=False, ema=False, accumulate=1), small)
    assert 4 * (unet + frozen) < adapted < 1.2 * 4 * (unet + frozen)
    held = {one: table.held(one, small) for one in (
        table.Choice(), table.Choice(ema=False), table.Choice(small_moments=True), table.Choice(rank=2, ema=False),
    )}  # fmt: skip
    average, moments, eighth, beside = (value / 4 - unet - frozen for value in held.values())
    # Of each weight two moments; of an average itself, and while it draws the weights in whose place it stands.
    assert (average, moments, eighth) == (4 * unet, 2 * unet, 2.5 * unet) and 0 < beside < unet / 5


def test_the_table_of_cards_says_which_are_large_enough(table, monkeypatch):
    sizes = {table.Choice(): 13.5, table.Choice(rank=4): 9.9}
    monkeypatch.setattr(table, "estimate", lambda choice, shape: sizes[choice] * table.GIB)
    monkeypatch.setattr(table, "held", lambda choice, shape: 9.0 * table.GIB)
    described = [table.describe(choice, 1.1 * table.GIB) for choice in sizes]
    assert [one["fits"] for one in described] == [[16, 24], [16, 24]]  # 13.5 and, to draw, 10.1, a tenth more, and 1
    assert [one["needed_gib"] for one in described] == [15.9, 12.1]
