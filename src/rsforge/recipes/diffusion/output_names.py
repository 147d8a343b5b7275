"""Names of every file that ``rsforge diffusion`` writes."""

from __future__ import annotations

from rsforge.engine.checkpoint_writer import CheckpointNames
from rsforge.recipes.output_names import OutputLayout

DIFFUSION = OutputLayout(
    CheckpointNames("checkpoint_epoch_{}.pt"), plot="loss_history.png", samples="samples/epoch_{}.png"
)
DIFFUSION_SAR = OutputLayout(
    CheckpointNames("model_epoch_{}.pt"), plot="loss_history.png", samples="samples/epoch_{}.png"
)
