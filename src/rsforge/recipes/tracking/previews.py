"""The pictures of a run, whose failure ends no training."""

from __future__ import annotations

from collections.abc import Callable

from rsforge.engine.cadence import Moment
from rsforge.engine.listener import Pictures
from rsforge.error_registry import ExitCode
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console
from rsforge.recipes.tracking.listeners import describe_failure


class Preview:
    """Makes the pictures of a moment with ``draw``, then the loss plot; the first failure of ``draw`` is warned of.

    A disk that is full or a device without memory for pictures stops the run only where it stops the training too.
    What the pictures say of the training itself is no failure of theirs and does stop it (RSF-T).
    """

    def __init__(self, draw: Callable[[Moment], Pictures], plot: Callable[[], None], console: Console) -> None:
        self.draw, self.plot, self.console = draw, plot, console
        self.failed = False

    def __call__(self, moment: Moment) -> Pictures:
        pictures: Pictures = {}
        try:
            pictures = self.draw(moment)
        except Exception as error:
            if isinstance(error, RsforgeError) and error.exit == ExitCode.TRAINING:
                raise
            if not self.failed:
                reason = describe_failure(error)
                self.console.warn(f"the sample pictures of {moment} failed; the training continues: {reason}")
            self.failed = True
        self.plot()
        return pictures
