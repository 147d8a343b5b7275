"""Convolutions that run along the wavelength axis of a pixel, and the sizes of the document."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from rsforge.models.recompute import use_checkpointing
from rsforge.models.spectral import spectral_sr
from rsforge.models.spectral.spectral_sr import PRESETS, SpectralBlock, SpectralSR


@pytest.mark.parametrize(("preset", "count"), [("standard", 4_076_361), ("large", 7_053_417)])
def test_presets_have_the_documents_sizes(preset, count) -> None:
    with torch.device("meta"):
        net = SpectralSR(bands=340, **PRESETS[preset])
        assert net(torch.empty(1, 7, 16, 12)).shape == (1, 340, 16, 12)
    found = sum(p.numel() for p in net.parameters())
    assert found == pytest.approx(count, rel=0.03)
    assert f"{found:,}" in SpectralSR.__doc__


@pytest.fixture
def block(stirred) -> SpectralBlock:
    torch.manual_seed(0)
    return stirred(SpectralBlock(11, features=3, taps=5).double())


def test_a_pixel_never_moves_its_neighbours(block, image) -> None:
    """Pixels in a row, ends of lines included, were neighbours to a convolution over flattened pixels."""
    x = image(1, 11, 4, 5)
    y = block(x)
    for place in ((0, 0), (1, 4), (2, 0), (3, 2)):
        other = x.clone()
        other[..., place[0], place[1]] += 1
        changed = (block(other) != y).any(1)[0].nonzero().tolist()
        assert changed == [list(place)]


def test_kernels_run_along_the_wavelengths(block, image) -> None:
    """By a convolution of each pixel's spectrum; before bands are mixed a band reaches half a kernel, twice."""
    x = image(1, 11, 2, 3)
    along = block.along
    spectra = x.flatten(2)
    y = along(spectra)
    for pixel in range(6):
        wide = F.conv1d(spectra[:, None, :, pixel], along.widen.weight[..., 0], along.widen.bias, padding=2)
        narrow = F.conv1d(
            F.gelu(wide + along.band_bias[..., 0]), along.narrow.weight[..., 0], along.narrow.bias, padding=2
        )
        torch.testing.assert_close(y[..., pixel], narrow[:, 0])
    other = spectra.clone()
    other[:, 5] += 1
    assert (along(other) != y).any(2)[0].nonzero().flatten().tolist() == list(range(1, 10))


def test_a_kernel_knows_where_on_the_axis_it_is(block) -> None:
    flat = torch.full((1, 11, 1), 0.5, dtype=torch.float64)
    middle = block.along(flat)[0, 4:7, 0]
    assert middle.std() > 1e-4
    with torch.no_grad():
        block.along.band_bias.zero_()
    torch.testing.assert_close(block.along(flat)[0, 4:7, 0].std(), torch.zeros((), dtype=torch.float64))


def test_pixels_in_parts_are_the_pixels_at_once(block, image, monkeypatch) -> None:
    x = image(2, 11, 5, 7)
    whole = block(x)
    widest = []
    block.along.widen.register_forward_hook(lambda _, __, y: widest.append(y.shape[-1]))
    monkeypatch.setattr(spectral_sr, "PIXELS", 8)
    torch.testing.assert_close(block(x), whole, atol=1e-14, rtol=0)
    assert max(widest) == 8 and sum(widest) == 35


def test_the_expansion_is_computed_again_instead_of_kept(network, image) -> None:
    net, passes = network("spectral_sr").train(), []
    net.expand.second.register_forward_pre_hook(lambda *_: passes.append(1))
    use_checkpointing(net)
    net(image(1, 3, 6, 6)).sum().backward()
    assert len(passes) == 2


def test_the_spectrum_of_the_ridge_solution_enters_the_blocks(network, image, stirred) -> None:
    net, x = stirred(network("spectral_sr")), image(1, 3, 6, 6)
    entered = []
    net.blocks[0].register_forward_pre_hook(lambda _, inputs: entered.append(inputs[0]))
    net(x)
    weight, bias = image(9, 3, seed=3), image(9, seed=4)
    before = net.ridge(x)
    net.set_ridge(weight, bias)
    net(x)
    torch.testing.assert_close(entered[1] - entered[0], net.ridge(x) - before)


def test_the_first_spectrum_skips_the_blocks(network, image, stirred) -> None:
    net, x = stirred(network("spectral_sr", blocks=0)), image(1, 3, 6, 6)
    first = net.expand(x) + net.ridge(x)
    torch.testing.assert_close(net.residual(x, net.ridge(x)), net.leave(net.attention(first) + first))


def test_a_kernel_without_a_middle_is_refused() -> None:
    with pytest.raises(ValueError, match="6 bands has no middle"):
        SpectralSR(bands=9, taps=6)
