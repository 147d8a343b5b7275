"""Names of every file that a run writes, under the names of the source documents."""

from __future__ import annotations

import glob
import shutil
from dataclasses import dataclass
from pathlib import Path

from rsforge.engine.checkpoint_writer import CheckpointNames

JOURNAL = "journal.jsonl"
SETTINGS = "settings.json"
TIMING = "timing.jsonl"
TENSORBOARD = "tensorboard"
LATENTS = "latent_cache"
WANDB = "wandb"
# What others write for a run: trackers below its folder, and the cache of latents.
OTHERS = [
    f"{LATENTS}/*.npy", f"{TENSORBOARD}/events.out.tfevents.*", f"{WANDB}/run-*", f"{WANDB}/offline-run-*",
    f"{WANDB}/latest-run", f"{WANDB}/debug*.log", f"{WANDB}/wandb", f"{WANDB}/artifacts",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class OutputLayout:
    """The tree of one method's output folder; ``{}`` stands for the number of whole epochs."""

    names: CheckpointNames
    plot: str
    samples: str
    reconstructions: str = ""

    @property
    def folders(self) -> list[str]:
        """The folders below the output folder that are a run's own."""
        pictures = [name.split("/")[0] for name in (self.samples, self.reconstructions) if name]
        return [LATENTS, TENSORBOARD, WANDB, *pictures, *([self.names.folder] if self.names.weights_only else [])]

    def owned(self, folder: Path) -> list[Path]:
        """What of ``folder`` a run of this layout wrote: by the names of files, since others may stand among them."""
        names = [JOURNAL, SETTINGS, TIMING, self.plot, self.names.latest, self.names.best]
        names += [f"{net}.pth" for net in self.names.weights_only] + OTHERS
        patterns = [glob.escape(name) if "*" not in name else name for name in names]
        patterns += [name.format("[0-9]*") for name in (self.samples, self.reconstructions) if name]
        patterns += [self.names.weights(net, "[0-9]*") for net in self.names.weights_only]
        periodic = [p for p in folder.glob("*.pt") if self.names.pattern().fullmatch(p.name)]
        return [path for pattern in patterns for path in sorted(folder.glob(pattern))] + periodic

    def clear(self, folder: Path) -> None:
        """Remove what an earlier run wrote, and nothing else."""
        for path in self.owned(folder):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        for own in (folder / name for name in self.folders):
            if own.is_dir() and not own.is_symlink() and not any(own.iterdir()):
                own.rmdir()
