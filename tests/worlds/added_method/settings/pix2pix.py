"""What the user may say to ``rsforge pix2pix``."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from rsforge.settings.base import (
    AverageSettings,
    LoopSettings,
    OptimSettings,
    RunSettings,
    StoppingSettings,
    Weight,
    Width,
)
from rsforge.settings.pairs import PairTrainingSettings
from rsforge.settings.sections import Section


class Pix2PixSettings(Section):
    """Translator"""

    base_width: Width = Field(16, description="Features of the outermost level.")
    lambda_l1: Weight = Field(100.0, description="Weight of the mean absolute error.")


class Pix2PixTrainSettings(Section):
    """Settings of ``rsforge pix2pix train``."""

    run: RunSettings = RunSettings(output_dir=Path("pix2pix_models"))
    data: PairTrainingSettings
    pix2pix: Pix2PixSettings = Pix2PixSettings()
    loop: LoopSettings = LoopSettings(epochs=50, batch_size=4)
    optim: OptimSettings = OptimSettings(learning_rate=2e-4, betas=(0.5, 0.999))
    average: AverageSettings = AverageSettings()
    stopping: StoppingSettings = StoppingSettings()
