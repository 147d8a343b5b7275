"""Optical and SAR images of one scene."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from rsforge.data.synthetic import world
from rsforge.data.synthetic.backscatter import to_decibel
from rsforge.data.synthetic.landscape import KINDS, draw_tile
from rsforge.data.synthetic.world import REGIONS, SEASONS, draw_pair, draw_sar_strips, draw_strips, encode_image


def test_scenes_are_the_tiles_and_know_what_they_are_made_of() -> None:
    kinds = set()
    for number in range(6):
        (g,) = draw_strips(7, number, 32)
        assert np.array_equal(g.pixels(), draw_tile(7, number, 32))
        np.testing.assert_allclose(g.shares.sum(0), 1, atol=1e-5)
        assert g.shares.min() >= 0
        kinds.add(g.kind)
    assert len(kinds) > 1 and kinds <= set(KINDS)


def test_strips_make_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    optical, sar = draw_pair(5, 1, 64, kind="river", season="fall", region="arctic")
    monkeypatch.setattr(world, "_SAMPLES", 4 * 64 * 24)
    strips = list(draw_sar_strips(5, 1, 64, kind="river", season="fall", region="arctic"))
    assert [len(power) for _, power in strips] == [24, 24, 16]
    assert np.array_equal(np.concatenate([g.pixels() for g, _ in strips]), optical)
    np.testing.assert_allclose(np.concatenate([power for _, power in strips]), sar, rtol=1e-5)


def test_a_pair_is_a_function_of_seed_and_number() -> None:
    first = draw_pair(1, 2, 32)
    assert first[0].shape == (32, 32, 3) and first[1].shape == (32, 32)
    again, other, elsewhere = draw_pair(1, 2, 32), draw_pair(1, 3, 32), draw_pair(2, 2, 32)
    for k in range(2):
        assert np.array_equal(first[k], again[k])
        assert not np.array_equal(first[k], other[k]) and not np.array_equal(first[k], elsewhere[k])


def test_both_modalities_show_the_same_scene_at_every_size() -> None:
    small, large = draw_pair(1, 4, 32), draw_pair(1, 4, 128)
    optical, sar = (x.astype(float) for x in large)
    assert np.abs(small[0] - optical.reshape(32, 4, 32, 4, 3).mean((1, 3))).mean() < 6
    close = np.corrcoef(np.sqrt(small[1]).ravel(), np.sqrt(sar.reshape(32, 4, 32, 4).mean((1, 3))).ravel())[0, 1]
    assert close > 0.4
    assert to_decibel(small[1]).mean() == pytest.approx(to_decibel(sar).mean(), abs=1)


def test_seasons_and_regions_tint_the_plants_alone() -> None:
    means = {}
    for look in (*({"season": s} for s in SEASONS), {"region": "tropical"}, {"region": "arctic"}, {}):
        (g,) = draw_strips(2, 0, 48, kind="river", **look)
        plants = g.material_share("crop", "grass", "forest") > 0.98
        means["".join(look.values())] = g.rgb[:, plants].mean(1), g.rgb[:, g.material_share("water") > 0.999].mean(1)
    plain, water = means.pop("")
    for mean, same in means.values():
        assert np.abs(mean - plain).max() > 0.01
        np.testing.assert_allclose(same, water, atol=2e-3)
    red, green = {k: m[0][0] for k, m in means.items()}, {k: m[0][1] for k, m in means.items()}
    assert red["fall"] == max(red.values()) and green["spring"] - red["spring"] > green["winter"] - red["winter"]


def test_pictures_are_png_or_jpeg() -> None:
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    png, jpeg = (Image.open(io.BytesIO(encode_image(pixels, kind))) for kind in ("PNG", "JPEG"))
    assert (png.format, png.mode, jpeg.format) == ("PNG", "RGB", "JPEG") and np.array_equal(np.asarray(png), pixels)
    assert Image.open(io.BytesIO(encode_image(pixels[..., 0]))).mode == "L"


def test_a_season_of_a_known_region_is_that_of_the_region() -> None:
    """Snow lies in the arctic winter alone, and on open ground alone; the tropics are greenest in the wet season."""
    means = {}
    for region in REGIONS:
        for season in SEASONS:
            (g,) = draw_strips(2, 0, 48, kind="river", season=season, region=region)
            open_ground, water = g.material_share("crop", "soil") > 0.98, g.material_share("water") > 0.999
            means[region, season] = g.rgb[:, open_ground].mean(1), g.rgb[:, water].mean(1)
    (plain,) = draw_strips(2, 0, 48, kind="river")
    for (region, season), (ground, water) in means.items():
        np.testing.assert_allclose(water, plain.rgb[:, plain.material_share("water") > 0.999].mean(1), atol=2e-3)
        assert (ground.min() > 0.7) == ((region, season) == ("arctic", "winter"))
    greenness = {season: means["tropical", season][0] @ [-1, 2, -1] for season in SEASONS}
    assert (
        max(greenness, key=greenness.__getitem__) == "summer" and min(greenness, key=greenness.__getitem__) == "winter"
    )
