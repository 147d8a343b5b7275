"""A generator with the values on either side of it, its tiles, and what its images say of themselves."""

from __future__ import annotations

from dataclasses import dataclass

from rsforge import __version__
from rsforge.data.io.georeference import RasterInfo
from rsforge.data.sar.radiometry import EIGHT_BIT, Radiometry
from rsforge.data.scenes.tiling import TileGrid
from rsforge.data.views.view import Modality, View
from rsforge.errors import RsforgeError
from rsforge.models.interfaces import Translator
from rsforge.recipes.inference.checkpoints import LoadedModel
from rsforge.recipes.inference.sar_values import NetworkInput, choose_radiometry
from rsforge.recipes.inference.tiled import Values
from rsforge.recipes.views import choose_of, views_of
from rsforge.settings.cyclegan import CycleGanTranslateSettings

SHARED = 4  # a tile shares this part of its side with the next
_SAR_NAMES = {"db": "sigma0_db", "linear": "sigma0", "dn": "dn", "uint8": "sar"}
_COLOURS = ("red", "green", "blue")


@dataclass(frozen=True)
class Translation:
    """``net`` takes values of the radiometry ``given`` and makes those of ``made``, in ``bands`` of these names.

    Images are read by ``view``, whose bands somebody named if they are ``chosen``.
    """

    net: Translator
    given: Radiometry
    made: Radiometry
    image_size: int
    tile: int
    overlap: int
    tags: dict[str, str]
    bands: tuple[str, ...]
    view: View
    chosen: bool = False

    @property
    def modality(self) -> Modality:
        """What is translated."""
        return "sar" if self.bands == _COLOURS else "optical"

    @property
    def takes(self) -> NetworkInput:
        """What the generator takes of files."""
        return NetworkInput(self.given, self.net.in_channels)

    def check(self, values: Values, where: str) -> None:
        """RSF-D010 for values that cannot be in the unit."""
        fix = "" if self.bands == _COLOURS else "save optical images as red, green and blue of 8 bits"
        self.takes.check_values(values, where, fix=fix)

    @property
    def in_pictures(self) -> bool:
        """Whether what is made fits in pictures of 8 bits."""
        return self.made.unit == "uint8" and self.net.out_channels in (1, 3)

    def tile_grid(self, info: RasterInfo) -> TileGrid:
        """The tiles of an image: none is larger than that of the training or what the image fills."""
        filled = -(-max(info.height, info.width) // self.net.factor) * self.net.factor
        most = max(self.image_size, filled)
        tiles = (self.tile, self.overlap) if self.tile <= most else (most, 0)
        return TileGrid(info.height, info.width, *tiles)


def translation_of(settings: CycleGanTranslateSettings, net: Translator, restored: LoadedModel) -> Translation:
    """The translation that settings and checkpoint describe; RSF-U005 for tiles that the generator does not take."""
    image_size = restored.state["image_size"]
    tile = settings.tile or image_size
    overlap = tile // SHARED if settings.overlap is None else settings.overlap
    _check_tiles(tile, overlap, net.factor)
    where = str(settings.checkpoint)
    stored = Radiometry.from_dict(restored.state.get("radiometry"), where=where)
    sar = choose_radiometry(stored, settings.radiometry, settings.clip)
    tags = {"TIFFTAG_SOFTWARE": f"rsforge {__version__}", "TRANSLATION": settings.direction, "WEIGHTS": restored.digest}
    if settings.bands:
        tags["BANDS"] = ",".join(settings.bands)
    views, chosen = views_of(restored.state), bool(settings.bands)
    view = views.sar if settings.direction == "sar2optical" else views.optical
    view = choose_of(view, settings.bands, settings.fill)
    if settings.direction == "sar2optical":
        return Translation(net, sar, EIGHT_BIT, image_size, tile, overlap, tags, _COLOURS, view, chosen)
    name, count = _SAR_NAMES[sar.unit], net.out_channels
    bands = (name,) if count == 1 else tuple(f"{name}_{k}" for k in range(1, count + 1))
    colours = Radiometry("dn", *view.span) if view.span else EIGHT_BIT
    return Translation(net, colours, sar, image_size, tile, overlap, tags, bands, view, chosen)


def _check_tiles(tile: int, overlap: int, factor: int) -> None:
    if tile % factor:
        near = max(factor, round(tile / factor) * factor)
        what, fix = f"the generator takes tiles whose side is a multiple of {factor}", f"--tile {near}"
        raise RsforgeError("RSF-U005", what, where="--tile, --checkpoint", found=str(tile), fix=fix)
    if overlap >= tile:
        what, found = "the overlap of tiles must be less than their side", f"overlap {overlap}, tile {tile}"
        raise RsforgeError("RSF-U005", what, where="--overlap, --tile", found=found)
