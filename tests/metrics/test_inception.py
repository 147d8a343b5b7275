"""Distances of sets against torchmetrics' own, and the network of FID with drawn weights."""

from __future__ import annotations

import sys

import pytest
import torch
from torch import Tensor, nn

from rsforge.metrics.inception import FeatureSet, frechet_distance, inception, kernel_distance


def features(seed: int, count: int, noise: float = 0.0) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    mixed = torch.randn(count, 12, generator=g) @ torch.randn(12, 12, generator=torch.Generator().manual_seed(99))
    return mixed + noise * torch.randn(count, 12, generator=g)


def kept(rows: Tensor, stride: int = 1) -> FeatureSet:
    found = FeatureSet(stride)
    for part in rows.split(7):
        found.update(part)
    return found


class AsTheyAre(nn.Module):
    num_features = 12

    def forward(self, x: Tensor) -> Tensor:
        return x


@pytest.mark.parametrize("count", [9, 100], ids=["singular", "regular"])
def test_the_frechet_distance_is_that_of_torchmetrics(count: int) -> None:
    from torchmetrics.image.fid import FrechetInceptionDistance

    x, y = features(1, count).double(), features(2, count + 3, noise=1.0).double() + 0.5
    theirs = FrechetInceptionDistance(AsTheyAre()).set_dtype(torch.float64)
    theirs.update(x, real=True)
    theirs.update(y, real=False)
    assert frechet_distance(kept(x), kept(y)) == pytest.approx(float(theirs.compute()), rel=1e-4)


def test_the_frechet_distance_of_two_lines_is_the_formula() -> None:
    x = torch.tensor([[-1.0], [1.0], [3.0]])
    found = frechet_distance(kept(x), kept(3 * x + 2))
    assert found == pytest.approx((1 - 5) ** 2 + (2 - 6) ** 2)


def test_a_set_is_no_distance_from_itself_and_noise_takes_it_away() -> None:
    x = features(3, 60)
    none, little, much = (frechet_distance(kept(x), kept(x + s * features(4, 60))) for s in (0, 0.3, 1.5))
    assert none < 1e-9 < 0.1 < little < much


def test_a_flat_set_has_a_distance() -> None:
    x, flat = features(3, 20), torch.ones(20, 12)
    expected = (x.mean(0) - 1).square().sum() + x.T.cov().trace()
    assert frechet_distance(kept(x), kept(flat)) == pytest.approx(float(expected), rel=1e-5)


def test_the_kernel_distance_is_that_of_torchmetrics() -> None:
    from torchmetrics.image.kid import KernelInceptionDistance

    x, y = features(5, 40).double(), features(6, 40, noise=1.0).double() + 0.3
    with pytest.warns(UserWarning, match="save all extracted features"):
        theirs = KernelInceptionDistance(AsTheyAre(), subsets=200, subset_size=20)
    theirs.update(x, real=True)
    theirs.update(y, real=False)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        mean, deviation = map(float, theirs.compute())
    ours = kernel_distance(kept(x), kept(y), subsets=200, seed=1)
    assert ours == pytest.approx((mean, deviation), abs=0.25 * deviation)
    assert ours == kernel_distance(kept(x), kept(y), subsets=200, seed=1)
    assert ours != kernel_distance(kept(x), kept(y), subsets=200, seed=2)


def test_the_kernel_distance_of_subsets_is_that_of_everything_on_average() -> None:
    x, y = features(7, 8).double(), features(8, 8).double() + 1

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return (a @ b.T / 12 + 1) ** 3

    inner = sum(k.sum() - k.diag().sum() for k in (kernel(x, x), kernel(y, y))) / (8 * 7)
    expected = float(inner - 2 * kernel(x, y).mean())
    mean, deviation = kernel_distance(kept(x), kept(y), subsets=2000, seed=0)
    assert mean == pytest.approx(expected, abs=4 * deviation / 2000**0.5)
    assert abs(expected) > 8 * deviation / 2000**0.5 > 0


@pytest.mark.parametrize("stride", [1, 3, 10, 50])
def test_every_so_many_features_are_kept_over_batches(stride: int) -> None:
    rows = features(9, 40)
    found = kept(rows, stride)
    assert torch.equal(found.sample(), rows[::stride])
    torch.testing.assert_close(found.covariance(), rows.double().T.cov())
    torch.testing.assert_close(found.mean(), rows.double().mean(0))


@pytest.fixture(scope="module")
def reference() -> nn.Module:
    """torch-fidelity's network with drawn weights."""
    from torch_fidelity import feature_extractor_inceptionv3 as theirs

    network, patch = theirs.FeatureExtractorInceptionV3, pytest.MonkeyPatch()
    with torch.random.fork_rng(), patch.context() as place:
        torch.manual_seed(0)
        place.setattr(theirs, "load_state_dict_from_url", lambda *_, **__: {})
        place.setattr(network, "load_state_dict", lambda *_: None)
        drawn = network("drawn", ["2048"])
        for layer in drawn.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight)
        return drawn


def test_the_network_is_that_of_torch_fidelity(reference) -> None:
    ours = inception(reference.state_dict())
    pictures = torch.randint(0, 256, (2, 3, 40, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        found, (expected,) = ours(pictures), reference(pictures)
    assert found.shape == (2, 2048) and (found[0] - found[1]).abs().mean() > 1e-3 * found.abs().mean() > 0
    torch.testing.assert_close(found, expected, atol=0, rtol=1e-3)
    assert not ours.training and not any(p.requires_grad for p in ours.parameters())


def test_weights_that_do_not_fit_are_refused(reference) -> None:
    state = dict(reference.state_dict())
    with pytest.raises(RuntimeError, match=r"fc\.bias"):
        inception({k: v for k, v in state.items() if k != "fc.bias"})


def test_without_torch_fidelity_there_is_no_network(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    with pytest.raises(ImportError, match="torch_fidelity"):
        inception({})
