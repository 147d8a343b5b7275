"""Earlier fakes, shown to critics so that generators cannot only please the newest one."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class ImagePools:
    """Pools of up to ``capacity`` images, one for each name in each slot of a step; 0 keeps none.

    A full pool gives back, for each image that comes, an earlier one half of the time, and keeps the new one in its
    place. Shrivastava et al. 2017, section 2.3; Zhu et al. 2017, section 4. Draws are those of torch's own generator.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.pools: dict[int, dict[str, list[Tensor]]] = {}

    def query(self, name: str, slot: int, images: Tensor) -> Tensor:
        """``images`` ``(B, C, H, W)``, some of them exchanged for earlier ones; those that are not finite stay out."""
        images = images.detach()
        if not self.capacity:
            return images
        pool = self.pools.setdefault(slot, {}).setdefault(name, [])
        return torch.stack([self._exchange(pool, image) for image in images])

    def _exchange(self, pool: list[Tensor], image: Tensor) -> Tensor:
        # Chosen on the device: asking whether an image is finite would wait for it.
        finite = image.isfinite().all()
        if len(pool) < self.capacity:
            pool.append(torch.where(finite, image, image.nan_to_num(0.0, 0.0, 0.0)))
            return image
        coin, slot = torch.rand(2, device="cpu").tolist()
        if coin < 0.5:
            return image
        earlier = pool[int(slot * self.capacity)].to(image)
        pool[int(slot * self.capacity)] = torch.where(finite, image, earlier)
        return torch.where(finite, earlier, image)

    def state_dict(self) -> dict[Any, Any]:
        # After a resume some lie where checkpoints are read to, and others where they were made.
        return {
            slot: {name: torch.stack([image.cpu() for image in pool]) for name, pool in own.items()}
            for slot, own in self.pools.items()
        }

    def load_state_dict(self, state: dict[Any, Any]) -> None:
        self.pools = {slot: {name: list(images) for name, images in own.items()} for slot, own in state.items()}
