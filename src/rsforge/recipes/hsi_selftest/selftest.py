"""``rsforge hsi selftest``: one step of both stages, from patches to a checkpoint that is read back."""

from __future__ import annotations

import contextlib
import math
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from rsforge.data.spectra.spatial_dataset import coarse_means
from rsforge.engine import checkpoint, devices
from rsforge.engine.distributed import SingleProcess
from rsforge.engine.journal import read
from rsforge.engine.loader import collate_named, to_device
from rsforge.errors import RsforgeError
from rsforge.losses.spectral import spatial_loss
from rsforge.models.recompute import use_checkpointing
from rsforge.models.spectral.spatial_sr import LightweightSR
from rsforge.recipes.console import Console, SilentConsole
from rsforge.recipes.hsi.load import load_spectral
from rsforge.recipes.hsi.patch_pairs import load_patches
from rsforge.recipes.hsi.train_spectral import build_network, spec, train_spectral
from rsforge.recipes.hsi_selftest.drawn_patches import FACTOR, cut_patches, draw_patches, draw_wide
from rsforge.recipes.inference.checkpoints import rebuild
from rsforge.recipes.output_names import JOURNAL
from rsforge.recipes.training.job import Compute
from rsforge.seeds import derive
from rsforge.settings.hsi import SpectralTrainSettings
from rsforge.settings.hsi_selftest import SelftestSettings

Report = dict[str, Any]

PASSED = ("✓ Stage 1 pipeline test passed!", "✓ Stage 2 pipeline test passed!")
READY = "✓ All tests passed! Ready to start training."
HIDDEN, BLOCKS = 64, 4
FEATURES, LAYERS = 16, 2
LOW, HIGH = 34, 255
RATE = 1e-5
"""Small, so that no step is too long: the first one of Adam moves every weight by as much."""

SPATIAL_KIND, SPATIAL_FILE = "hsi-selftest", "stage2.pth"


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
    """Train on small patches for one step as ``hsi train-spectral`` does; returns figures and the number of bands."""
    patches, output = folder / "patches", folder / "stage1"
    if settings.data_dir is None:
        draw_patches(patches, settings.drawn_bands, seed=settings.seed)
    else:
        cut_patches(Path(settings.data_dir), patches)
    training, silent = _choose_settings(settings, patches, output), SilentConsole()
    train_spectral(training, silent)
    compute = Compute(devices.choose(settings.device), SingleProcess())
    data = load_patches(training, compute, silent)
    torch.manual_seed(derive(settings.seed, "weights"))
    start = build_network(training, data, compute)
    model = load_spectral(output / "latest_model.pth", compute.device)
    batch = to_device(collate_named([data.train[0, k] for k in range(len(data.train))]), compute.device)
    _say_sizes("stage 1", batch["landsat"], batch["spectra"], start, console)
    with torch.no_grad():
        spectra = model.network.train()(batch["landsat"])
        task = spec(training, data, model.network, compute, silent).task
        after, _ = cast(Any, task).loss(spectra, batch["spectra"], batch["valid"] > 0, batch["landsat"])
    require_size(spectra, batch["spectra"].shape)
    before = next(row["loss"] for row in read(output / JOURNAL) if "loss" in row)
    require_learning(before, float(after), moved=has_moved(start, model.network), drawn=settings.data_dir is None)
    return _describe_run(batch["landsat"], spectra, start, before, float(after)), data.file.bands


def _choose_settings(settings: SelftestSettings, patches: Path, output: Path) -> SpectralTrainSettings:
    run = {"output_dir": output, "seed": settings.seed, "device": settings.device, "num_workers": 0, "log_every": 1}
    return SpectralTrainSettings.model_validate({
        "run": {**run, "report_to": ("none",)},
        # The same pixels in the step and in the loss after it.
        "data": {"data_dir": str(patches), "val_fraction": 0, "augment": False, "divide_by": "scene"},
        "network": {"hidden_width": HIDDEN, "blocks": BLOCKS},
        "loop": {"max_train_steps": 1, "max_grad_norm": 0.0},
        "optim": {"optimizer": "adam", "learning_rate": RATE},
    })  # fmt: skip


def run_spatial(settings: SelftestSettings, bands: int, folder: Path, console: Console) -> Report:
    """Train the lightweight network for one step on a drawn image, and read its checkpoint back."""
    device = devices.choose(settings.device)
    torch.manual_seed(derive(settings.seed, "spatial"))
    network = LightweightSR(bands=bands, scale=str(FACTOR), width=FEATURES, layers=LAYERS).to(device)
    use_checkpointing(network)
    start = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    low, high = _draw_pair(bands, settings.seed, device)
    _say_sizes("stage 2", low, high, network, console)
    optimizer = torch.optim.Adam(network.parameters(), RATE)
    output = network(low)
    require_size(output, high.shape)
    before, _ = spatial_loss(output, high)
    before.backward()
    optimizer.step()
    path = folder / SPATIAL_FILE
    checkpoint.save(path, {
        "kind": SPATIAL_KIND, "architecture": network.architecture, "nets": {"network": network.state_dict()},
        "parts": {},
    })  # fmt: skip
    state = checkpoint.load(path, kind=SPATIAL_KIND)
    loaded = rebuild(state, "network", path, averaged=False, required=()).network.to(device)
    with torch.no_grad():
        after, _ = spatial_loss(loaded(low), high)
    moved = any(not torch.equal(tensor, start[name]) for name, tensor in loaded.state_dict().items())
    require_learning(before.item(), after.item(), moved=moved, drawn=True)
    return _describe_run(low, output, network, before.item(), after.item())


def _draw_pair(bands: int, seed: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """An image ``(1, bands, HIGH, HIGH)``, and its area means ``(1, bands, LOW, LOW)``."""
    high = torch.from_numpy(draw_wide(bands, HIGH, seed=seed))
    low, _ = coarse_means(high, torch.ones(1, HIGH, HIGH), FACTOR)
    return low[None].to(device), high[None].to(device)


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
