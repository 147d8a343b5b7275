"""Guidance: the published formula, one call for both halves, and nothing at all at scale 1."""

from __future__ import annotations

import pytest
import torch

from rsforge.compat import ensure_torchvision
from rsforge.errors import RsforgeError
from rsforge.models.conditioning import Conditioning, ConditionInput
from rsforge.models.unet import UNet
from rsforge.noise.process import target
from rsforge.noise.schedules import alphas_cumprod
from rsforge.samplers.guidance import guided_network, rescale_deviation
from rsforge.samplers.predict_x0 import x0_denoiser

TEXT = ConditionInput("text", "context", 0.1, torch.randn(1, 6))
BOTH = Conditioning((TEXT, ConditionInput("sar", "condition", 0.1)))


@pytest.fixture
def unet() -> UNet:
    torch.manual_seed(0)
    options = {"down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"), "cross_attention_dim": 6}
    return UNet(
        in_channels=5,
        block_out_channels=(8, 16),
        layers_per_block=1,
        norm_num_groups=4,
        attention_head_dim=2,
        **options,
    ).eval()


def inputs():
    g = torch.Generator().manual_seed(1)
    mask = torch.tensor([[1, 1, 0], [1, 1, 1]]).bool()
    text, sar = torch.randn(2, 3, 6, generator=g), torch.randn(2, 1, 8, 8, generator=g)
    x_t = torch.randn(2, 4, 8, 8, generator=g)
    return x_t, torch.tensor([3, 500]), {"text": text, "text_mask": mask, "sar": sar}


@torch.no_grad()
@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("names", [None, ["text"]])
@pytest.mark.parametrize("scale", [0.0, 0.5, 7.5])
def test_it_is_the_published_formula(unet, scale, names, at_once) -> None:
    x_t, t, values = inputs()
    sar = values["sar"] if names else torch.zeros_like(values["sar"])
    null = unet(x_t, t, TEXT.null.expand(2, 3, 6), sar)
    output = unet(x_t, t, values["text"], values["sar"], values["text_mask"])
    guided = guided_network(unet, BOTH, values, scale, names=names, at_once=at_once)(x_t, t)
    torch.testing.assert_close(guided, null + scale * (output - null), atol=1e-5, rtol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("share", [0.0, 0.7, 1.0])
def test_rescaled_guidance_is_that_of_diffusers(unet, share) -> None:
    ensure_torchvision()
    from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import rescale_noise_cfg

    x_t, t, values = inputs()
    output = guided_network(unet, BOTH, values)(x_t, t)
    plain = guided_network(unet, BOTH, values, 7.5)(x_t, t)
    made = guided_network(unet, BOTH, values, 7.5, guidance_rescale=share)(x_t, t)
    torch.testing.assert_close(made, rescale_noise_cfg(plain, output, share), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("value", [0.0, 3.0])
def test_outputs_of_one_value_stay_as_they_are(value, dtype) -> None:
    flat = torch.full((2, 4, 8, 8), value, dtype=dtype)
    assert torch.equal(rescale_deviation(flat, torch.randn(2, 4, 8, 8).to(dtype), 1.0), flat)


@pytest.mark.parametrize(("scale", "at_once", "sizes"), [(1.0, True, [2]), (3.0, True, [4]), (3.0, False, [2, 2])])
def test_calls_of_the_network(unet, scale, at_once, sizes) -> None:
    x_t, t, values = inputs()
    calls = []

    def listening(x_t, t, **inputs):
        calls.append(len(x_t))
        return unet(x_t, t, **inputs)

    guided_network(listening, BOTH, values, scale, at_once=at_once)(x_t, t)
    assert calls == sizes


def test_scale_one_is_the_network_itself(unet) -> None:
    x_t, t, values = inputs()
    alone = unet(x_t, t, values["text"], values["sar"], values["text_mask"])
    assert torch.equal(guided_network(unet, BOTH, values)(x_t, t), alone)
    unconditional = guided_network(lambda x_t, t: x_t + t.view(-1, 1, 1, 1), Conditioning(), {})
    assert torch.equal(unconditional(x_t, t), x_t + t.view(-1, 1, 1, 1))


@pytest.mark.parametrize("prediction", ["eps", "v", "flow"])
def test_it_is_the_same_whatever_is_predicted(prediction) -> None:
    """Guided outputs give the guided x_0."""
    table, (x_t, _, values) = alphas_cumprod("linear"), inputs()
    level = table[400]

    def network(x_t, t, context, context_mask, condition):
        x_0 = torch.tanh(x_t) * context.mean((1, 2)).view(-1, 1, 1, 1) + condition
        return target(prediction, x_0, (x_t - level.sqrt() * x_0) / (1 - level).sqrt(), level)

    def x_0_of(scale):
        return x0_denoiser(guided_network(network, BOTH, values, scale), table, prediction)(x_t, 400)

    torch.testing.assert_close(x_0_of(4.0), x_0_of(0.0) + 4 * (x_0_of(1.0) - x_0_of(0.0)), atol=1e-4, rtol=1e-4)


def test_what_was_never_left_out_cannot_guide(unet) -> None:
    never = Conditioning((ConditionInput("text", "context"), ConditionInput("sar", "condition")))
    with pytest.raises(RsforgeError) as caught:
        guided_network(unet, never, inputs()[2], 7.5)
    assert caught.value.code == "RSF-U005" and caught.value.found == "no input that training left out"
    with pytest.raises(RsforgeError) as caught:
        guided_network(unet, never, inputs()[2], 7.5, names=["text"])
    assert caught.value.found == "dropout rate 0 of text"
