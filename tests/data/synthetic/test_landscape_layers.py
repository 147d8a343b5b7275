"""The layers of scenes."""

from __future__ import annotations

import numpy as np
import pytest

from rsforge.data.synthetic.landscape import KINDS, LUSH
from rsforge.data.synthetic.landscape_layers import add_illumination, paint_fields, paint_road, paint_village
from rsforge.data.synthetic.noise_textures import PaintedScene
from rsforge.data.synthetic.world import draw_strips


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_shows_its_own_material(kind: str) -> None:
    (g,) = draw_strips(3, 2, 48, kind=kind)
    assert g.kind == kind
    share = {name: g.material_share(name).mean() for name in ("water", "roof", "surf")}
    assert (share["water"] > 0.02) == (kind in ("river", "coast"))
    assert (share["surf"] > 0) == (kind == "coast")
    if kind == "village":
        assert share["roof"] > 0.002


def new_scene(seed: int, rows: slice | None = None) -> PaintedScene:
    return PaintedScene(np.random.default_rng(seed), 40, rows, record=True)


def test_fields_cover_the_scene_in_parcels():
    scene = new_scene(1)
    paint_fields(scene, LUSH, 0.4, 5)
    np.testing.assert_allclose(scene.shares.sum(0), 1, atol=1e-5)
    assert 4 < len(np.unique(scene.parcel)) <= 32
    assert scene.material_share("crop", "soil").mean() > 0.6


@pytest.mark.parametrize(("paved", "material", "name"), [(True, "road", "road"), (False, "sand", "track")])
def test_a_road_lies_across_the_scene(paved, material, name):
    scene = new_scene(2)
    scene.shares[0] = 1
    paint_road(scene, 0.0, 0.1, 0.05, paved)
    columns = scene.material_share(material).max(0)
    assert scene.roads == [name] and (columns > 0.5).all()
    rows = scene.material_share(material).sum(1)
    assert abs(scene.y[rows.argmax(), 0] - 0.1) < 0.06


def test_a_village_has_roofs_around_its_centre_alone():
    scene = new_scene(3)
    scene.shares[0] = 1
    paint_village(scene, 0.0, (-0.25, -0.25), 0.1)
    roofs = scene.material_share("roof")
    assert roofs[:40, :40].mean() > 0.005 and roofs[60:, 60:].max() == 0


def test_layers_of_a_strip_are_rows_of_the_whole():
    whole = new_scene(4)
    strip = new_scene(4, slice(10, 20))
    for scene in (whole, strip):
        paint_fields(scene, LUSH, 1.0, 4)
        add_illumination(scene)
    np.testing.assert_array_equal(strip.pixels(), whole.pixels()[10:20])
