from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rsforge.data import latent_cache
from rsforge.data.latent_cache import LatentDataset, cache_key, draw_latents, latent_statistics
from rsforge.data.stored_arrays import open_array, write_array

SHAPE = (5, 2, 2, 3, 4, 4)
MOMENTS = torch.randn(SHAPE, generator=torch.Generator().manual_seed(0))
KEY = {"autoencoder_digest": "a", "data_digest": "b", "image_size": 64, "mirrored": True}


def test_the_key_knows_everything_that_matters() -> None:
    keys = {cache_key(**KEY)}
    for change in ({"autoencoder_digest": "c"}, {"data_digest": "c"}, {"image_size": 32}, {"mirrored": False}):
        keys.add(cache_key(**{**KEY, **change}))
    assert len(keys) == 5 and cache_key(**KEY) in keys
    assert all(len(key) == 16 for key in keys)


def test_the_view_is_picked_by_the_key() -> None:
    data = LatentDataset({"latents": MOMENTS.numpy()}, list("abcde"), seed=1)
    assert len(data) == 5 and data.name(2) == "c"
    mirrored = [[torch.equal(data[epoch, k]["latents"], MOMENTS[k, 1]) for k in range(5)] for epoch in range(80)]
    for epoch, row in enumerate(mirrored):
        assert all(torch.equal(data[epoch, k]["latents"], MOMENTS[k, int(one)]) for k, one in enumerate(row))
    assert np.mean(mirrored) == pytest.approx(0.5, abs=0.1)
    assert data[0, 0]["latents"].shape == (2, 3, 4, 4)
    single = LatentDataset({"latents": MOMENTS[:, :1].numpy()}, list("abcde"), seed=1)
    assert all(torch.equal(single[epoch, 0]["latents"], MOMENTS[0, 0]) for epoch in range(5))


def test_several_arrays_show_the_same_view_of_an_image() -> None:
    tokens = np.arange(5 * 2 * 7).reshape(5, 2, 7)
    data = LatentDataset({"latents": MOMENTS.numpy(), "tokens": tokens}, list("abcde"), seed=1)
    views = set()
    for epoch in range(20):
        item = data[epoch, 3]
        view = int(torch.equal(item["latents"], MOMENTS[3, 1]))
        assert item["tokens"].tolist() == tokens[3, view].tolist()
        views.add(view)
    assert views == {0, 1}
    with pytest.raises(ValueError, match="names"):
        LatentDataset({"latents": MOMENTS.numpy(), "tokens": tokens[:4]}, list("abcde"), seed=1)


def test_items_are_copies_that_may_be_changed(tmp_path: Path) -> None:
    path = tmp_path / "latents.npy"
    write_array(path, [MOMENTS], SHAPE)
    data = LatentDataset({"latents": open_array(path, SHAPE)}, list("abcde"), seed=1)
    data[0, 0]["latents"].zero_()
    whole = LatentDataset({"latents": MOMENTS.numpy()}, list("abcde"), seed=1)
    assert torch.equal(data[0, 0]["latents"], whole[0, 0]["latents"])


@pytest.mark.parametrize("latent", [(3, 8, 8), (6,)])
def test_statistics_are_those_of_sampled_latents(latent: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(1)
    mu = 3 + torch.randn(50, 2, *latent, generator=generator) * 2
    logvar = torch.randn(50, 2, *latent, generator=generator) * 0.5 - 1
    mean, std = latent_statistics(torch.stack([mu, logvar], dim=2).numpy())
    eps = torch.randn(400, *mu.shape, generator=generator)
    samples = mu + (0.5 * logvar).exp() * eps
    dims = (0, 1, 2, *range(4, samples.ndim))
    assert mean.shape == std.shape == (latent[0], *[1] * (len(latent) - 1))
    torch.testing.assert_close(mean.flatten(), samples.mean(dims), atol=0.02, rtol=0)
    torch.testing.assert_close(std.flatten(), samples.std(dims), atol=0.02, rtol=0)


@given(st.integers(1, 40))
def test_statistics_do_not_depend_on_how_they_stream(chunk: int) -> None:
    whole = latent_statistics(MOMENTS.numpy())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(latent_cache, "_CHUNK", chunk * 24)
        streamed = latent_statistics(MOMENTS.numpy())
    torch.testing.assert_close(streamed, whole)


def test_a_far_mean_costs_no_precision_and_a_dead_channel_is_floored() -> None:
    moments = np.zeros((4, 1, 2, 2), np.float32)
    moments[:, 0, 0, 0] = 1e4 + np.array([-1, 1, -1, 1])
    moments[:, 0, 1] = -60
    mean, std = latent_statistics(moments)
    assert mean.tolist() == [1e4, 0] and math.isclose(std[0], 1, rel_tol=1e-6)
    assert std[1].item() == pytest.approx(1e-6)


def test_names_must_fit() -> None:
    with pytest.raises(ValueError, match="1 names"):
        LatentDataset({"latents": MOMENTS.numpy()}, ["a"], seed=0)


def test_cells_without_data_have_no_part_in_statistics_and_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    valid = torch.rand(5, 2, 1, 4, 4, generator=torch.Generator().manual_seed(3)) > 0.4
    other = MOMENTS.where(valid[:, :, None], 50)
    mean, std = latent_statistics(MOMENTS.numpy(), valid.numpy())
    mu, logvar = (part.double() for part in MOMENTS.unbind(2))
    for channel in range(3):
        known, spread = mu[:, :, channel][valid[:, :, 0]], logvar[:, :, channel][valid[:, :, 0]].exp()
        assert float(mean[channel]) == pytest.approx(float(known.mean()), abs=1e-5)
        expected = known.var(correction=0) + spread.mean()
        assert float(std[channel]) == pytest.approx(float(expected.sqrt()), rel=1e-5)
    monkeypatch.setattr(latent_cache, "_CHUNK", 1)
    for found, known in zip(latent_statistics(other.numpy(), valid.numpy()), (mean, std), strict=True):
        torch.testing.assert_close(found, known)
    drawn, again = (draw_latents(m.numpy(), 7, seed=1, valid=valid.numpy()) for m in (MOMENTS, other))
    torch.testing.assert_close(drawn, again)
    places = [number * 10 // 7 for number in range(7)]
    masks = torch.stack([valid[place // 2, place % 2] for place in places])
    assert torch.equal(drawn.where(~masks, 0), mean.expand_as(drawn).where(~masks, 0))
    assert torch.equal(drawn.where(masks, 0), draw_latents(MOMENTS.numpy(), 7, seed=1).where(masks, 0))
