"""How well a denoiser does on held-out latents, and how sure that is."""

from __future__ import annotations

import math

from rsforge.engine.accumulator import MeanOverSamples
from rsforge.engine.distributed import SingleProcess

QUARTERS = 4
"""Parts of the timesteps, from the least noise to the most, that have losses of their own."""
JUDGING_DRAWS = 64


class DenoisingFigures(MeanOverSamples):
    """Means over held-out latents of the figures of ``evaluate(batch)``, with the standard error of ``loss``.

    Where a batch has a ``loss_variance``, that of one latent's mean loss over its draws, the set has ``loss_se``:
    the error that other timesteps and noises would make on the same latents. From epoch to epoch they are the same, so
    that two epochs are compared with less than that.
    """

    def compute(self, world: SingleProcess) -> dict[str, float]:
        """The figures of what all processes took."""
        figures, count = self.means(world)
        if "loss_variance" in figures:
            figures["loss_se"] = math.sqrt(figures.pop("loss_variance") / count)
        return figures


def choose_judging_draws(draws: int) -> int:
    """At how many timesteps a model is judged: those of the validation where they divide into quarters, else 64."""
    return draws if draws and draws % (2 * QUARTERS) == 0 else JUDGING_DRAWS


def draws_per_latent(held_out: int, trained: int) -> int:
    """An even number from 4 to 256 that makes as many noisy latents of all as training makes in an epoch, or 512.

    So a validation costs a third of an epoch, whose latents are also gone back through, where the sets are not small.
    """
    pairs = math.ceil(max(trained, 512) / 2 / max(1, held_out))
    return min(256, max(4, 2 * pairs))
