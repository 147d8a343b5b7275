"""Thumbnails of any dtype."""

from __future__ import annotations

import numpy as np

from rsforge.data.audit.thumbnails import encode_png, make_thumbnail, overlay_pair
from tests.worlds.pairs import fields


def test_thumbnails_of_every_type():
    sar, optical = fields(200, 0)
    assert make_thumbnail(optical).shape == (128, 128, 3) and make_thumbnail(sar[:100, :50, None]).shape == (100, 50, 3)
    decibels = np.where(np.eye(64) > 0, np.nan, -20 + 15 * np.random.default_rng(0).random((64, 64)))
    shown = make_thumbnail(decibels[..., None])
    assert shown.min() == 0 and shown.max() == 255
    assert make_thumbnail(np.full((9, 9, 12), np.nan)).max() == 0
    both = overlay_pair(make_thumbnail(sar[..., None]), make_thumbnail(optical))
    assert both[..., 2].max() == 0 and encode_png(both).startswith(b"\x89PNG")
