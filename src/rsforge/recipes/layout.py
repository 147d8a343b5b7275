"""Names of every file that a run writes, under the names of the source documents."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from rsforge.engine.keeper import Names

JOURNAL = "journal.jsonl"
SETTINGS = "settings.json"
TIMING = "timing.jsonl"
TENSORBOARD = "tensorboard"
LATENTS = "latent_cache"
WANDB = "wandb"


@dataclass(frozen=True, slots=True)
class Layout:
    """The tree of one method's output folder; ``{}`` stands for the number of whole epochs."""

    names: Names
    plot: str
    samples: str
    reconstructions: str = ""

    def owned(self, folder: Path) -> list[Path]:
        """What of ``folder`` a run of this layout wrote."""
        fixed = [JOURNAL, SETTINGS, TIMING, TENSORBOARD, WANDB, LATENTS, self.plot, self.names.latest, self.names.best]
        fixed += [name.split("/")[0] for name in (self.samples, self.reconstructions) if name]
        if self.names.bare:
            fixed += [self.names.folder, *(f"{net}.pth" for net in self.names.bare)]
        periodic = [p for p in folder.glob("*.pt") if re.fullmatch(self.names.pattern(), p.name)]
        return [p for p in (folder / name for name in fixed) if p.exists()] + periodic

    def clear(self, folder: Path) -> None:
        """Remove what an earlier run wrote, and nothing else."""
        for path in self.owned(folder):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


VAE = Layout(
    Names("checkpoint_{:04d}.pt"),
    plot="training_losses.png",
    samples="samples/samples_epoch_{}.png",
    reconstructions="reconstructions/reconstruction_epoch_{}.png",
)
CYCLEGAN = Layout(
    Names("checkpoint_epoch_{}.pt", bare=("gen_AB", "gen_BA", "disc_X", "disc_Y")),
    plot="loss_plot_avg_epoch.png",
    samples="output_images/epoch_{}_sample.png",
)
DIFFUSION = Layout(Names("checkpoint_epoch_{}.pt"), plot="loss_history.png", samples="samples/epoch_{}.png")
