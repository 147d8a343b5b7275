"""Checkpoints of both stages that were never trained, scenes for them, and sensors that see their wavelengths."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import rasterio
import torch
from affine import Affine

from rsforge.data.spectra.ridge import Ridge
from rsforge.data.spectra.scaling import Scaling
from rsforge.engine import checkpoint
from rsforge.models.spectral.band_network import BandNetwork, RidgeNetwork
from rsforge.models.spectral.spatial_sr import LightweightSR
from rsforge.models.spectral.spectral_sr import SpectralSR
from rsforge.recipes.hsi.load import SPATIAL_KIND, SPECTRAL_KIND
from tests.worlds.spectral_patches import BANDS, WAVELENGTH_NM, WEIGHTS, draw_spectra

PLACE = {"crs": "EPSG:32632", "transform": Affine(30, 0, 500000, 0, -30, 5500000)}
RANGE = Scaling((0.0,), (10.0,))


def draw_stage1(seed: int = 0, *, count: int = 3) -> SpectralSR:
    """A network whose output is far from its ridge solution, and depends on the neighbours of a pixel."""
    torch.manual_seed(seed)
    network = SpectralSR(bands=BANDS, in_channels=count, hidden=6, blocks=1, features=2, taps=3)
    torch.nn.init.normal_(network.leave.weight, std=0.05)
    return network


def draw_stage2(scale: str = "15/2", seed: int = 0) -> LightweightSR:
    torch.manual_seed(seed)
    network = LightweightSR(bands=BANDS, scale=scale, width=4, layers=1)
    torch.nn.init.normal_(network.leave.weight, std=0.05)
    return network


def write_stage1(
    path: Path, network: BandNetwork | None = None, *, count: int = 3, scaling: Scaling = RANGE, **entries: object
) -> Path:
    """A checkpoint of stage 1; ``entries`` replace what it says."""
    network = network or draw_stage1(count=count)
    weight = np.linspace(0.1, 0.5, BANDS * count).reshape(BANDS, count)
    if isinstance(network, RidgeNetwork):
        network.set_ridge(torch.tensor(weight), torch.zeros(BANDS))
    state = {
        "kind": SPECTRAL_KIND,
        "landsat_bands": count,
        "sensor": "",
        "landsat_names": [],
        "normalisation": {"landsat": scaling.as_dict(), "spectra": scaling.as_dict()},
        "ridge": Ridge(weight, np.zeros(BANDS), 1e-6).as_dict(),
        "factor": "15/2",
    }
    return _write(path, network, state | entries)


def write_stage2(
    path: Path, network: LightweightSR | None = None, *, scaling: Scaling = RANGE, **entries: object
) -> Path:
    network = network or draw_stage2()
    state = {"kind": SPATIAL_KIND, "scale": str(network.scale), "normalisation": {"spectra": scaling.as_dict()}}
    return _write(path, network, state | entries)


def _write(path: Path, network: BandNetwork, state: dict[str, object]) -> Path:
    common = {
        "architecture": network.architecture,
        "bands": BANDS,
        "wavelength_nm": WAVELENGTH_NM.tolist(),
        "fwhm_nm": np.linspace(5, 8, BANDS).tolist(),
        "unit": "radiance",
        "settings": {},
        "progress": {"step": 1, "epoch": 1},
        "nets": {"network": network.state_dict()},
        "parts": {},
    }
    checkpoint.save(path, common | state)
    return path


def draw_landsat(height: int, width: int, *, count: int = 3, seed: int = 0) -> np.ndarray:
    """Values ``(height, width, count)`` of a few broad bands."""
    values = draw_spectra(height, width, seed=seed) @ np.resize(WEIGHTS, (count, BANDS)).T
    return values.astype(np.float32)


def write_landsat(
    path: Path,
    values: np.ndarray,
    *,
    names: Sequence[str] = (),
    tags: dict[str, str] | None = None,
    scales: tuple[float, float] | None = None,
    **profile: object,
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width, count = values.shape
    kind = {"driver": "GTiff", "height": height, "width": width, "count": count, "dtype": values.dtype}
    with rasterio.open(path, "w", **kind, **PLACE | profile) as target:
        target.write(np.moveaxis(values, -1, 0))
        target.update_tags(**{"units": "radiance"} if tags is None else tags)
        if names:
            target.descriptions = tuple(names)
        if scales:
            target.scales, target.offsets = [scales[0]] * count, [scales[1]] * count
    return path


def write_sensor(path: Path, centres: Sequence[float] = (620.0, 1200.0, 1900.0), half: float = 170.0) -> Path:
    """A table of triangular responses at the wavelengths of ``spectral_patches``."""
    nodes = np.arange(430.0, 2200.0, 10.0)
    columns = [np.clip(1 - np.abs(nodes - centre) / half, 0, None) for centre in centres]
    rows = ["wavelength_nm," + ",".join(f"b{k}" for k in range(len(centres)))]
    rows += [",".join(f"{value:.6g}" for value in row) for row in zip(nodes, *columns, strict=True)]
    path.write_text("\n".join(rows))
    return path
