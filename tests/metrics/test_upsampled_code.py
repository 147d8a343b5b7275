"""Images through a linear code whose decoder repeats pixels and convolves."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from rsforge.metrics.upsampled_code import fit_upsampled_code
from tests.worlds.linear_codes import decode, encode


@pytest.fixture(scope="module")
def images():
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(10, 3, 9, 9, generator=generator)
    return (F.interpolate(coarse, size=(32, 32), mode="bicubic").clamp(0, 1) * 255).byte()


@pytest.fixture(scope="module")
def code(images):
    return fit_upsampled_code(images, 1, 4, 24)


def to_unit(images):
    return images.float() / 127.5 - 1


def test_it_loses_a_small_part_of_what_a_thumbnail_loses(images, code):
    x = to_unit(images)
    thumbnail = F.interpolate(F.avg_pool2d(x, 2), scale_factor=2, mode="bilinear")
    errors = [float((made - x).square().mean()) for made in (decode(encode(x, code), code), thumbnail)]
    assert errors[0] < 0.25 * errors[1]


def test_channels_are_uncorrelated_and_have_deviation_1_together(images, code):
    codes = encode(to_unit(images), code).movedim(1, 0).flatten(1)
    products = codes @ codes.T / codes.shape[1]
    assert float(products.diag().mean()) == pytest.approx(1, abs=1e-4)
    assert float((products - products.diag().diag()).abs().max()) < 1e-3
    assert products.diag().tolist() == sorted(products.diag().tolist(), reverse=True)
    assert products[0, 0] > 5 * products[-1, -1], "channels keep the weight that they have in images"


def test_noise_in_any_channel_is_as_much_noise_in_an_image(code):
    impulses = torch.zeros(4, 4, 16, 16)
    impulses[range(4), range(4), 8, 8] = 1
    answers = (decode(impulses, code) - decode(torch.zeros(1, 4, 16, 16), code)).flatten(1)
    products = answers @ answers.T
    torch.testing.assert_close(products, products[0, 0] * torch.eye(4), rtol=1e-3, atol=1e-4)


def test_the_same_images_give_the_same_code_and_uniform_ones_a_short_one(images, code):
    again = fit_upsampled_code(images, 1, 4, 24)
    assert all(
        torch.equal(a, b) for a, b in zip([*again.decoder, again.encoder], [*code.decoder, code.encoder], strict=True)
    )
    uniform = torch.arange(8, dtype=torch.uint8).view(8, 1, 1, 1).expand(8, 3, 8, 8).contiguous()
    assert len(fit_upsampled_code(uniform, 1, 4, 8).encoder) == 1
    short = fit_upsampled_code(uniform[3:4], 1, 4, 8)
    assert len(short.encoder) == 0
    torch.testing.assert_close(short.mean, to_unit(uniform[3, :, 0, 0]))


def test_two_levels_have_a_quarter_of_the_size(images):
    code = fit_upsampled_code(images[:6], 2, 5, 16)
    z = encode(to_unit(images[:2]), code)
    assert z.shape == (2, 5, 8, 8) and decode(z, code).shape == (2, 3, 32, 32)
