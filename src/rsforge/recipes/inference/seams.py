"""How much neighbouring tiles disagree where they meet."""

from __future__ import annotations

import torch
from torch import Tensor

from rsforge.data.io.windows import Window
from rsforge.data.scenes.core_tiles import window_within


class Seams:
    """Compares the pixels that a tile computed just past its right and lower edge with those that count there.

    Tiles come row by row. Networks of a bounded field leave nothing but rounding; others leave what the seams show.
    """

    def __init__(self) -> None:
        self.largest, self.total, self.count = 0.0, 0.0, 0
        self._past: dict[tuple[str, int, int], Tensor] = {}

    def add(self, core: Window, values: Tensor, outer: Window) -> None:
        """``values`` ``(C, h, w)`` were computed for the window ``outer``, of which ``core`` counts."""
        rows, cols = window_within(core, outer)
        self._compare(("right", core.row, core.col), values[:, rows, cols.start])
        self._compare(("below", core.row, core.col), values[:, rows.start, cols])
        if cols.stop < outer.width:
            self._past["right", core.row, core.col + core.width] = values[:, rows, cols.stop].clone()
        if rows.stop < outer.height:
            self._past["below", core.row + core.height, core.col] = values[:, rows.stop, cols].clone()

    def _compare(self, key: tuple[str, int, int], counted: Tensor) -> None:
        past = self._past.pop(key, None)
        if past is None:
            return
        apart = (past - counted).abs()
        apart = apart[torch.isfinite(apart)].double()
        if apart.numel():
            self.largest = max(self.largest, float(apart.max()))
            self.total += float(apart.sum())
            self.count += apart.numel()

    def figures(self) -> dict[str, float]:
        """The largest and the mean difference, both 0 where no tiles meet."""
        return {"largest": self.largest, "mean": self.total / self.count if self.count else 0.0}
