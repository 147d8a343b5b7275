"""Files beside those of one band each that belong to the same product and are no bands of it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from rsforge.data.files.band_names import RASTERS, BandFile
from rsforge.data.files.stack_paths import POLARISATIONS, SEPARATORS

_OTHER_SIDE = re.compile(r"(s[12]|sar|op|opt|optical|eo|sentinel-?[12])(?![a-z])", re.IGNORECASE)
_LEVEL = re.compile(r"[_\-. ](SR|ST|TOA|RT)$", re.IGNORECASE)


def find_beside(
    paths: Sequence[Path], read: dict[Path, BandFile], several: dict[tuple[str, bool], list[BandFile]]
) -> dict[Path, Path]:
    """Files that are named as a set is and hold none of its bands (angles, masks, true colours), with its folder."""
    prefixes: dict[Path, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    places = {}
    rasters = set()
    for one in (one for own in several.values() for one in own):
        folder = one.path.parent
        if folder.name.upper() not in POLARISATIONS:
            stem = Path(one.template).stem
            prefix = _LEVEL.sub("", stem.split("\0")[0].rstrip(SEPARATORS))
            if prefix or stem == "\0":  # where names begin with bands, others need not belong to sets
                prefixes[folder][prefix].add(one.band)
                places[folder] = one.place
                if one.path.suffix.lower() in RASTERS:
                    rasters.add((folder, prefix))
    beside = {}
    for path in paths:
        found = read.get(path)
        if path.parent not in prefixes or (found and found.key in several):
            continue
        beginnings = _list_beginnings(path.stem)
        if path.suffix.lower() not in RASTERS and (path.parent, path.stem) in rasters:
            beginnings.add(path.stem)  # a preview, named as the product
        for prefix in beginnings & prefixes[path.parent].keys():
            own_side = not _OTHER_SIDE.match(path.stem[len(prefix) :].lstrip(SEPARATORS))
            if own_side and not (found and found.band in prefixes[path.parent][prefix]):
                beside[path] = places[path.parent]
    return beside


def _list_beginnings(stem: str) -> set[str]:
    """What stands before each separator of a name, and nothing."""
    return {stem[:k].rstrip(SEPARATORS) for k, sign in enumerate(stem) if sign in SEPARATORS} | {""}
