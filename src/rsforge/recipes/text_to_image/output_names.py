"""Names of every file that ``rsforge diffusion finetune`` writes."""

from __future__ import annotations

from rsforge.engine.checkpoint_writer import CheckpointNames
from rsforge.models.pretrained.write_adapter import KOHYA_FILE, PEFT_FILE
from rsforge.recipes.output_names import OutputLayout
from rsforge.recipes.pretrained.export_model import DOCUMENTS, PROVENANCE
from rsforge.recipes.pretrained.save import FILES

ADAPTER_FILES = [PEFT_FILE, KOHYA_FILE]
PUSHED_ADAPTER = [*DOCUMENTS, *ADAPTER_FILES]
"""What is sent to the hub of a run that trained adapters."""
ADAPTERS = "adapters"
"""The folder of the adapters of periodic checkpoints, under their names."""
PEFT, KOHYA = ".safetensors", ".kohya.safetensors"

FINETUNE = OutputLayout(
    CheckpointNames("checkpoint_epoch_{}.pt"),
    plot="loss_history.png",
    samples="samples/epoch_{}.png",
    # The card is not among them: a README.md may be the user's own.
    product=(PROVENANCE, *ADAPTER_FILES, f"{ADAPTERS}/*{PEFT}", *FILES),
)
