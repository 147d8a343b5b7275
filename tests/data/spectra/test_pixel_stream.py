from __future__ import annotations

import numpy as np

from rsforge.data.spectra.patch_files import find_patch_files, list_patches
from rsforge.data.spectra.patch_reader import PatchReader
from rsforge.data.spectra.pixel_stream import stream_pixels
from tests.worlds.spectral_patches import write_scene


class Collect:
    def __init__(self):
        self.parts = []

    def add(self, name, landsat, spectra):
        self.parts.append((name, landsat, spectra))


def test_every_measure_gets_the_valid_pixels_of_each_patch_in_turn(tmp_path):
    write_scene(tmp_path / "a" / "x.h5", 2, hole=4)
    patches = list_patches(find_patch_files(tmp_path))
    one, other, steps = Collect(), Collect(), []
    stream_pixels(patches, [one, other], reader=PatchReader(), step=lambda: steps.append(len(one.parts)))
    assert [name for name, _, _ in one.parts] == ["a/x.h5#0", "a/x.h5#1"] and steps == [1, 2]
    pixels = PatchReader().read(patches[1])
    assert np.array_equal(one.parts[1][2], pixels.spectra[pixels.valid]) and one.parts[1][2].shape == (884, 12)
    assert np.array_equal(other.parts[1][1], pixels.landsat[pixels.valid])
