"""Images through a linear code of overlapping patches."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from rsforge.metrics.lapped_code import fit_lapped_code
from rsforge.metrics.pca import fit_patch_pca, reconstruct_patches


@pytest.fixture(scope="module")
def images():
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(24, 3, 7, 7, generator=generator)
    return (F.interpolate(coarse, size=(32, 32), mode="bicubic").clamp(0, 1) * 255).byte()


@pytest.fixture(scope="module")
def code(images):
    return fit_lapped_code(images, 4, 4)


def encode(x, code):
    return F.conv2d(F.pixel_unshuffle(x, 4) - code["mean"].view(-1, 1, 1), code["encoder"], padding=1)


def decode(z, code):
    return F.pixel_shuffle(F.conv2d(z, code["decoder"], padding=1) + code["mean"].view(-1, 1, 1), 4)


def test_it_loses_less_than_the_principal_components_of_single_patches(images, code):
    x = images.float() / 127.5 - 1
    fitted = fit_patch_pca(images, 4, 4)
    components = reconstruct_patches(x, 4, fitted["mean"], fitted["components"])
    errors = [float((made - x).square().mean()) for made in (decode(encode(x, code), code), components)]
    assert errors[0] < 0.5 * errors[1]


def test_codes_are_uncorrelated_and_of_unit_size(images, code):
    codes = encode(images.float() / 127.5 - 1, code).movedim(1, 0).flatten(1)
    torch.testing.assert_close(codes @ codes.T / codes.shape[1], torch.eye(4), atol=1e-3, rtol=0)


def test_the_same_images_give_the_same_code_and_uniform_ones_a_short_one(images, code):
    torch.testing.assert_close(fit_lapped_code(images, 4, 4), code, atol=0, rtol=0)
    uniform = torch.arange(8, dtype=torch.uint8).view(8, 1, 1, 1).expand(8, 3, 8, 8)
    assert len(fit_lapped_code(uniform.contiguous(), 4, 4)["encoder"]) == 1
    assert len(fit_lapped_code(uniform[:1].contiguous(), 4, 4)["encoder"]) == 0


def test_images_of_one_colour_show_no_grid_of_patches():
    generator = torch.Generator().manual_seed(3)
    drawn = F.interpolate(torch.rand(40, 3, 5, 5, generator=generator), size=(32, 32), mode="bicubic")
    images = (drawn.clamp(0, 1) * torch.tensor([1.0, 0.6, 0.3]).view(3, 1, 1) * 255).to(torch.uint8)
    code = fit_lapped_code(images, 4, 4)
    for colour in ((0.9, -0.3, -0.7), (-0.5, -0.2, -0.4), (0.0, 0.0, 0.0)):
        flat = torch.tensor(colour).view(1, 3, 1, 1).expand(1, 3, 32, 32)
        made = decode(encode(flat, code), code)[..., 8:-8, 8:-8]
        assert float(made.std((2, 3)).max()) < 1e-4
