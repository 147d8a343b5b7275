"""Names of every file that ``rsforge pix2pix train`` writes."""

from __future__ import annotations

from rsforge.engine.checkpoint_writer import CheckpointNames
from rsforge.recipes.output_names import OutputLayout

PIX2PIX = OutputLayout(CheckpointNames("model_epoch_{}.pt"), plot="losses.png", samples="samples/epoch_{}.png")
