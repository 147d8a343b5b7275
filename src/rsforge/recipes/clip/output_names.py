"""Names of every file that ``rsforge clip train`` writes."""

from __future__ import annotations

from rsforge.engine.checkpoint_writer import CheckpointNames
from rsforge.recipes.output_names import OutputLayout

CLIP = OutputLayout(
    CheckpointNames("clip_epoch_{}.pt", by_step="clip_step_{}.pt", latest="latest_clip.pt", best="best_clip.pt"),
    plot="training_losses.png",
    samples="",
)
