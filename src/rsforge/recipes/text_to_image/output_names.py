"""Names of every file that ``rsforge diffusion finetune`` writes."""

from __future__ import annotations

from rsforge.engine.checkpoint_writer import CheckpointNames
from rsforge.recipes.output_names import OutputLayout
from rsforge.recipes.pretrained.save import FILES

FINETUNE = OutputLayout(
    CheckpointNames("checkpoint_epoch_{}.pt"),
    plot="loss_history.png",
    samples="samples/epoch_{}.png",
    product=tuple(FILES),
)
