"""The interface of what receives a run's rows of figures and pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from rsforge.engine.cadence import Moment

Pictures = Mapping[str, Tensor]
"""Images ``(B, C, H, W)`` in [-1, 1], by what they show."""


class Listener:
    """Receives rows as they are made, and pictures: trackers, plots, the display."""

    def on_step(self, row: Mapping[str, Any], seconds: float) -> None: ...

    def on_pictures(self, pictures: Pictures, step: int) -> None: ...

    def on_epoch(self, row: Mapping[str, Any], seconds: float) -> None:
        """Called with each row of figures of an epoch or of a validation, when its checkpoint is written."""


def no_pictures(moment: Moment) -> Pictures:
    """The preview of a run that shows nothing."""
    return {}
