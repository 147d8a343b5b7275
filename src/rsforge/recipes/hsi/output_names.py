"""Names of every file that the trainings of ``rsforge hsi`` write."""

from __future__ import annotations

from rsforge.engine.checkpoint_writer import CheckpointNames
from rsforge.recipes.output_names import OutputLayout

HSI = OutputLayout(
    CheckpointNames(
        "checkpoints/checkpoint_epoch_{:03d}.pth",
        by_step="checkpoints/checkpoint_step_{}.pth",
        latest="latest_model.pth",
        best="best_model.pth",
    ),
    plot="training_losses.png",
    samples="",
)
