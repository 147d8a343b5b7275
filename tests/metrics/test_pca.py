"""Components against the singular value decomposition of numpy, and what they give back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from rsforge.metrics import pca
from rsforge.metrics.constant_images import to_unit
from rsforge.metrics.pca import fit_patch_pca, fit_pca, reconstruct, reconstruct_patches


def drawn(count: int, size: int = 8, seed: int = 0) -> torch.Tensor:
    """Images whose variance falls from direction to direction, as that of photographs does."""
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.normal(size=(3 * size**2, 40)))[0]
    weights = rng.normal(size=(count, 40)) * 900 / (1 + np.arange(40)) ** 1.2
    pixels = np.clip(np.rint(128 + weights @ basis.T), 0, 255).astype(np.uint8)
    return torch.from_numpy(pixels).view(count, 3, size, size)


def by_svd(rows: np.ndarray, components: int) -> np.ndarray:
    """The best approximation of centred rows by so many components."""
    mean = rows.mean(0)
    _, _, vectors = np.linalg.svd(rows - mean, full_matrices=False)
    kept = vectors[:components]
    return (rows - mean) @ kept.T @ kept + mean


@pytest.mark.parametrize(("count", "components"), [(30, 5), (300, 12), (10, 9)])
def test_whole_images_come_back_as_from_the_svd(count, components, monkeypatch):
    monkeypatch.setattr(pca, "_COLUMNS", 50)
    images = drawn(count)
    x = to_unit(images)
    fitted = fit_pca(images, components)
    expected = by_svd(x.flatten(1).numpy(), components).clip(-1, 1)
    variances = fitted.pop("variances").double()
    made = reconstruct(x.float(), **fitted)
    singular = np.linalg.svd((x - x.mean(0)).flatten(1).numpy(), compute_uv=False)[:components]
    assert np.allclose(variances.numpy(), singular**2 / count, rtol=1e-5)
    assert fitted["components"].shape == (components, 3, 8, 8) and fitted["components"].dtype == torch.float16
    assert np.abs(made.flatten(1).numpy() - expected).max() < 5e-3
    rows = fitted["components"].float().flatten(1)
    torch.testing.assert_close(rows @ rows.T, torch.eye(components), atol=2e-3, rtol=0)


def test_components_end_where_the_images_stop_varying():
    images = drawn(6)
    assert len(fit_pca(images, 20)["components"]) == 5
    assert len(fit_pca(images[[0, 1, 0, 1]], 20)["components"]) == 1
    same = fit_pca(images[[0, 0, 0]], 20)
    assert len(same["components"]) == 0
    made = reconstruct(to_unit(images[:1]).float(), same["mean"], same["components"])
    torch.testing.assert_close(made, to_unit(images[:1]).float())


@pytest.mark.parametrize(("patch", "components"), [(2, 4), (4, 4), (4, 48), (8, 6)])
def test_patches_come_back_as_from_the_svd(patch, components):
    images = drawn(20, size=16)
    x = to_unit(images)
    rows = F.pixel_unshuffle(x, patch).movedim(1, -1)
    expected = torch.from_numpy(by_svd(rows.flatten(0, 2).numpy(), components)).view_as(rows).movedim(-1, 1)
    fitted = fit_patch_pca(images, patch, components)
    made = reconstruct_patches(x.float(), patch, **fitted)
    torch.testing.assert_close(made.double(), F.pixel_shuffle(expected, patch).clamp(-1, 1), atol=1e-4, rtol=0)
    assert fitted["components"].shape == (min(components, 3 * patch**2), 3 * patch**2)


def test_more_components_are_never_worse_and_the_mean_is_none():
    images = drawn(60)
    x = to_unit(images).float()
    fitted = [fit_pca(images, k) for k in (1, 4, 16)]
    errors = [float((reconstruct(x, one["mean"], one["components"]) - x).square().mean()) for one in fitted]
    variance = float((x - x.mean(0)).square().mean())
    assert variance > errors[0] > errors[1] > errors[2] > 0
