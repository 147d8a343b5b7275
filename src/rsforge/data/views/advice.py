"""What to do about bands that are not told, and ranges that are not declared."""

from __future__ import annotations

from collections.abc import Sequence

from rsforge.data.bands.meaning import POLARISATIONS
from rsforge.data.files.stack_paths import is_stack
from rsforge.data.files.stacks import find_set
from rsforge.data.io.georeference import RasterInfo

NAME_BANDS = "name three bands with --bands: by role, name, number or wavelength"
NAME_SAR_BANDS = "name the bands of SAR images with --sar-bands"
MEND_SET = "add the file of the band to its set, or name with --bands those that all sets have"
GIVE_RANGE = "give the values that become black and white with --range LOW HIGH, or --range percentile"


def advise_colours(info: RasterInfo) -> str:
    """How to name bands of which none is known as a colour: those of SAR images by their polarisations."""
    roles = _find_polarisations(info)
    if not roles:
        return NAME_BANDS
    thrice = ",".join((roles * 3)[:3])
    return f"these are SAR images: show one band as grey, --bands {roles[0]}, or three as colours, --bands {thrice}"


def advise_backscatter(info: RasterInfo, wanted: Sequence[str]) -> str:
    """What to do about a SAR image that lacks bands that are ``wanted``."""
    roles = _find_polarisations(info)
    if 0 < len(wanted) <= len(roles) and set(wanted) <= set(POLARISATIONS) and set(wanted).isdisjoint(roles):
        numbers = ",".join(str(k + 1) for k in range(len(wanted)))
        skip = "leave images of other polarisations out by --on-bad skip"
        return f"{skip}, or take bands by number, whatever they are, by --sar-bands {numbers}"
    return MEND_SET.replace("--bands", "--sar-bands") if is_stack(info.path) else NAME_SAR_BANDS


def advise_missing(info: RasterInfo) -> str:
    """What to do about an optical image that lacks bands that are wanted."""
    return MEND_SET if is_stack(info.path) else NAME_BANDS


def advise_whole_set(info: RasterInfo) -> str:
    """That a file is one band of a set; empty for a file by itself."""
    whole = find_set(info.path)
    return f"it is one band of a set: give all of them, '{whole}' in quotes" if whole else ""


def _find_polarisations(info: RasterInfo) -> list[str]:
    return [meaning.role for meaning in info.meanings if meaning.role in POLARISATIONS]
