from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from rsforge.data.io.windows import Window
from rsforge.data.spectra.augment import centre_crop, draw_crop, draw_position, turn


def test_the_eight_positions_are_the_symmetries_of_a_square():
    image = np.arange(9.0).reshape(3, 3, 1)
    seen = {turn(image, k).tobytes() for k in range(8)}
    assert len(seen) == 8 and np.array_equal(turn(image, 0), image)
    assert np.array_equal(turn(image, 1), image[:, ::-1]) and np.array_equal(turn(image, 4), image[::-1, ::-1])


def test_spectra_are_moved_and_never_changed():
    image = np.random.default_rng(0).random((4, 4, 5))
    for position in range(8):
        moved = turn(image, position).reshape(-1, 5)
        assert sorted(moved.tolist()) == sorted(image.reshape(-1, 5).tolist())


def test_all_positions_and_all_places_are_drawn_and_depend_on_seed_epoch_and_index():
    positions = Counter(draw_position(seed=0, epoch=e, index=3) for e in range(800))
    assert set(positions) == set(range(8)) and min(positions.values()) > 60
    places = Counter(draw_crop(7, 6, 5, seed=0, epoch=e, index=0)[:2] for e in range(600))
    assert set(places) == {(r, c) for r in range(3) for c in range(2)} and min(places.values()) > 60
    for draw in (draw_position, lambda **key: draw_crop(300, 300, 8, **key)):
        one = [draw(seed=0, epoch=0, index=i) for i in range(20)]
        assert one == [draw(seed=0, epoch=0, index=i) for i in range(20)]
        assert one != [draw(seed=1, epoch=0, index=i) for i in range(20)]
        assert one != [draw(seed=0, epoch=1, index=i) for i in range(20)] and len(set(one)) > 3


@pytest.mark.parametrize(("height", "expected"), [(8, (2, 3)), (9, (2, 3))])
def test_the_centre_crop_lies_in_the_centre(height, expected):
    assert centre_crop(height, height + 2, 4) == Window(*expected, 4, 4)


def test_crops_begin_at_multiples_of_the_step():
    places = Counter(draw_crop(13, 11, 5, seed=0, epoch=e, index=0, step=4)[:2] for e in range(300))
    assert set(places) == {(r, c) for r in (0, 4, 8) for c in (0, 4)} and min(places.values()) > 30
    assert centre_crop(13, 11, 5, step=4) == Window(4, 0, 5, 5) and centre_crop(9, 8, 8, step=8) == Window(0, 0, 8, 8)
