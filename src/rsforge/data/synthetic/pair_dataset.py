"""Drawn pairs of SAR and optical images in memory, four windows of each scene."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable
from itertools import chain

import torch
from torch import Tensor
from torch.utils.data import Dataset

from rsforge.data.io.threads import in_threads
from rsforge.data.io.windows import windows
from rsforge.data.pairs.dataset import mirrored
from rsforge.data.synthetic.backscatter import decibel, grey
from rsforge.data.synthetic.world import pair
from rsforge.data.synthetic.write_pairs import PER_SCENE, sites

_VERSION = 1  # raise it when the drawings change


class SyntheticPairs(Dataset[tuple[Tensor, Tensor]]):
    """The first ``count`` pairs of a world as SAR ``(1, S, S)`` and optical ``(3, S, S)`` float in [-1, 1].

    What ``data synth --kind pairs`` writes: SAR is 8-bit grey, each scene is cut into four windows that do not overlap.
    Addressed by (epoch, index) like ``PairDataset`` and, up to ``keep_bytes``, drawn once here; ``progress`` is called
    after each.
    """

    def __init__(
        self,
        count: int,
        *,
        image_size: int,
        seed: int,
        flip: float = 0.0,
        keep_bytes: int = 1 << 30,
        progress: Callable[[], None] | None = None,
    ) -> None:
        self.count, self.image_size, self.seed, self.flip = count, image_size, seed, flip
        self.sites = sites("terrain", count)
        self.kept: Tensor | None = None
        if count * 4 * image_size**2 <= keep_bytes:
            self.kept = torch.empty(count, 4, image_size, image_size, dtype=torch.uint8)
            scenes = in_threads(self._draw, range(len(self.sites)))
            for index, image in zip(range(count), chain.from_iterable(scenes), strict=False):
                self.kept[index] = image
                if progress is not None:
                    progress()

    @property
    def digest(self) -> str:
        """SHA-256 of what determines the images."""
        parts = ("synthetic pairs", _VERSION, self.seed, self.count, self.image_size)
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    def __len__(self) -> int:
        return self.count

    def plain(self) -> SyntheticPairs:
        """The same pairs, not mirrored; what is kept is shared."""
        twin = copy.copy(self)
        twin.flip = 0.0
        return twin

    def scene(self, index: int) -> str:
        """The code of the scene that a pair is cut from."""
        return self.sites[index // PER_SCENE].code

    def name(self, index: int) -> str:
        return f"{self.scene(index)}_p{index % PER_SCENE + 1}"

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, Tensor]:
        _, index = key
        if not 0 <= index < self.count:
            raise IndexError(index)
        image = self._draw(index // PER_SCENE)[index % PER_SCENE] if self.kept is None else self.kept[index]
        unit = image.float() / 255 * 2 - 1
        return mirrored(unit[:1], unit[1:], seed=self.seed, key=key, flip=self.flip)

    def _draw(self, scene: int) -> list[Tensor]:
        """The windows of a scene, uint8 ``(4, S, S)``, SAR first."""
        site, size = self.sites[scene], self.image_size
        optical, power = pair(self.seed, site.number, 2 * size, **site.look)
        sar = torch.from_numpy(grey(decibel(power)))[None]
        both = torch.cat([sar, torch.from_numpy(optical).permute(2, 0, 1)])
        cuts = windows(2 * size, 2 * size, size, size)
        return [both[:, w.row : w.row + size, w.col : w.col + size] for w in cuts]
