"""The memory of one training step of the hyperspectral networks at full size, and what a plan says of it.

Batch 1 of 256 x 256 pixels and 340 bands from 7, or of 255 x 255 from 34 x 34, with recomputation; forward, backward
and Adam. The truth is the largest resident size of a fresh process less what it had after a step of a toy, which loads
everything; weights and batch are in it. It takes minutes. Names of networks, as arguments, choose among them.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from rsforge.engine.ema import NoEma
from rsforge.engine.loader import MicroBatch
from rsforge.engine.step_memory import estimate_step, without_values
from rsforge.engine.task import StepContext, Task, Turn
from rsforge.engine.train_step import TrainStep
from rsforge.losses.spectral import spatial_loss
from rsforge.models.recompute import use_checkpointing
from rsforge.models.spectral.spatial_sr import LightweightSR, SpatialSR
from rsforge.models.spectral.spectral_sr import SpectralSR
from rsforge.models.spectral.transformer import SpectralTransformer
from rsforge.models.spectral.unmixing import SpectralUnmixing
from rsforge.tasks.hsi import Baseline, Normalisation, SpectralTask

NETWORKS: Mapping[str, Callable[..., nn.Module]] = {
    "spectral_sr": SpectralSR,
    "spectral_transformer": SpectralTransformer,
    "spectral_unmixing": SpectralUnmixing,
    "spatial_sr": SpatialSR,
    "lightweight": LightweightSR,
}
SPATIAL = ("spatial_sr", "lightweight")
BANDS, SEEN, SIZE, LOW = 340, 7, 256, 34
MIB = 1 << 20
CPU = torch.device("cpu")


class SpatialStep:
    """Spatial super-resolution as a task of one turn."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network

    def modules(self) -> Mapping[str, nn.Module]:
        return {"network": self.network}

    def groups(self) -> Mapping[str, list[nn.Parameter]]:
        return {"network": list(self.network.parameters())}

    def step(self, batch: Mapping[str, Tensor], context: StepContext) -> Generator[Turn]:
        loss, terms = spatial_loss(self.network(batch["low"]), batch["high"], valid=batch["valid"] > 0)
        yield Turn("network", loss, terms)


def make_task(name: str, bands: int) -> Task:
    network = NETWORKS[name](bands=bands)
    use_checkpointing(network)
    if name in SPATIAL:
        return SpatialStep(network)
    return SpectralTask(
        network,
        wavelength_nm=torch.linspace(400, 2400, bands).double(),
        normalisation=Normalisation(torch.ones(1), torch.zeros(1)),
        baseline=Baseline(torch.zeros(bands, SEEN), torch.zeros(bands)),
        weights={"l1": 1.0, "sam": 0.1, "spectral_grad": 0.1},
    )


def draw_batch(name: str, bands: int, size: int, low: int) -> dict[str, Tensor]:
    if name in SPATIAL:
        high = low * 15 // 2
        return {"low": torch.rand(1, bands, low, low), "high": torch.rand(1, bands, high, high),
                "valid": torch.ones(1, 1, high, high)}  # fmt: skip
    return {"landsat": torch.rand(1, SEEN, size, size), "spectra": torch.rand(1, bands, size, size),
            "valid": torch.ones(1, 1, size, size)}  # fmt: skip


def make_step(task: Task) -> TrainStep:
    return TrainStep(task, make_optimizer=lambda p: torch.optim.Adam(p, 1e-4, fused=True), average=NoEma(), device=CPU)


def take_step(name: str, bands: int, size: int, low: int) -> None:
    task = make_task(name, bands)
    make_step(task)([MicroBatch(draw_batch(name, bands, size, low), 1.0, 0, ("patch",))], 0, 1e-4)


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
    machine = f"{platform.machine()}, {os.cpu_count()} processors"
    print(json.dumps({"benchmark": "spectral_memory", "machine": machine, "bands": BANDS, "sides": sides}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(measure(sys.argv[2]))
    else:
        main(sys.argv[1:])
