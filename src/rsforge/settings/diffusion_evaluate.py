"""What the user may say to ``rsforge diffusion evaluate``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rsforge.settings.base import ON_BAD, CountOrZero, Seed
from rsforge.settings.evaluation import EvaluationSettings
from rsforge.settings.pairs import PairDataSettings
from rsforge.settings.sample_sar import SarModelSettings
from rsforge.settings.sections import Section, also


class DrawnEvaluationSettings(EvaluationSettings):
    """Evaluation"""

    seed: Seed = Field(42, description="Seed of the draws, of the scenes of --worlds and of the bootstrap.")


class WorldSettings(Section):
    """Scenes with several true images"""

    worlds: CountOrZero = Field(
        0,
        description="Drawn scenes, each with one SAR image and a true optical image of each season, to count how many "
        "of these the draws come near; 0 is none.",
        json_schema_extra=also(basic=True),
    )
    world_samples: Annotated[int, Field(ge=2, le=1000)] = Field(
        8, description="Draws for each of these scenes, with the empty prompt."
    )


class SarEvaluateSettings(SarModelSettings):
    """Settings of ``rsforge diffusion evaluate``."""

    samples: Annotated[int, Field(ge=1, le=1000)] = Field(
        1,
        description="Draws for each image, of which the first is measured; from 2 on also their mean, their spread, "
        "and whether it is large where the mean errs.",
    )
    data: PairDataSettings
    evaluation: DrawnEvaluationSettings = DrawnEvaluationSettings()
    trust: WorldSettings = WorldSettings()
    on_bad: Literal["error", "skip"] = Field("error", description=ON_BAD)
