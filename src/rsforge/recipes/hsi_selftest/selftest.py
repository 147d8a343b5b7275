"""``rsforge hsi selftest``: one step of both stages, from patches to a checkpoint that is read back."""

from __future__ import annotations

import contextlib
import math
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rsforge.engine import devices
from rsforge.engine.distributed import SingleProcess
from rsforge.engine.journal import read
from rsforge.engine.loader import collate_named, to_device
from rsforge.engine.task import StepContext
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console, SilentConsole
from rsforge.recipes.hsi import train_spatial, train_spectral
from rsforge.recipes.hsi.load import SpatialModel, SpectralModel, load_spatial, load_spectral
from rsforge.recipes.hsi_selftest.drawn_patches import FACTOR, cut_patches, draw_patches, draw_wide_patch
from rsforge.recipes.output_names import JOURNAL
from rsforge.recipes.training.job import Compute
from rsforge.recipes.training.method import Method
from rsforge.recipes.training.run import fit
from rsforge.seeds import derive
from rsforge.settings.hsi import SpectralTrainSettings
from rsforge.settings.hsi_selftest import SelftestSettings
from rsforge.settings.hsi_spatial import SpatialTrainSettings

Report = dict[str, Any]

PASSED = ("✓ Stage 1 pipeline test passed!", "✓ Stage 2 pipeline test passed!")
READY = "✓ All tests passed! Ready to start training."
HIDDEN, BLOCKS = 64, 4
FEATURES, LAYERS = 16, 2
HIGH = 255
"""Pixels, of 34 coarse ones."""
RATE = 1e-5
"""Small, so that no step is too long: the first one of Adam moves every weight by as much."""


def run(settings: SelftestSettings, console: Console) -> Report:
    """Test both stages in a temporary folder; returns their figures by stage.

    A check that fails ends the command with an error that names the stage: RSF-T001 for a loss that is not finite,
    RSF-T003 where nothing is learnt, RSF-B001 for an output of another size, and the errors of reading patches and
    checkpoints. Its ``result`` are the stages that passed before.
    """
    report: Report = {}
    with tempfile.TemporaryDirectory(prefix="rsforge-") as name:
        folder = Path(name)
        with _name_stage("stage 1", report):
            figures, bands = run_spectral(settings, folder, console)
            report["stage1"] = {"message": PASSED[0], **figures}
        with _name_stage("stage 2", report):
            report["stage2"] = {"message": PASSED[1], **run_spatial(settings, bands, folder, console)}
    return report | {"message": READY}


def describe(report: Mapping[str, Any]) -> str:
    """The three lines of the document."""
    return "\n".join(part["message"] for part in (report["stage1"], report["stage2"], report))


@contextlib.contextmanager
def _name_stage(stage: str, report: Report) -> Iterator[None]:
    try:
        yield
    except RsforgeError as error:
        error.what = f"{stage} pipeline test: {error.what}"
        error.result = dict(report)
        raise


def run_spectral(settings: SelftestSettings, folder: Path, console: Console) -> tuple[Report, int]:
    """Train on two small patches as ``hsi train-spectral`` does; returns figures and the number of bands."""
    patches, drawn = folder / "patches", settings.data_dir is None
    if settings.data_dir is None:
        draw_patches(patches, settings.drawn_bands, seed=settings.seed)
    else:
        cut_patches(Path(settings.data_dir), patches)
    training = SpectralTrainSettings.model_validate({
        **_choose_settings(settings, patches, folder / "stage1"),
        "network": {"hidden_width": HIDDEN, "blocks": BLOCKS},
    })  # fmt: skip
    stage = StageTest("stage 1", train_spectral.METHOD, load_spectral, ("landsat", "spectra"), drawn=drawn)
    return stage.run(training, console)


def run_spatial(settings: SelftestSettings, bands: int, folder: Path, console: Console) -> Report:
    """Train on one drawn patch, enlarged from its own means, as ``hsi train-spatial`` does; returns figures."""
    patches = folder / "wide"
    draw_wide_patch(patches, bands, HIGH, seed=settings.seed)
    chosen = _choose_settings(settings, patches, folder / "stage2")
    training = SpatialTrainSettings.model_validate({
        **chosen,
        "data": {**chosen["data"], "source": "truth"},
        "network": {
            "model": "lightweight", "scale": str(FACTOR), "num_features": FEATURES, "num_layers": LAYERS,
            "gradient_checkpointing": True,
        },
    })  # fmt: skip
    stage = StageTest("stage 2", train_spatial.METHOD, load_spatial, ("low", "high"), drawn=True)
    return stage.run(training, console)[0]


def _choose_settings(settings: SelftestSettings, patches: Path, output: Path) -> dict[str, Any]:
    run = {"output_dir": output, "seed": settings.seed, "device": settings.device, "num_workers": 0, "log_every": 1}
    return {
        "run": {**run, "report_to": ("none",)},
        # The same pixels in the step and in the loss after it.
        "data": {"data_dir": str(patches), "val_fraction": 0, "augment": False, "divide_by": "scene"},
        "loop": {"max_train_steps": 1, "max_grad_norm": 0.0},
        "optim": {"optimizer": "adam", "learning_rate": RATE},
    }


@dataclass(frozen=True)
class StageTest:
    """One step of a training, and the loss of the same batch by the network that is read back.

    ``images`` are the names of input and target in a batch.
    """

    name: str
    method: Method[Any, Any, Any]
    load: Callable[[Path, torch.device], SpectralModel | SpatialModel]
    images: tuple[str, str]
    drawn: bool

    def run(self, training: SpectralTrainSettings | SpatialTrainSettings, console: Console) -> tuple[Report, int]:
        """Figures, and the number of bands; errors are those of :func:`run`."""
        silent, method, folder = SilentConsole(), self.method, training.run.output_dir
        fit(method, training, silent)
        compute = Compute(devices.choose(training.run.device), SingleProcess())
        data = method.datasets(training, compute, silent)
        torch.manual_seed(derive(training.run.seed, "weights"))
        start = method.networks(training, data, compute)
        network = self.load(folder / "latest_model.pth", compute.device).network.train()
        made = method.spec(training, data, network, compute, silent)
        batch = to_device(collate_named([made.train[0, k] for k in range(len(made.train))]), compute.device)
        x, y = (batch[name] for name in self.images)
        _say_sizes(self.name, x, y, start, console)
        with torch.no_grad():
            output = network(x)
            after = float(next(made.task.step(batch, StepContext())).loss)
        require_size(output, y.shape)
        before = next(row["loss"] for row in read(folder / JOURNAL) if "loss" in row)
        require_learning(before, after, moved=has_moved(start, network), drawn=self.drawn)
        return _describe_run(x, output, start, before, after), data.file.bands


def require_size(output: Tensor, size: torch.Size) -> None:
    """RSF-B001 for an output of another size."""
    if output.shape != size:
        what = "the output of the network has another size than its target"
        raise RsforgeError("RSF-B001", what, found=f"{tuple(output.shape)}, not {tuple(size)}")


def has_moved(start: nn.Module, now: nn.Module) -> bool:
    """Whether any parameter of two networks of one architecture differs."""
    return any(not torch.equal(a.cpu(), b.cpu()) for a, b in zip(start.parameters(), now.parameters(), strict=True))


def require_learning(before: float, after: float, *, moved: bool, drawn: bool) -> None:
    """RSF-T001 for a loss that is not finite; RSF-T003 where no weight moved, or the loss of drawn images did not fall.

    Other images may hold nothing that one step can learn.
    """
    found = f"loss {before:.6g} before the step, {after:.6g} after it"
    if not (math.isfinite(before) and math.isfinite(after)):
        raise RsforgeError("RSF-T001", "the loss is not finite", found=found)
    if not moved or (drawn and after >= before):
        what = "the loss did not fall" if moved else "the step moved no weight"
        raise RsforgeError("RSF-T003", what, found=found, fix="report this with the output of `rsforge doctor`")


def _say_sizes(stage: str, x: Tensor, y: Tensor, network: nn.Module, console: Console) -> None:
    sizes = " to ".join(f"{image.shape[1]} bands of {image.shape[2]} x {image.shape[3]}" for image in (x, y))
    count = sum(p.numel() for p in network.parameters())
    console.say(f"{stage}    {len(x)} x {sizes} pixels, {count:,} parameters, one step")


def _describe_run(x: Tensor, y: Tensor, network: nn.Module, before: float, after: float) -> Report:
    return {
        "input": list(x.shape),
        "output": list(y.shape),
        "parameters": sum(p.numel() for p in network.parameters()),
        "loss_before": before,
        "loss_after": after,
    }
