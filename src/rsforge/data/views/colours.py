"""Images as networks for colours see them: red, green and blue of 8 bits, read through a view."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from rsforge.data.files.mask_paths import find_mask
from rsforge.data.io.georeference import Mask
from rsforge.data.io.image_reader import (
    MAX_PIXELS,
    Pixels,
    UnreadableError,
    decode_masked,
    read_bytes,
    read_tiff_directory,
)
from rsforge.data.views.view import PLAIN, View, check_span, open_view, to_bytes

_PICTURES = (b"\xff\xd8\xff", b"BM", b"RIFF")
_PNG = b"\x89PNG\r\n\x1a\n"
_TIFF = (b"II*\0", b"MM\0*")
_TAGS: dict[int, set[object]] = {
    258: {(8, 8, 8)},  # bits of each sample
    259: {1, 5, 8, 32946, 32773},  # none, LZW, deflate twice, PackBits: what any decoder knows
    262: {2},  # RGB
    274: {None, 1},  # upright
    277: {3},
    284: {1},  # the samples of a pixel lie together
    338: {None},  # no further samples
    339: {None, (1, 1, 1)},  # numbers without a sign
    42112: {None},  # GDAL's metadata
    42113: {None},  # its nodata
}
"""What the tags of a TIFF say that is nothing but colours."""


def read_colours(path: Path, view: View = PLAIN) -> Pixels:
    """The image as ``(H, W, 3)``, upright, black where it holds no data; ``UnreadableError`` with the reason."""
    return decode_colours(path, read_bytes(path), view)


def decode_colours(path: Path, data: bytes, view: View = PLAIN) -> Pixels:
    """``read_colours`` where the bytes of the file have been read already."""
    return decode_with_mask(path, data, view)[0]


def decode_with_mask(path: Path, data: bytes, view: View = PLAIN) -> tuple[Pixels, Mask | None]:
    """The image of ``decode_colours``, and where it holds data ``(H, W)``; None for everywhere."""
    if view in (PLAIN, View(as_stored=True)) and (_is_picture(data) or _is_plain_tiff(data)) and not find_mask(path):
        return decode_masked(data)  # the same pixels as by the view, without opening the file again
    with open_view(path, view, "optical") as raster:
        info = raster.info
        if info.height * info.width > MAX_PIXELS:
            raise UnreadableError(f"it has {info.width} x {info.height} pixels, more than {MAX_PIXELS:,}")
        if info.bands not in (1, 3):
            raise UnreadableError(f"it has {info.bands} bands where 1 or 3 are expected")
        check_span(info, view)
        read = raster.read(info.whole)
        pixels = to_bytes(read, view)
    valid = None if read.valid.all() else read.valid
    return np.ascontiguousarray(np.repeat(pixels, 3 // info.bands, axis=-1)), valid


def _is_picture(data: bytes) -> bool:
    """Whether a file begins as a format of 8-bit colours does, without bands or place."""
    if data.startswith(_PNG):
        return data[24:25] != b"\x10"
    return data.startswith(_PICTURES)


def _is_plain_tiff(data: bytes) -> bool:
    """Whether a TIFF holds red, green and blue of 8 bits in one image, and says no more of them.

    GDAL, which understands all that others say, takes five times as long to open one.
    """
    if not data.startswith(_TIFF):
        return False
    try:
        tags = read_tiff_directory(io.BytesIO(data))
    except UnreadableError:
        return False
    return not tags.next and all(tags.get(tag) in values for tag, values in _TAGS.items())
