"""What the user may say about how images are read: bands, range of values, and what counts as no data."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from rsforge.settings.base import BandName
from rsforge.settings.sections import Section, also

PERCENTILE = "percentile"
FILL = (
    "Value that stands where there is no data, if the files do not say it: 0 for backscatter of 0 dB outside the swath."
)


def _check_span(span: tuple[float | str, ...]) -> tuple[float | str, ...]:
    """Nothing, the word percentile, or a low and a higher number."""
    if span in ((), (PERCENTILE,)):
        return span
    if len(span) != 2 or PERCENTILE in span or not float(span[0]) < float(span[1]):
        raise ValueError(f"must be a low and a higher number, or {PERCENTILE}")
    return span


Value = Annotated[float, Field(ge=-1e30, le=1e30)]
Span = Annotated[tuple[Value | Literal["percentile"], ...], Field(max_length=2), AfterValidator(_check_span)]


class ViewSettings(Section):
    """Data"""

    bands: tuple[BandName, ...] = Field(
        (),
        description="Three bands to read as red, green and blue, of pairs those of the optical images: by role or name "
        "(red,green,blue), number from 1 (3,2,1) or wavelength (665nm,560nm,490nm). When absent the colours that the "
        "files name.",
        json_schema_extra=also(metavar="BAND,BAND,BAND"),
    )
    range: Span = Field(
        (),
        description="Values that become black and white, in the unit of the file, which images of more than 8 bits "
        f"need, of pairs the optical ones; {PERCENTILE} takes the percentiles 2 and 98 of the whole set. Both are "
        "stored for what is trained.",
        json_schema_extra=also(metavar="LOW HIGH|percentile"),
    )
    fill: Value | None = Field(None, description=FILL)


NO_OPTIONS = ViewSettings()


class PairViewSettings(ViewSettings):
    """Data"""

    sar_bands: tuple[BandName, ...] = Field(
        (),
        description="Bands of the SAR images to read, in this order, as --bands. When absent VV, VH, HH and HV where "
        "the files name them, else all.",
        json_schema_extra=also(metavar="BAND,..."),
    )
