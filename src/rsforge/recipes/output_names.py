"""Names of every file that a run writes, under the names of the source documents."""

from __future__ import annotations

import glob
import shutil
from dataclasses import dataclass
from pathlib import Path

from rsforge.engine.cadence import Moment
from rsforge.engine.checkpoint_writer import CheckpointNames
from rsforge.recipes.stored_partners import COPIES

JOURNAL = "journal.jsonl"
SETTINGS = "settings.json"
TIMING = "timing.jsonl"
ENDING = "ended.json"
JUDGED = "judged.json"
TENSORBOARD = "tensorboard"
LATENTS = "latent_cache"
PREDICTIONS = "stage1_predictions"
CACHES = (LATENTS, PREDICTIONS, COPIES)
"""Folders of what is computed before the first step, named by what it was computed from."""
WANDB = "wandb"
SET_ASIDE = ".set-aside"  # after the name of a checkpoint that a resumed run gave up
# What others write for a run: trackers below its folder, and what other models computed.
OTHERS = [
    f"{LATENTS}/*.npy", f"{PREDICTIONS}/*.npy", f"{COPIES}/*.pt", f"{TENSORBOARD}/events.out.tfevents.*",
    f"{WANDB}/run-*", f"{WANDB}/offline-run-*", f"{WANDB}/latest-run", f"{WANDB}/debug*.log", f"{WANDB}/wandb",
    f"{WANDB}/artifacts",
]  # fmt: skip


def by_unit(name: str, unit: str) -> str:
    """The template of a picture's name, numbered by epochs or by steps."""
    return name.replace("epoch_", f"{unit}_")


@dataclass(frozen=True, slots=True)
class OutputLayout:
    """The tree of one method's output folder; ``{}`` stands for a number of epochs, ``epoch_`` for the unit."""

    names: CheckpointNames
    plot: str
    samples: str
    reconstructions: str = ""
    product: tuple[str, ...] = ()
    """Files that are written when the training has ended."""

    @property
    def folders(self) -> list[str]:
        """The folders below the output folder that are a run's own."""
        pictures = [name.split("/")[0] for name in (self.samples, self.reconstructions) if name]
        places = [self.names.place] if self.names.place else []
        places += dict.fromkeys(name.split("/")[0] for name in self.product if "/" in name)
        return [
            LATENTS,
            PREDICTIONS,
            COPIES,
            TENSORBOARD,
            WANDB,
            *pictures,
            *places,
            *([self.names.folder] if self.names.weights_only else []),
        ]

    def own_files(self, folder: Path) -> list[Path]:
        """What of ``folder`` a run of this layout wrote: by the names of files, since others may stand among them."""
        names = [JOURNAL, SETTINGS, TIMING, ENDING, JUDGED, self.plot, self.names.latest, self.names.best]
        names += [f"{net}.pth" for net in self.names.weights_only] + [*self.product] + OTHERS
        patterns = [glob.escape(name) if "*" not in name else name for name in names]
        for unit in ("epoch", "step"):
            pictures = [by_unit(name, unit) for name in (self.samples, self.reconstructions) if name]
            patterns += [name.format("[0-9]*") for name in pictures]
            patterns += [self.names.weights(net, "[0-9]*", unit) for net in self.names.weights_only]
        patterns += [f"{name}{SET_ASIDE}" for name in (self.names.latest, self.names.best)]
        pattern = self.names.pattern()
        place = folder / self.names.place
        periodic = [p for p in place.glob("*") if pattern.fullmatch(p.name.removesuffix(SET_ASIDE))]
        found = [path for pattern in patterns for path in sorted(folder.glob(pattern))] + periodic
        return list(dict.fromkeys(found))

    def sample_picture(self, moment: Moment) -> str:
        """Name of the picture of samples drawn at ``moment``."""
        return by_unit(self.samples, moment.unit).format(moment.number)

    def reconstruction_picture(self, moment: Moment) -> str:
        """Name of the picture of reconstructions at ``moment``."""
        return by_unit(self.reconstructions, moment.unit).format(moment.number)

    def clear(self, folder: Path) -> None:
        """Remove what an earlier run wrote, and nothing else."""
        for path in self.own_files(folder):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        for own in (folder / name for name in self.folders):
            if own.is_dir() and not own.is_symlink() and not any(own.iterdir()):
                own.rmdir()
