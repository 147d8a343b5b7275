"""Mean and deviation of the latents of an autoencoder."""

from __future__ import annotations

from typing import Any

import torch

from rsforge.data.images.gaps import stack_valid
from rsforge.engine.loader import IndexedDataset
from rsforge.losses.gaps import shrink_valid
from rsforge.models.interfaces import Autoencoder

SHOWN = 16


MEASURED = 256


class LatentStatistics:
    """Mean and deviation of sampled latents by channel, measured when an epoch closes and saved with the run."""

    def __init__(self, network: Autoencoder, samples: IndexedDataset, device: torch.device) -> None:
        self.network, self.samples, self.device = network, samples, device
        self.mean, self.std = torch.zeros(()), torch.ones(())

    def measure(self) -> None:
        """Law of total variance over at most ``MEASURED`` training images as they are, evenly spread.

        Of maps only cells count whose pixels all hold data.
        """
        total, count = len(self.samples), min(len(self.samples), MEASURED)
        chosen = [i * total // count for i in range(count)]
        mus, variances = [], []
        for first in range(0, count, SHOWN):
            x = torch.stack([self.samples[0, i] for i in chosen[first : first + SHOWN]])
            mu, logvar = self.network.encode(x.to(self.device))
            mus.append(mu.double().cpu())
            variances.append(logvar.double().exp().cpu())
        mu, variance = torch.cat(mus), torch.cat(variances)
        axes = (0, *range(2, mu.ndim))
        valid = stack_valid(self.samples, chosen)
        if valid is not None and mu.ndim == 4:
            cells = shrink_valid(valid, mu.shape[-2:]).double()
            cells = cells / cells.sum().clamp(min=1)
            mean = (mu * cells).sum(axes, keepdim=True)
            square = (((mu - mean) ** 2 + variance) * cells).sum(axes, keepdim=True)
            self.mean, self.std = mean[0].float(), square.sqrt()[0].float().clamp(min=1e-6)
            return
        std = (mu.var(axes, correction=0, keepdim=True) + variance.mean(axes, keepdim=True)).sqrt()
        self.mean, self.std = mu.mean(axes, keepdim=True)[0].float(), std[0].float().clamp(min=1e-6)

    def state_dict(self) -> dict[str, Any]:
        return {"mean": self.mean, "std": self.std}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.mean, self.std = state["mean"], state["std"]
