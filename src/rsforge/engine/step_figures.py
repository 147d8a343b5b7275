"""The figures of an optimizer step on their way from the device to the host."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rsforge.errors import RsforgeError


class StepFigures:
    """Scalars of one step, and whether its losses and gradients were finite; only ``read`` waits for the device.

    ``values`` hold the count of losses and gradients that were not finite, then one figure for each of ``names``.
    ``samples`` are what the step saw here, for the error that names them.
    """

    def __init__(self, values: Tensor, names: Sequence[str], *, step: int, samples: Sequence[str]) -> None:
        self.names, self.step, self.samples = names, step, samples
        self.values, self.arrived = values, torch.Event() if values.is_cuda else None
        if self.arrived is not None:
            self.values = torch.empty_like(values, device="cpu", pin_memory=True).copy_(values, non_blocking=True)
            self.arrived.record()

    def read(self) -> dict[str, float]:
        """The figures by name; RSF-T001 names the samples where something was not finite."""
        if self.arrived is not None:
            self.arrived.synchronize()
        failures, *figures = self.values.tolist()
        if failures:
            raise not_finite(self.step, self.samples)
        return dict(zip(self.names, figures, strict=True))


def not_finite(step: int, samples: Sequence[str]) -> RsforgeError:
    """RSF-T001 with the names of the first of ``samples``; the message counts the 0-based ``step`` from 1."""
    shown = ", ".join(samples[:8]) + (f" and {len(samples) - 8} more" if len(samples) > 8 else "")
    return RsforgeError("RSF-T001", f"the loss or its gradient is not finite at step {step + 1}", where=shown)
