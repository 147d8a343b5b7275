"""Images as networks for colours see them: red, green and blue of 8 bits, read through a view."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rsforge.data.io.image_reader import MAX_PIXELS, Pixels, UnreadableError, decode_rgb, read_bytes
from rsforge.data.views.view import PLAIN, View, check_span, open_view, to_bytes

_PICTURES = (b"\xff\xd8\xff", b"BM", b"RIFF")
_PNG = b"\x89PNG\r\n\x1a\n"


def read_colours(path: Path, view: View = PLAIN) -> Pixels:
    """The image as ``(H, W, 3)``, upright, black where it holds no data; ``UnreadableError`` with the reason."""
    return decode_colours(path, read_bytes(path), view)


def decode_colours(path: Path, data: bytes, view: View = PLAIN) -> Pixels:
    """``read_colours`` where the bytes of the file have been read already."""
    if view in (PLAIN, View(as_stored=True)) and _is_picture(data):
        return decode_rgb(data)  # the same pixels as by the view, without opening the file again
    with open_view(path, view, "optical") as raster:
        info = raster.info
        if info.height * info.width > MAX_PIXELS:
            raise UnreadableError(f"it has {info.width} x {info.height} pixels, more than {MAX_PIXELS:,}")
        if info.bands not in (1, 3):
            raise UnreadableError(f"it has {info.bands} bands where 1 or 3 are expected")
        check_span(info, view)
        pixels = to_bytes(raster.read(info.whole), view)
    return np.ascontiguousarray(np.repeat(pixels, 3 // info.bands, axis=-1))


def _is_picture(data: bytes) -> bool:
    """Whether a file begins as a format of 8-bit colours does, without bands or place."""
    if data.startswith(_PNG):
        return data[24:25] != b"\x10"
    return data.startswith(_PICTURES)
