"""``rsforge data prepare-classes``: images named by class and number become folders by class, with captions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from rsforge import durable
from rsforge.data.captions.resize import shaped
from rsforge.data.images.class_folders import ClassIndex, caption, named, read_class_names, scan_classes
from rsforge.data.io.image_reader import SUFFIXES, decode_rgb, read_bytes
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console
from rsforge.settings.data_captions import ClassesSettings

ALL = "corel_all"
CLASSES = "classes.txt"
CAPTIONS = "captions.json"
RECORD = "prepared.json"
FIGURE = "corel_dataset_samples.png"
SAMPLES, SIDE = 3, 128

Digests = dict[str, str]
Record = dict[str, list[str]]  # of every file, what an earlier run wrote or was about to write


def prepare(settings: ClassesSettings, show: Console) -> dict[str, Any]:
    """Judge all, then copy what is new; RSF-D002 names or pixels, RSF-D006 the list, RSF-U004 files of others."""
    _check_apart(settings)
    index = _scanned(settings, show)
    names = _names(settings, index, show)
    images, texts = _wanted(index, names)
    wanted = images | {name: _sha(text.encode()) for name, text in texts.items()}
    root = settings.output_dir
    before, after = _recorded(root), {name: [digest] for name, digest in wanted.items()}
    stale = sorted(before.keys() - wanted.keys())
    _refuse_foreign(root, {name.split("/")[0] for name in wanted}, before.keys() | wanted.keys())
    new = _new(root, wanted, before, show)
    counts = {f"{n} {names[n]}": sum(image.number == n for image in index.images) for n in index.numbers}
    facts = {"images": len(index.images), "classes": counts, "skipped": len(index.bad), "output_dir": str(root)}
    if show.dry_run:
        return {"files": len(wanted), "removed": len(stale), **facts}
    root.mkdir(parents=True, exist_ok=True)
    with durable.locked(root):
        if new:
            # What is about to be written is recorded first, so that a run after a kill knows it for its own.
            _record(root, {name: [*before.get(name, []), *after.get(name, [])] for name in before | after})
            _write(settings, index, new, texts, show)
        removed = _remove(root, stale, before, show)
        _record(root, after)
    figure = _figure(settings, index, names) if settings.visualize else None
    state = "prepared" if new or removed else "unchanged"
    if state == "unchanged":
        show.say(f"unchanged  {root} holds these images already: nothing to do")
    return {"state": state, "written": len(new), "removed": removed, **facts, "figure": figure and str(figure)}


def _check_apart(settings: ClassesSettings) -> None:
    source, target = settings.data_dir.resolve(), settings.output_dir.resolve()
    if source.is_relative_to(target) or target.is_relative_to(source):
        what, found = "the folder of images and the output folder lie in one another", f"{source}, {target}"
        raise RsforgeError("RSF-U005", what, where="--output-dir", found=found, fix="name an --output-dir apart")


def _scanned(settings: ClassesSettings, show: Console) -> ClassIndex:
    index = scan_classes(settings.data_dir, exclude=settings.output_dir)
    found = "; ".join(f"{name}: {reason}" for name, reason in index.bad[:5])
    found += f"; and {len(index.bad) - 5} more" if len(index.bad) > 5 else ""
    where = str(settings.data_dir)
    if index.bad and (settings.on_bad == "error" or not index.images):
        fix = "convert, repair, rename or remove them, or leave them out by --on-bad skip"
        raise RsforgeError("RSF-D002", f"{len(index.bad)} images cannot be used", where=where, found=found, fix=fix)
    for name, reason in index.bad:
        show.warn(f"left out {name}: {reason}")
    return index


def _names(settings: ClassesSettings, index: ClassIndex, show: Console) -> dict[int, str]:
    path = settings.data_dir / CLASSES
    given = read_class_names(path) if path.exists() else {}
    names, missing = named(index.numbers, given)
    if missing:
        told = ", ".join(f"{n} ({names[n]})" for n in missing)
        why = f"{CLASSES} does not name every class" if given else f"{settings.data_dir} has no {CLASSES}"
        show.warn(f"{why}: generic names for {told}")
    if empty := sorted(given.keys() - set(index.numbers)):
        show.warn(f"{CLASSES} names classes without images: {', '.join(f'{n} ({given[n]})' for n in empty)}")
    return names


def _wanted(index: ClassIndex, names: Mapping[int, str]) -> tuple[Digests, dict[str, str]]:
    """Digest of every image to stand in the output, and text of every caption file, by relative name."""
    images: Digests = {}
    captions: dict[str, dict[str, str]] = {}
    for image in index.images:
        for folder in (ALL, f"class_{image.number:04d}"):
            images[f"{folder}/{image.path.name}"] = image.digest
            captions.setdefault(f"{folder}/{CAPTIONS}", {})[image.path.name] = caption(names[image.number])
    texts = {name: json.dumps(dict(sorted(c.items())), indent=2, ensure_ascii=False) + "\n"
             for name, c in captions.items()}  # fmt: skip
    return images, texts


def _recorded(root: Path) -> Record:
    """Digests of what an earlier run wrote, by relative name; RSF-D006 when the record is damaged."""
    path = root / RECORD
    try:
        files = json.loads(path.read_text("utf-8"))["files"]
        below = all(".." not in Path(name).parts and not Path(name).is_absolute() for name in files)
        if below and all(isinstance(digests, list) for digests in files.values()):
            return dict(files)
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        pass
    raise RsforgeError("RSF-D006", f"{RECORD} is damaged", where=str(path), fix="remove it with the folders beside it")


def _refuse_foreign(root: Path, folders: set[str], own: Set[str]) -> None:
    """RSF-U004 for images in the output that no run wrote: they would be trained on without a caption."""
    there = [p for f in sorted(folders) for p in sorted((root / f).glob("*")) if p.suffix.lower() in SUFFIXES]
    foreign = [n for p in there if (n := p.relative_to(root).as_posix()) not in own]
    if foreign:
        found, fix = ", ".join(foreign[:5]), "move them away, or name another --output-dir"
        raise RsforgeError(
            "RSF-U004", f"{len(foreign)} other images lie in {root}", where=str(root), found=found, fix=fix
        )


def _new(root: Path, wanted: Digests, before: Record, show: Console) -> list[str]:
    """Files to write. What a user changed is kept while its source is the same; RSF-U004 when both changed."""
    there = {name: _digest(root / name) for name in wanted}
    changed = [n for n, digest in there.items() if digest and digest not in (wanted[n], *before.get(n, []))]
    kept = [name for name in changed if wanted[name] in before.get(name, [])]
    if lost := sorted(set(changed) - set(kept)):
        what, fix = "files that were made or changed by hand would be replaced", "move them away, then run this again"
        raise RsforgeError("RSF-U004", what, where=str(root), found=", ".join(lost[:5]), fix=fix)
    for name in kept:
        show.warn(f"{name} was changed since: left as it is; remove it to have it made again")
    return [name for name, digest in there.items() if digest != wanted[name] and name not in kept]


def _write(
    settings: ClassesSettings, index: ClassIndex, new: list[str], texts: Mapping[str, str], show: Console
) -> None:
    root, sources = settings.output_dir, {image.path.name: image.path for image in index.images}
    durable.sweep(root)
    with show.progress("files", len(new)) as meter:
        for name in new:
            target = root / name
            target.parent.mkdir(exist_ok=True)
            if name in texts:
                durable.write_text(target, texts[name])
            elif settings.copy_files:
                durable.write_bytes(target, sources[target.name].read_bytes())
            else:
                durable.alias(sources[target.name], target)
            meter.step()


def _remove(root: Path, stale: list[str], before: Record, show: Console) -> int:
    """Remove what an earlier run wrote and no source is left of, unless somebody changed it since."""
    there = {name: digest for name in stale if (digest := _digest(root / name))}
    gone = [name for name, digest in there.items() if digest in before[name]]
    for name in gone:
        (root / name).unlink()
        show.say(f"removed    {name}: its source is gone")
    for name in sorted(there.keys() - set(gone)):
        show.warn(f"{name} has no source any more and was changed since: left there")
    return len(gone)


def _record(root: Path, files: Record) -> None:
    value = {"format": "rsforge-classes", "version": 2, "files": dict(sorted(files.items()))}
    _write_changed(root / RECORD, (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode())


def _figure(settings: ClassesSettings, index: ClassIndex, names: Mapping[int, str]) -> Path:
    """A row of samples of each class, with its name."""
    from rsforge.data.io import image_writer  # imports torch, which the rest has no need of

    sheet = np.zeros((len(names), SAMPLES, SIDE, SIDE, 3), np.uint8)
    for row, number in enumerate(index.numbers):
        own = [image for image in index.images if image.number == number]
        for column, image in enumerate(own[:SAMPLES]):
            picture = shaped(Image.fromarray(decode_rgb(read_bytes(image.path))), SIDE, "crop")
            if column == 0:
                ImageDraw.Draw(picture).text((4, 2), names[number], "white", stroke_width=1, stroke_fill="black")
            sheet[row, column] = np.asarray(picture)
    path = settings.figs_dir / FIGURE
    path.parent.mkdir(parents=True, exist_ok=True)
    _write_changed(path, image_writer.encode(image_writer.grid(sheet.reshape(-1, SIDE, SIDE, 3), SAMPLES), path.suffix))
    return path


def _write_changed(path: Path, data: bytes) -> None:
    if _digest(path) != _sha(data):
        durable.write_bytes(path, data)


def _digest(path: Path) -> str:
    return _sha(path.read_bytes()) if path.is_file() else ""


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
