"""Which files of a folder are images: one walk for every command, without what systems and programs leave behind."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from rsforge import durable
from rsforge.data.files.other_commands import suggest_command
from rsforge.data.files.stack_paths import is_stack, list_files
from rsforge.data.files.stacks import stack_files
from rsforge.errors import RsforgeError, from_os_error
from rsforge.wording import count_noun, join_first

SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".tif", ".tiff", ".webp", ".jp2", ".j2k", ".j2c", ".jpx"}
)
"""Suffixes of images that are read, in either case."""
UNREAD = frozenset(
    {".gif", ".heic", ".heif", ".avif", ".tga", ".ppm", ".pgm", ".pnm", ".img", ".dng", ".nef", ".cr2", ".arw", ".psd",
     ".jxl", ".ecw", ".sid", ".vrt", ".pcx", ".ntf", ".nitf"}
)  # fmt: skip
"""Suffixes of images that are not read."""
_LEFT_BEHIND = frozenset(
    {"__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "@eadir", "$recycle.bin", "lost+found",
     "system volume information", "__pycache__"}
)  # fmt: skip


def is_left_behind(name: str) -> bool:
    """Whether a file or folder is hidden, temporary, or what another system or program left behind."""
    return name.startswith((".", durable.TEMPORARY)) or name.lower() in _LEFT_BEHIND


def lies_in_left_behind(root: Path, path: Path) -> bool:
    """Whether a file below ``root``, or a folder on the way to it, is hidden or left behind."""
    return any(is_left_behind(part) for part in path.relative_to(root).parts)


def is_image(path: Path) -> bool:
    """Whether a file is an image that is read, by its name."""
    return path.suffix.lower() in SUFFIXES and not is_left_behind(path.name)


def is_unread_image(path: Path) -> bool:
    """Whether a file is an image that is not read, by its name."""
    return path.suffix.lower() in UNREAD and not is_left_behind(path.name)


def find_images(folder: Path, *, exclude: Path | None = None) -> list[Path]:
    """All images under ``folder`` that are read, by relative path; files of one band each by the path of their set.

    Linked folders are entered, each real folder once, ``exclude`` never. RSF-D001 when there is no such folder or it
    holds no image.
    """
    if not folder.is_dir():
        reason = "it is a file, not a folder" if folder.exists() else "the folder does not exist"
        raise RsforgeError("RSF-D001", f"No images found in {folder}: {reason}", where=str(folder))
    files = list(_walk(folder, _folder_identity(exclude)))
    images = [path for path in files if is_image(path)]
    if not images:
        raise _no_images_error(folder, files)
    return sorted(stack_files(images).images, key=lambda path: path.relative_to(folder).as_posix())


def find_beside(folder: Path, images: Iterable[Path]) -> list[str]:
    """The names of the files that belong to the sets among ``images`` below ``folder`` and are no bands, sorted."""
    places = {file.parent for path in images if is_stack(path) for file in list_files(path)}
    files = [path for place in places for path in place.iterdir() if is_image(path)]
    return sorted(path.relative_to(folder).as_posix() for path in stack_files(files).beside)


def find_unread(folder: Path, *, exclude: Path | None = None) -> list[str]:
    """The names below ``folder`` of images that are not read, sorted; folders that cannot be entered are passed by."""
    files = _walk(folder, _folder_identity(exclude), strict=False)
    return sorted(path.relative_to(folder).as_posix() for path in files if is_unread_image(path))


def describe_unread(names: Iterable[str]) -> str:
    """How many images of which kinds are not read, with the first names; empty for none."""
    names = list(names)
    if not names:
        return ""
    kinds = sorted({Path(name).suffix.lower() for name in names})
    return f"{count_noun(len(names), 'image')} of kinds that are not read ({', '.join(kinds)}): {join_first(names, 3)}"


def _no_images_error(folder: Path, files: list[Path]) -> RsforgeError:
    found = describe_unread(path.relative_to(folder).as_posix() for path in files if is_unread_image(path))
    fix = suggest_command(folder, files)
    if not found:
        return RsforgeError("RSF-D001", f"No images found in {folder}", where=str(folder), fix=fix)
    what = f"No images found in {folder} that are read"
    fix = fix or "convert them to PNG, JPEG or GeoTIFF"
    return RsforgeError("RSF-D001", what, where=str(folder), found=found, fix=fix)


def _folder_identity(folder: Path | None) -> set[tuple[int, int]]:
    """Device and inode of a folder that exists: a link may lead to it under another name."""
    if folder is None or not folder.is_dir():
        return set()
    status = folder.stat()
    return {(status.st_dev, status.st_ino)}


def _walk(folder: Path, seen: set[tuple[int, int]], *, strict: bool = True) -> Iterator[Path]:
    """Every file below ``folder`` that nothing left behind."""
    try:
        status = folder.stat()
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if not is_left_behind(entry.name))
    except OSError as error:
        if not strict:
            return
        raise from_os_error(error) from error
    if (status.st_dev, status.st_ino) in seen:
        return
    seen.add((status.st_dev, status.st_ino))
    for name in names:
        path = folder / name
        if path.is_dir():
            yield from _walk(path, seen, strict=strict)
        else:
            yield path
