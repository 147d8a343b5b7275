"""The memory of one training step of the hyperspectral networks at full size, and what a plan says of it.

Batch 1 of 256 x 256 pixels and 340 bands from 7, or of 255 x 255 from 34 x 34 with the default corrections, with
recomputation; forward, backward and Adam. The truth is the largest resident size of a fresh process less what it had
after a step of a toy, which loads everything; weights and batch are in it. It takes minutes. Names of networks, as
arguments, choose among them. It ends with 1 where an estimate is more than a quarter off, or where a step takes more
than 8 GiB.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from rsforge.engine.ema import NoEma
from rsforge.engine.loader import MicroBatch
from rsforge.engine.step_memory import estimate_step, without_values
from rsforge.engine.task import Task
from rsforge.engine.train_step import TrainStep
from rsforge.models.recompute import use_checkpointing
from rsforge.models.spectral.spatial_sr import LightweightSR, SpatialSR
from rsforge.models.spectral.spectral_sr import SpectralSR
from rsforge.models.spectral.transformer import SpectralTransformer
from rsforge.models.spectral.unmixing import SpectralUnmixing
from rsforge.settings.hsi_spatial import SpatialNetworkSettings
from rsforge.tasks.hsi import Baseline, SpectralTask
from rsforge.tasks.hsi_spatial import SpatialTask
from rsforge.tasks.spectral_figures import Normalisation

NETWORKS: Mapping[str, Callable[..., nn.Module]] = {
    "spectral_sr": SpectralSR,
    "spectral_transformer": SpectralTransformer,
    "spectral_unmixing": SpectralUnmixing,
    "spatial_sr": SpatialSR,
    "lightweight": LightweightSR,
}
SPATIAL = ("spatial_sr", "lightweight")
CORRECTIONS = SpatialNetworkSettings().corrections
BANDS, SEEN, SIZE, LOW = 340, 7, 256, 34
MIB = 1 << 20
LARGEST = 8 * 1024  # MiB
TOLERANCE = 0.25  # of the truth
CPU = torch.device("cpu")


def make_task(name: str, bands: int) -> Task:
    options = {"corrections": CORRECTIONS} if name in SPATIAL else {}
    network = NETWORKS[name](bands=bands, **options)
    use_checkpointing(network)
    unit = Normalisation(torch.ones(1), torch.zeros(1))
    if name in SPATIAL:
        return SpatialTask(network, normalisation=unit, weights={"l1": 1.0, "sam": 0.05})
    return SpectralTask(
        network,
        wavelength_nm=torch.linspace(400, 2400, bands).double(),
        normalisation=unit,
        baseline=Baseline(torch.zeros(bands, SEEN), torch.zeros(bands)),
        weights={"l1": 1.0, "sam": 0.1, "spectral_grad": 0.1},
    )


def draw_batch(name: str, bands: int, size: int, low: int) -> dict[str, Tensor]:
    if name in SPATIAL:
        high = low * 15 // 2
        return {"low": torch.rand(1, bands, low, low), "high": torch.rand(1, bands, high, high),
                "low_valid": torch.ones(1, 1, low, low), "valid": torch.ones(1, 1, high, high)}  # fmt: skip
    return {"landsat": torch.rand(1, SEEN, size, size), "spectra": torch.rand(1, bands, size, size),
            "valid": torch.ones(1, 1, size, size)}  # fmt: skip


def make_step(task: Task) -> TrainStep:
    return TrainStep(task, make_optimizer=lambda p: torch.optim.Adam(p, 1e-4, fused=True), average=NoEma(), device=CPU)


def take_step(name: str, bands: int, size: int, low: int) -> None:
    task = make_task(name, bands)
    step = make_step(task)
    for number in range(2):  # the first one finds no moments of the optimizer
        step([MicroBatch(draw_batch(name, bands, size, low), 1.0, 0, ("patch",))], number, 1e-4)


def resident(which: str) -> float:
    """MiB of this process: ``VmRSS`` now, ``VmHWM`` at most."""
    status = Path("/proc/self/status").read_text()
    return int(status.split(f"{which}:")[1].split()[0]) / 1024


def measure(name: str) -> float:
    """MiB by which the largest resident size of this process grows in a step."""
    take_step(name, 8, 16, 4)
    before = resident("VmRSS")
    take_step(name, BANDS, SIZE, LOW)
    return resident("VmHWM") - before


def estimate(name: str) -> float:
    task = make_task(name, BANDS)
    batch = without_values(draw_batch(name, BANDS, SIZE, LOW), 1)
    micros = [MicroBatch(batch, 1.0, 0, ())]
    return estimate_step(partial(make_step, task), task.modules().values(), micros, CPU) / MIB


def main(names: list[str]) -> None:
    sides = {}
    for name in names or NETWORKS:
        child = subprocess.run(
            [sys.executable, __file__, "--measure", name], capture_output=True, text=True, check=True
        )
        truth, planned = float(child.stdout), estimate(name)
        sides[name] = {"estimate_mib": round(planned), "truth_mib": round(truth), "ratio": round(planned / truth, 3)}
    failed = [name for name, side in sides.items() if not is_held(side)]
    machine = f"{platform.machine()}, {os.cpu_count()} processors"
    print(json.dumps({"benchmark": "spectral_memory", "machine": machine, "bands": BANDS, "sides": sides}))
    if failed:
        sys.exit(f"not within bounds: {', '.join(failed)}")


def is_held(side: Mapping[str, float]) -> bool:
    """Whether a step fits into 8 GiB, and its estimate is within a quarter of the truth."""
    return side["truth_mib"] <= LARGEST and abs(side["ratio"] - 1) <= TOLERANCE


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(measure(sys.argv[2]))
    else:
        main(sys.argv[1:])
