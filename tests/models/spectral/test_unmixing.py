"""Mixtures that are mixtures, whatever is learnt."""

from __future__ import annotations

import pytest
import torch

from rsforge.models.spectral.unmixing import LEAST, SpectralUnmixing


def test_it_has_the_documents_size() -> None:
    net = SpectralUnmixing(bands=340)
    assert sum(p.numel() for p in net.parameters()) == 32_624
    assert net.endmembers.shape == (16, 340)


def test_abundances_sum_to_one_and_endmembers_are_not_negative(network, image, stirred) -> None:
    net = stirred(network("spectral_unmixing"))
    with torch.no_grad():
        net.raw_endmembers.sub_(2)
        net.third.weight.mul_(50)
    shares = net.abundances(image(2, 3, 6, 7))
    assert shares.shape == (2, 4, 6, 7) and (shares >= 0).all()
    torch.testing.assert_close(shares.sum(1), torch.ones(2, 6, 7, dtype=torch.float64))
    assert (net.endmembers >= 0).all() and net.endmembers.min() < 1e-6
    y = net(image(2, 3, 6, 7))
    torch.testing.assert_close(y, torch.einsum("nkhw,kb->nbhw", shares, net.endmembers))
    low, high = net.endmembers.amin(0), net.endmembers.amax(0)
    assert (y >= low[:, None, None] - 1e-12).all() and (y <= high[:, None, None] + 1e-12).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_endmembers_are_those_that_are_set(network, image, dtype) -> None:
    net = network("spectral_unmixing").to(dtype)
    spectra = image(4, 9) * 2
    spectra[1, 2:5] = torch.tensor([0.0, 1e-3, 20.0])
    net.set_endmembers(spectra, image(4, 3))
    torch.testing.assert_close(net.endmembers, spectra.clamp(min=LEAST).to(dtype), atol=2e-6, rtol=1e-5)
    net.endmembers.sum().backward()
    assert (net.raw_endmembers.grad > 5e-3).all()


def test_it_starts_from_the_endmember_that_looks_like_the_pixel(network, image) -> None:
    net, seen, spectra = network("spectral_unmixing"), image(4, 3) * 3, image(4, 9, seed=1)
    net.set_endmembers(spectra, seen)
    distance = torch.cdist(seen, seen).square() + 1e9 * torch.eye(4, dtype=torch.float64)
    variance = distance.amin(1).mean() / 4
    x = image(1, 3, 5, 4, seed=2) * 3
    apart = (x[:, None] - seen[:, :, None, None]).square().sum(2)
    torch.testing.assert_close(net.abundances(x), (-apart / (2 * variance)).softmax(1))
    pure = net(seen.T[None, :, :, None])[0, :, :, 0].T
    assert (torch.cdist(pure, net.endmembers).argmin(1) == torch.arange(4)).all()


@pytest.mark.parametrize("count", [1, 3])
def test_endmembers_that_look_the_same_start_at_equal_shares(count, network, image) -> None:
    net = network("spectral_unmixing", count=count)
    net.set_endmembers(image(count, 9), torch.full((count, 3), 0.3))
    torch.testing.assert_close(net.abundances(image(1, 3, 2, 2)), torch.full((1, count, 2, 2), 1 / count).double())


def test_the_choice_is_corrected_by_what_is_learnt(network, image, stirred) -> None:
    net, x = network("spectral_unmixing"), image(1, 3, 6, 6)
    net.set_endmembers(image(4, 9), image(4, 3))
    start = net.abundances(x)
    assert (stirred(net).abundances(x) - start).abs().max() > 1e-2


def test_endmembers_of_other_shapes_are_refused(network, image) -> None:
    with pytest.raises(ValueError, match=r"\(3, 9\) and \(4, 3\), not \(4, 9\) and \(4, 3\)"):
        network("spectral_unmixing").set_endmembers(image(3, 9), image(4, 3))
