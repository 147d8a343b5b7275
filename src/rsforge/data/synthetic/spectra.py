"""Reflectance spectra of the materials of synthetic scenes, from 376 to 2500 nm."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import PchipInterpolator

from rsforge.data.synthetic.noise_textures import MATERIALS, Array

_NODES_NM = "376 430 480 550 600 670 700 750 860 970 1080 1200 1280 1450 1650 1940 2100 2200 2320 2500"
# Reflectance in percent at these wavelengths, rounded from the shapes found in spectral libraries: chlorophyll
# absorption at 430 and 670 nm, red edge, liquid water at 970, 1200, 1450 and 1940 nm, clay and cellulose from 2100 nm.
_PERCENT = {
    "crop": "3 3.5 4 10 7 4 14 44 50 46 50 44 47 14 30 6 15 18 13 5",
    "soil": "6 8 10 15 19 22 23.5 26 29 31 33 35 36 33 40 33 39 37.5 37 33",
    "grass": "3 4 5 9 8 6 14 34 40 38 42 38 41 17 32 10 20 23 18 9",
    "forest": "1.5 2 2 4.5 3 2 6 27 33 30 33 28 30 7 16 3 6 8 6 2",
    "water": "4 5 5.5 5 3 1.8 1.3 0.8 0.4 0.3 0.2 0.1 0.1 0.1 0.1 0.1 0.1 0.1 0.1 0.1",
    "sand": "12 16 22 30 35 39 40 42 45 46 48 49 50 46 53 44 53 50 51 46",
    "surf": "45 48 50 50 48 46 45 43 40 33 34 25 26 5 12 2 6 7 4 2",
    "road": "7 8 9 11 12 13 13 13.5 14 14.5 15 16 16 16.5 18 18 19 19 18 18",
    "roof": "5 6 8 13 22 28 29 32 33 34 36 38 39 39 42 40 42 40 41 39",
}


def endmembers(wavelength_nm: Array) -> Array:
    """Reflectance ``(len(MATERIALS), bands)`` in [0, 1] at wavelengths from 376 to 2500 nm.

    Piecewise cubic Hermite interpolation between the nodes, which does not overshoot.
    """
    nodes = np.array(_NODES_NM.split(), float)
    table = np.array([_PERCENT[name].split() for name in MATERIALS], float) / 100
    curves = PchipInterpolator(nodes, table, axis=1)(np.clip(wavelength_nm, nodes[0], nodes[-1]))
    return np.asarray(curves, np.float32)
