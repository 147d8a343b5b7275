"""``rsforge data prepare-classes``: images named CLASS_NUMBER are sorted into folders by class, with captions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any

from rsforge import durable, leftovers
from rsforge.data.files.mask_paths import find_mask
from rsforge.data.images.class_folders import ClassIndex, make_caption, name_classes, read_class_names, scan_classes
from rsforge.data.io.image_reader import SUFFIXES
from rsforge.data.tables.table import read_text
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console
from rsforge.recipes.data.class_figure import draw_class_figure
from rsforge.settings.data_captions import ClassesSettings
from rsforge.wording import agree, count_noun, join_first

ALL = "corel_all"
CLASSES = "classes.txt"
CAPTIONS = "captions.json"
RECORD = "prepared.json"
FIGURE = "corel_dataset_samples.png"

Digests = dict[str, str]
Record = dict[str, list[str]]
"""By file, the digests of what earlier runs wrote, and of what the last one was about to write."""


def prepare(settings: ClassesSettings, console: Console) -> dict[str, Any]:
    """Check, then copy what is new; RSF-D002 for bad images, RSF-D006 for a bad list, RSF-U004 for other files."""
    _check_apart(settings)
    index = _scan(settings, console)
    names = _name_classes(settings, index, console)
    images, texts = _plan_files(index, names)
    planned = images | {name: _sha256(text.encode()) for name, text in texts.items()}
    root = settings.output_dir
    before = _read_record(root)
    stale = sorted(before.keys() - planned.keys())
    _refuse_foreign(root, {name.split("/")[0] for name in planned}, before.keys() | planned.keys())
    new = _find_new(root, planned, before, console)
    counts = {f"{n} {names[n]}": sum(image.number == n for image in index.images) for n in index.numbers}
    facts = {"images": len(index.images), "classes": counts, "skipped": len(index.bad), "output_dir": str(root)}
    if console.dry_run:
        return {"files": len(planned), "removed": len(stale), **facts}
    root.mkdir(parents=True, exist_ok=True)
    with durable.lock_folder(root):
        removed = _update(settings, index, planned, before, new, stale, texts, console)
    figure = _write_figure(settings, index, names) if settings.visualize else None
    state = "prepared" if new or removed else "unchanged"
    if state == "unchanged":
        console.say(f"unchanged  {root} holds these images already: nothing to do")
    figure_path = str(figure) if figure else None
    return {"state": state, "written": len(new), "removed": removed, **facts, "figure": figure_path}


def _update(
    settings: ClassesSettings,
    index: ClassIndex,
    planned: Digests,
    before: Record,
    new: list[str],
    stale: list[str],
    texts: Mapping[str, str],
    console: Console,
) -> int:
    """Write new files and remove stale ones; returns the number of removed files.

    The record of a run is written before its files, so that a run after a kill knows them as its own.
    """
    root = settings.output_dir
    leftovers.sweep(root)
    after = {name: [digest] for name, digest in planned.items()}
    if new:
        _write_record(root, {name: [*before.get(name, []), *after.get(name, [])] for name in before | after})
        _write_files(settings, index, new, texts, console)
    removed = _remove_stale(root, stale, before, console)
    _write_record(root, after)
    return removed


def _check_apart(settings: ClassesSettings) -> None:
    """RSF-U005 when input and output folder contain one another."""
    source, target = settings.data_dir.resolve(), settings.output_dir.resolve()
    if source.is_relative_to(target) or target.is_relative_to(source):
        what = "the folder of images and the output folder lie in one another"
        found = f"{source}, {target}"
        raise RsforgeError("RSF-U005", what, where="--output-dir", found=found, fix="name an --output-dir apart")


def _scan(settings: ClassesSettings, console: Console) -> ClassIndex:
    """The usable images; RSF-D002 for others unless they are skipped and some are left."""
    index = scan_classes(settings.data_dir, exclude=settings.output_dir)
    if index.bad and (settings.on_bad == "error" or not index.images):
        what = f"{count_noun(len(index.bad), 'image')} cannot be used"
        found = join_first([f"{name}: {reason}" for name, reason in index.bad], 5)
        fix = "convert, repair, rename or remove them, or leave them out by --on-bad skip"
        raise RsforgeError("RSF-D002", what, where=str(settings.data_dir), found=found, fix=fix)
    for name, reason in index.bad:
        console.warn(f"left out {name}: {reason}")
    return index


def _name_classes(settings: ClassesSettings, index: ClassIndex, console: Console) -> dict[int, str]:
    """The name of every class, with warnings where the list and the images do not fit."""
    path = settings.data_dir / CLASSES
    given = read_class_names(path) if path.exists() else {}
    if given and (encoding := read_text(path)[1]):
        console.say(f"classes    {CLASSES} is read as {encoding}")
    names, missing = name_classes(index.numbers, given)
    if missing:
        generic = ", ".join(f"{number} ({names[number]})" for number in missing)
        reason = f"{CLASSES} does not name every class" if given else f"{settings.data_dir} has no {CLASSES}"
        console.warn(f"{reason}: generic names for {generic}")
    empty = sorted(given.keys() - set(index.numbers))
    if empty:
        classes = ", ".join(f"{number} ({given[number]})" for number in empty)
        console.warn(f"{CLASSES} names classes without images: {classes}")
    return names


def _plan_files(index: ClassIndex, names: Mapping[int, str]) -> tuple[Digests, dict[str, str]]:
    """The digests of all images and masks of the output, and the texts of its caption files, by relative name."""
    images: Digests = {}
    captions: dict[str, dict[str, str]] = {}
    for image in index.images:
        mask = find_mask(image.path)
        for folder in (ALL, f"class_{image.number:04d}"):
            if mask:  # before its image, which is at no time there without it
                images[f"{folder}/{mask.name}"] = _file_sha256(mask)
            images[f"{folder}/{image.path.name}"] = image.digest
            captions.setdefault(f"{folder}/{CAPTIONS}", {})[image.path.name] = make_caption(names[image.number])
    texts = {}
    for name, of_image in captions.items():
        texts[name] = json.dumps(dict(sorted(of_image.items())), indent=2, ensure_ascii=False) + "\n"
    return images, texts


def _read_record(root: Path) -> Record:
    """The record of the last run; empty when there is none, RSF-D006 when it is damaged."""
    path = root / RECORD
    try:
        files = json.loads(path.read_text("utf-8"))["files"]
        is_inside = all(".." not in Path(name).parts and not Path(name).is_absolute() for name in files)
        if is_inside and all(isinstance(digests, list) for digests in files.values()):
            return dict(files)
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        pass
    raise RsforgeError("RSF-D006", f"{RECORD} is damaged", where=str(path), fix="remove it with the folders beside it")


def _refuse_foreign(root: Path, folders: set[str], own: Set[str]) -> None:
    """RSF-U004 for images in the output that no run wrote: they would be trained on without a caption."""
    foreign = []
    for folder in sorted(folders):
        for path in sorted((root / folder).glob("*")):
            name = path.relative_to(root).as_posix()
            if path.suffix.lower() in SUFFIXES and name not in own and not durable.is_temporary(path):
                foreign.append(name)
    if foreign:
        what = f"{count_noun(len(foreign), 'other image')} {agree(len(foreign), 'lies', 'lie')} in {root}"
        found = ", ".join(foreign[:5])
        fix = "move them away, or name another --output-dir"
        raise RsforgeError("RSF-U004", what, where=str(root), found=found, fix=fix)


def _find_new(root: Path, planned: Digests, before: Record, console: Console) -> list[str]:
    """The files to write.

    A file that a user changed is kept as long as its source is the same; RSF-U004 when both have changed.
    """
    present = {name: _file_sha256(root / name) for name in planned}
    changed = [
        name for name, digest in present.items() if digest and digest not in (planned[name], *before.get(name, []))
    ]
    kept = [name for name in changed if planned[name] in before.get(name, [])]
    lost = sorted(set(changed) - set(kept))
    if lost:
        what = "files that were made or changed by hand would be replaced"
        fix = "move them away, then run this again"
        raise RsforgeError("RSF-U004", what, where=str(root), found=", ".join(lost[:5]), fix=fix)
    for name in kept:
        console.warn(f"{name} was changed since: left as it is; remove it to have it made again")
    return [name for name, digest in present.items() if digest != planned[name] and name not in kept]


def _write_files(
    settings: ClassesSettings, index: ClassIndex, new: list[str], texts: Mapping[str, str], console: Console
) -> None:
    root = settings.output_dir
    sources = {image.path.name: image.path for image in index.images}
    sources |= {mask.name: mask for path in sources.values() if (mask := find_mask(path))}
    with console.progress("files", len(new)) as meter:
        for name in new:
            target = root / name
            target.parent.mkdir(exist_ok=True)
            if name in texts:
                durable.write_text(target, texts[name])
            elif settings.copy_files:
                durable.write_bytes(target, sources[target.name].read_bytes())
            else:
                durable.link_or_copy(sources[target.name], target)
            meter.step()


def _remove_stale(root: Path, stale: list[str], before: Record, console: Console) -> int:
    """Remove files of earlier runs without a source, unless they were changed since; returns their number."""
    removed = 0
    for name in stale:
        digest = _file_sha256(root / name)
        if not digest:
            continue
        if digest in before[name]:
            (root / name).unlink()
            removed += 1
            console.say(f"removed    {name}: its source file no longer exists")
        else:
            console.warn(f"{name} has no source any more and was changed since: left there")
    return removed


def _write_record(root: Path, files: Record) -> None:
    value = {"format": "rsforge-classes", "version": 2, "files": dict(sorted(files.items()))}
    _write_if_changed(root / RECORD, (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode())


def _write_figure(settings: ClassesSettings, index: ClassIndex, names: Mapping[int, str]) -> Path:
    path = settings.figs_dir / FIGURE
    path.parent.mkdir(parents=True, exist_ok=True)
    leftovers.sweep_for([path])
    _write_if_changed(path, draw_class_figure(index, names))
    return path


def _write_if_changed(path: Path, data: bytes) -> None:
    if _file_sha256(path) != _sha256(data):
        durable.write_bytes(path, data)


def _file_sha256(path: Path) -> str:
    """The SHA-256 of a file; empty when there is none."""
    return _sha256(path.read_bytes()) if path.is_file() else ""


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
