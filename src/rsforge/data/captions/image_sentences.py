"""Captions in JSON as Karpathy wrote them: images with sentences and sides (RSICD, UCM, Sydney, NWPU)."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from rsforge.data.captions.tables import NO_UNICODE, Line, collect_texts
from rsforge.data.io.image_reader import SUFFIXES
from rsforge.data.names.sides import side_of_word
from rsforge.errors import RsforgeError

FORM = '{"images": [{"filename": "a.jpg", "sentences": [{"raw": "a bridge ."}], "split": "train"}]}'
_SUFFIXES = (*SUFFIXES, ".webp", ".gif")
_NUMBERED = re.compile(r"raw(_\d+)?")
_NAMES = ("filename", "file_name", "image", "name")
_SENTENCES = ("sentences", "captions", "caption", "text", "raw")


def looks_like_json(text: str) -> bool:
    """Whether a text is one JSON object or list, or lines of objects that name images."""
    start = text[: 1 << 16].lstrip()
    if not start.startswith(("{", "[")):
        return False
    with suppress(ValueError, RecursionError):
        json.loads(text)
        return True
    with suppress(ValueError, RecursionError):
        first = json.loads(start.partition("\n")[0])
        return isinstance(first, dict) and bool(set(_NAMES) & first.keys())
    return start.startswith('{"images"')


def read_image_sentences(path: Path, text: str) -> tuple[list[Line], str, dict[str, str]]:
    """The captions, numbered by image from 1, how they were read, and the side of each image that has one.

    RSF-D006 for JSON of another form, or damaged.
    """
    images = _find_images(path, text)
    lines: list[Line] = []
    sides: dict[str, str] = {}
    for number, image in enumerate(images, 1):
        name = next((image[key] for key in _NAMES if isinstance(image.get(key), str)), "")
        folder = image.get("filepath")
        name = f"{folder}/{name}" if isinstance(folder, str) and folder and name else name
        texts, reason = _collect(image)
        lines += [Line(number, name, one, "" if one.strip() else "it has no caption") for one in texts]
        if not texts or not name:
            lines.append(Line(number, name, "", reason if name else "it has no file name"))
        if side := side_of_word(image.get("split")):
            sides[name] = side
    sentence = f"{path.name} is read as JSON of {len(images)} images with {len(lines)} sentences"
    return lines, sentence, sides


def _collect(image: dict[str, Any]) -> tuple[list[str], str]:
    """The sentences of an image, or why there are none; NWPU numbers them: ``raw``, ``raw_1`` to ``raw_4``."""
    given: Any = next((image[key] for key in _SENTENCES if image.get(key)), None)
    if isinstance(image.get("raw"), str):
        given = [image[key] for key in image if _NUMBERED.fullmatch(key) and isinstance(image[key], str)]
    try:
        return collect_texts(given), "it has no caption"
    except UnicodeError:
        return [], NO_UNICODE


def _load(text: str) -> Any:
    """One JSON value, or a list of those that stand a line each."""
    try:
        return json.loads(text)
    except ValueError as error:
        lines = [line for line in text.splitlines() if line.strip()]
        if not all(line.lstrip().startswith("{") for line in lines):
            raise error from None
        return [json.loads(line) for line in lines]


def _find_images(path: Path, text: str) -> list[dict[str, Any]]:
    try:
        record = _load(text)
    except (ValueError, RecursionError) as error:
        raise RsforgeError(
            "RSF-D006", f"{path.name} is damaged JSON", where=str(path), found=str(error)[:200]
        ) from None
    images = record.get("images") if isinstance(record, dict) else record
    if images is None and record and all(str(name).lower().endswith(_SUFFIXES) for name in record):
        return [{"filename": name, "captions": texts} for name, texts in record.items()]
    if images is None and record and all(isinstance(of_class, list) for of_class in record.values()):
        images = [image for of_class in record.values() for image in of_class]  # NWPU has them by class
    if isinstance(images, list) and images and all(isinstance(image, dict) for image in images):
        if any(set(_SENTENCES) & image.keys() for image in images):
            return images
        annotations = record.get("annotations") if isinstance(record, dict) else None
        if isinstance(annotations, list):
            return _join_annotations(images, annotations)
    found = ", ".join(list(record)[:6]) if isinstance(record, dict) else type(record).__name__
    what = f"{path.name} is JSON, but not of images with sentences"
    raise RsforgeError(
        "RSF-D006", what, where=str(path), found=found, fix=f"write {FORM}, or a table of file name, tab, caption"
    )


def _join_annotations(images: list[dict[str, Any]], annotations: list[Any]) -> list[dict[str, Any]]:
    """Images with the captions that COCO's form lists apart from them, by ``image_id``."""
    texts: dict[Any, list[str]] = {}
    for one in annotations:
        if isinstance(one, dict) and isinstance(one.get("caption"), str):
            texts.setdefault(one.get("image_id"), []).append(one["caption"])
    return [{**image, "captions": texts.get(image.get("id"), [])} for image in images]
