"""Sentences about how a sample of files is read; an empty list where there is nothing to say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from rsforge.data.bands.meaning import COLOURS, POLARISATIONS
from rsforge.data.bands.products import explain_level1
from rsforge.data.files.stack_paths import is_stack, list_files
from rsforge.data.io.georeference import RasterInfo
from rsforge.data.io.image_reader import UnreadableError
from rsforge.data.views.view import Modality, View, choose_positions, find_other_names
from rsforge.wording import agree, count_noun, join_first

_REASONS = 3


def warn_of_names(view: View, infos: Sequence[RasterInfo]) -> list[str]:
    """Of three bands that are read as colours although their names say no colours, as infrared composites."""
    others = [(info, names) for info in infos if (names := find_other_names(info, view))]
    if not others:
        return []
    info, names = others[0]
    return [
        f"the bands of {info.path.name} are called {names} ({len(others)} of "
        f"{count_noun(len(infos), 'sampled file')}), and are read as red, green and blue in this order: --bands "
        "names others"
    ]


def warn_of_mixed_roles(view: View, infos: Sequence[RasterInfo], modality: Modality) -> list[str]:
    """Of bands that are chosen by number and are not the same in all files, as VV in some and HH in others."""
    if not any(band.isdecimal() for band in view.bands):
        return []
    found: Counter[tuple[str, ...]] = Counter()
    for info, positions in _choose_all(view, infos, modality):
        roles = tuple(info.meanings[k].role for k in positions)
        found.update([roles] if all(roles) else [])
    if len(found) < 2:
        return []
    parts = [f"{join_roles(roles)} in {count}" for roles, count in found.most_common(3)]
    several = len(view.bands)
    numbers = f"{agree(several, 'band', 'bands')} {', '.join(view.bands)} {agree(several, 'is', 'are')}"
    shared = set.intersection(*(set(roles) for roles in found))
    then = "choose them by name" if shared else "they are taken for the same"
    return [f"{numbers} {' and '.join(parts)} of {count_noun(len(infos), 'sampled file')}: {then}"]


def describe_order(view: View, infos: Sequence[RasterInfo], modality: Modality) -> list[str]:
    """Where bands are read in another order than they are stored in, or some are left aside."""
    orders: Counter[tuple[int, ...]] = Counter()
    for info, positions in _choose_all(view, infos, modality):
        if positions != tuple(range(info.bands)):
            orders[positions] += 1
    if not orders:
        return []
    named = view.bands or (COLOURS if modality == "optical" else ())
    what = "the bands" if any(band.isdecimal() for band in named) else join_roles(named) or "the bands"
    parts = [f"{','.join(str(k + 1) for k in order)} in {count}" for order, count in orders.most_common(3)]
    are = "is band" if len(orders.most_common(1)[0][0]) == 1 else "are the bands"
    return [f"{what} {are} {' and '.join(parts)} of {count_noun(len(infos), 'sampled file')}"]


def _choose_all(
    view: View, infos: Sequence[RasterInfo], modality: Modality
) -> Iterator[tuple[RasterInfo, tuple[int, ...]]]:
    """The files that have the bands of ``view``, with the positions of these."""
    for info in infos:
        try:
            yield info, tuple(choose_positions(info, view, modality))
        except UnreadableError:
            continue


def describe_scales(view: View, infos: Sequence[RasterInfo], modality: Modality) -> list[str]:
    """Which scales and offsets are applied."""
    found: Counter[tuple[float, float]] = Counter()
    for info in infos:
        if info.dtype == "uint8" and modality == "optical" and view.span is None:
            continue
        found.update({(meaning.scale, meaning.offset) for meaning in info.meanings} - {(1.0, 0.0)})
    if not found:
        return []
    parts = [f"scale {scale:g} and offset {offset:g} in {count}" for (scale, offset), count in found.most_common(3)]
    said = f"values are scaled as metadata or the names of products say: {', '.join(parts)}"
    return [f"{said} of {len(infos)} sampled files"]


def describe_level1(infos: Sequence[RasterInfo]) -> list[str]:
    """Of bands of Landsat Level 1 whose numbers nothing scales: why not."""
    files = [str(path) for info in infos for path in list_files(info.path)]
    reasons = list(dict.fromkeys(filter(None, map(explain_level1, files))))
    if not reasons:
        return []
    said = "numbers of Landsat Level 1 are read as they are stored, not as reflectance"
    return [f"{said}: {join_first(reasons, _REASONS)}"]


def describe_stacks(infos: Sequence[RasterInfo]) -> list[str]:
    """Say which files are taken as bands of one image, and which are left out for their grid."""
    stacks = [info for info in infos if is_stack(info.path)]
    if not stacks:
        return []
    sets = Counter(tuple(meaning.name for meaning in info.meanings) for info in stacks)
    parts = [f"{', '.join(bands)} in {count}" for bands, count in sets.most_common(3)]
    said = f"files of one band are read as one image: {' and '.join(parts)}"
    notes = [f"{said} of {count_noun(len(infos), 'sampled image')}"]
    left_out = list(dict.fromkeys(name for info in stacks for name in info.left_out))
    if left_out:
        are = agree(len(left_out), "is", "are")
        notes.append(f"{', '.join(left_out)} {are} left out: the pixels lie on another grid than those of these bands")
    return notes


def describe_pictures(infos: Sequence[RasterInfo]) -> list[str]:
    """Of files that hold several pictures."""
    pictures = [info for info in infos if info.pictures > 1]
    if not pictures:
        return []
    some = f"{len(pictures)} of {count_noun(len(infos), 'sampled file')} {agree(len(pictures), 'holds', 'hold')}"
    return [f"{some} several pictures, of which the first is read: {pictures[0].path.name}"]


def describe_masks(infos: Sequence[RasterInfo]) -> list[str]:
    """Of masks that lie in files beside images."""
    beside = [info for info in infos if info.mask_beside]
    if not beside:
        return []
    some = f"{len(beside)} of {count_noun(len(infos), 'sampled file')}"
    return [f"masks in files beside {some} say where they hold data: {beside[0].path.name}.msk"]


def join_roles(roles: Sequence[str]) -> str:
    """Roles as people write them: VV, VH, red."""
    return ", ".join(role.upper() if role in POLARISATIONS else role for role in roles)
