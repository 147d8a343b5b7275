"""Weights & Biases behind the journal: online with a key, else offline, and never asking anything."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rsforge import durable
from rsforge.data.io.image_writer import to_uint8
from rsforge.engine.listener import Pictures
from rsforge.errors import RsforgeError
from rsforge.recipes import output_names
from rsforge.recipes.console import Console
from rsforge.recipes.tracking.listeners import Tracker, figures
from rsforge.recipes.tracking.wandb_artifacts import Versions

MODES = ("online", "offline", "disabled", "shared", "dryrun", "run")
RUN_ID = f"{output_names.WANDB}/run-id.txt"
LOSS_PLOT = "Training_Summary/Avg_Loss_Plot"
# It neither speaks nor looks at code, and gives up on a dead network; what was not sent stays on the disk.
SETTINGS = {
    "silent": True, "quiet": True, "console": "off", "disable_git": True, "disable_code": True, "save_code": False,
    "disable_job_creation": True, "symlink": False, "init_timeout": 30, "finish_timeout": 900,
}  # fmt: skip


def check() -> None:
    """RSF-E006 when wandb cannot be imported, RSF-U001 when its mode is none; found out before any work."""
    if (chosen := os.environ.get("WANDB_MODE")) and chosen not in MODES:
        what = f"WANDB_MODE is none of {', '.join(MODES)}"
        raise RsforgeError("RSF-U001", what, where="WANDB_MODE", found=chosen, fix="correct or unset it")
    try:
        # A name of it: to Python any folder called wandb is a package, and runs leave such folders.
        from wandb import init  # noqa: F401
    except ImportError as error:
        raise RsforgeError(
            "RSF-E006", "--report-to wandb needs the package wandb", where="--report-to", found=str(error),
            fix='pip install "rsforge[wandb]"',
        ) from error  # fmt: skip


@contextlib.contextmanager
def environment(output: Path) -> Iterator[None]:
    """What wandb reads from the environment alone: to keep to this folder, be silent, report nothing of itself."""
    own = str((output / output_names.WANDB).resolve())
    ours = {"WANDB_DATA_DIR": own, "WANDB_CACHE_DIR": own, "WANDB_SILENT": "true", "WANDB_ERROR_REPORTING": "false"}
    absent = {name: value for name, value in ours.items() if name not in os.environ}
    os.environ.update(absent)
    try:
        yield
    finally:
        for name in absent:
            os.environ.pop(name, None)


def mode() -> str:
    """``WANDB_MODE`` where it is set; else online with a key or a login, and offline without."""
    import wandb

    if chosen := os.environ.get("WANDB_MODE"):
        return chosen
    return "online" if wandb.login(prompt=False, verify=False) else "offline"


def begin(output: Path, *, project: str, config: Mapping[str, Any], console: Console) -> Any:
    """The run of W&B that belongs to the folder ``output``, begun or gone on with; offline where online fails."""
    import wandb

    kind = "online"
    try:
        kind = mode()
        run = _init(output, project, config, kind)
    except Exception as error:
        if kind == "offline":
            raise
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        console.warn(f"W&B does not begin {kind}, the run is recorded offline: {reason}")
        wandb.teardown()  # what failed still holds the name of the run
        run = _init(output, project, config, "offline")
    if run.offline:
        state = f"offline; to send it: wandb sync {shlex.quote(str(Path(run.dir).parent))}"
    else:
        state = f"online, {run.url}" if run.url else kind
    console.say(f"wandb      {state}")
    return run


def _init(output: Path, project: str, config: Mapping[str, Any], kind: Any) -> Any:
    import wandb

    return wandb.init(
        project=project,
        name=output.resolve().name,
        id=_identity(output),
        resume="allow",
        dir=str(output),
        mode=kind,
        config=dict(config),
        settings=wandb.Settings(**SETTINGS),
    )


def _identity(output: Path) -> str:
    path = output / RUN_ID
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        durable.write_text(path, uuid.uuid4().hex[:8])
    return path.read_text("utf-8").strip()


class WandbRun(Tracker):
    """Rows as ``Batch/`` and ``Epoch/``, pictures under their own names, versions of the weights, the loss plot."""

    def __init__(self, run: Any, *, log_every: int, names: Mapping[str, str], versions: Versions, plot: Path) -> None:
        self.run, self.log_every, self.names, self.versions, self.plot = run, log_every, names, versions, plot
        run.define_metric("Epoch/*", step_metric="epoch")

    def on_step(self, row: Mapping[str, Any], seconds: float) -> None:
        if row["step"] % self.log_every == 0:
            self.run.log(figures(row, "Batch", {}), step=row["step"])

    def on_pictures(self, pictures: Pictures, step: int) -> None:
        from wandb import Image

        shown = {name: [Image(pixels) for pixels in to_uint8(images)] for name, images in pictures.items()}
        self.run.log(shown, step=step)

    def on_epoch(self, row: Mapping[str, Any], seconds: float) -> None:
        self.run.log({"epoch": row["epoch"], **figures(row, "Epoch", self.names)}, step=row["step"])
        self.versions.add(row)

    def close(self, code: int) -> None:
        from wandb import Image

        try:
            if self.plot.exists():
                self.run.log({LOSS_PLOT: Image(str(self.plot))})
            self.versions.publish()
        finally:
            self.run.finish(exit_code=code)


def artifact_name(output: Path) -> str:
    """The name of the weights of a run, of the letters that names there may have."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", output.resolve().name)[:100] + "-model"
