"""What libraries print and warn is silenced while files are read."""

from __future__ import annotations

import io
import struct
import sys
import threading
import warnings
from types import SimpleNamespace

import pytest
from PIL import Image

from rsforge.data.io.image_reader import UnreadableError, decode_rgb
from rsforge.data.io.native_output import first_line, silence_libraries


def test_only_messages_of_gdal_that_are_no_text_are_dropped(monkeypatch):
    seen = []
    monkeypatch.setattr(sys, "unraisablehook", seen.append)
    error = UnicodeDecodeError("utf-8", b"\x88", 0, 1, "invalid")
    gdal = SimpleNamespace(exc_value=error, object="rasterio._env.log_error")
    other = SimpleNamespace(exc_value=error, object="elsewhere")
    with silence_libraries(), silence_libraries():
        sys.unraisablehook(gdal)
        sys.unraisablehook(other)
    sys.unraisablehook(gdal)
    assert seen == [other, gdal]


def test_warnings_stay_inside_and_the_filters_are_restored() -> None:
    corrupt = Image.Exif()
    corrupt[0x0112] = 6
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG", exif=corrupt.tobytes()[:20] + b"\xff" * 9)
    broken = buffer.getvalue()
    before = list(warnings.filters)
    threads = [threading.Thread(target=lambda: [decode_rgb(broken) for _ in range(20)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert warnings.filters == before
    with pytest.raises(UserWarning):
        warnings.warn("still an error", stacklevel=1)


def test_a_broken_tiff_prints_no_line_of_a_library(capfd) -> None:
    buffer = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(buffer, "TIFF", compression="tiff_lzw")
    whole = buffer.getvalue()
    beyond = whole.replace(struct.pack("<HHI", 273, 4, 1), struct.pack("<HHI", 273, 4, 10**6))
    for broken in (whole[:40] + b"\x55" * 400 + whole[440:], beyond, whole[:-8]):
        with pytest.raises(UnreadableError):
            decode_rgb(broken)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("first.\nsecond"), "first"),
        (OSError(), "OSError"),
        (KeyError("a"), "'a'"),
        (ValueError(" \n"), "ValueError"),
    ],
)
def test_the_first_line_of_a_message_is_shown(error, line):
    assert first_line(error) == line
