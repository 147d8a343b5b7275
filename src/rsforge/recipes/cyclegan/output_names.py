"""Names of every file that ``rsforge cyclegan train`` writes."""

from __future__ import annotations

from rsforge.engine.checkpoint_writer import CheckpointNames
from rsforge.recipes.output_names import OutputLayout

CYCLEGAN = OutputLayout(
    CheckpointNames("checkpoint_epoch_{}.pt", weights_only=("gen_AB", "gen_BA", "disc_X", "disc_Y")),
    plot="loss_plot_avg_epoch.png",
    samples="output_images/epoch_{}_sample.png",
)
