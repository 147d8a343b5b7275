"""Synthetic pairs of SAR and optical images in memory, four patches of each scene."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable
from itertools import chain

import torch
from torch import Tensor
from torch.utils.data import Dataset

from rsforge.data.io.threads import map_in_threads
from rsforge.data.io.windows import list_windows
from rsforge.data.pairs.dataset import turn_pair
from rsforge.data.synthetic.backscatter import to_decibel, to_grey
from rsforge.data.synthetic.world import draw_pair
from rsforge.data.synthetic.write_pairs import PER_SCENE, list_sites

_VERSION = 1  # raise it when the images change


class SyntheticPairs(Dataset[tuple[Tensor, Tensor]]):
    """The first ``count`` pairs of the series ``seed`` as SAR ``(1, S, S)`` and optical ``(3, S, S)``, in [-1, 1].

    They are those of ``data synth --kind pairs``: SAR is 8-bit grey, each scene is cut into four patches that do not
    overlap. Addressed by (epoch, index) like ``PairDataset``. Up to ``keep_bytes`` all are drawn at once and cached,
    and ``progress`` is called after each.
    """

    def __init__(
        self,
        count: int,
        *,
        image_size: int,
        seed: int,
        flip: float = 0.0,
        half_turn: float = 0.0,
        keep_bytes: int = 1 << 30,
        progress: Callable[[], None] | None = None,
    ) -> None:
        self.count = count
        self.image_size = image_size
        self.seed = seed
        self.flip, self.half_turn = flip, half_turn
        self.sites = list_sites("terrain", count)
        self.cached: Tensor | None = None
        if count * 4 * image_size**2 <= keep_bytes:
            self.cached = torch.empty(count, 4, image_size, image_size, dtype=torch.uint8)
            scenes = map_in_threads(self._draw, range(len(self.sites)))
            for index, image in zip(range(count), chain.from_iterable(scenes), strict=False):
                self.cached[index] = image
                if progress is not None:
                    progress()

    @property
    def digest(self) -> str:
        """SHA-256 of everything that determines the images."""
        parts = ("synthetic pairs", _VERSION, self.seed, self.count, self.image_size)
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    def __len__(self) -> int:
        return self.count

    def plain(self) -> SyntheticPairs:
        """The same pairs neither mirrored nor turned; the cache is shared."""
        clone = copy.copy(self)
        clone.flip = clone.half_turn = 0.0
        return clone

    def scene(self, index: int) -> str:
        """The name of the scene from which a pair is cut."""
        return self.sites[index // PER_SCENE].code

    def metadata(self, index: int) -> dict[str, str]:
        """What the table of such pairs would say."""
        look = self.sites[index // PER_SCENE].look
        terrain = self.sites[index // PER_SCENE].folder
        return {"scene": self.scene(index), "terrain": terrain, "region": "", "season": look["season"], "country": ""}

    def name(self, index: int) -> str:
        return f"{self.scene(index)}_p{index % PER_SCENE + 1}"

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, Tensor]:
        _, index = key
        if not 0 <= index < self.count:
            raise IndexError(index)
        image = self._draw(index // PER_SCENE)[index % PER_SCENE] if self.cached is None else self.cached[index]
        unit = image.float() / 255 * 2 - 1
        return turn_pair(unit[:1], unit[1:], self.flip, self.half_turn, seed=self.seed, key=key)

    def _draw(self, scene: int) -> list[Tensor]:
        """The patches of a scene, uint8 ``(4, S, S)``, SAR first."""
        site = self.sites[scene]
        size = self.image_size
        optical, power = draw_pair(self.seed, site.number, 2 * size, **site.look)
        sar = torch.from_numpy(to_grey(to_decibel(power)))[None]
        both = torch.cat([sar, torch.from_numpy(optical).permute(2, 0, 1)])
        cuts = list_windows(2 * size, 2 * size, size, size)
        return [both[:, w.row : w.row + size, w.col : w.col + size] for w in cuts]
