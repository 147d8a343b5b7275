"""Names of every file that ``rsforge vae train`` writes."""

from __future__ import annotations

from rsforge.engine.checkpoint_writer import CheckpointNames
from rsforge.recipes.output_names import OutputLayout

VAE = OutputLayout(
    CheckpointNames("checkpoint_{:04d}.pt"),
    plot="training_losses.png",
    samples="samples/samples_epoch_{}.png",
    reconstructions="reconstructions/reconstruction_epoch_{}.png",
)
