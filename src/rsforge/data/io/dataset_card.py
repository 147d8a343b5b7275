"""``dataset.json``: kind and facts of a data set, in its root folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rsforge import durable
from rsforge.errors import RsforgeError

CARD = "dataset.json"
FORMAT = "rsforge-dataset"
VERSION = 1
_MAX_BYTES = 1 << 20


def write_card(root: Path, kind: str, **facts: Any) -> None:
    """Write the card of ``root``; written last, so that a data set with a card is complete."""
    durable.write_json(root / CARD, {"format": FORMAT, "version": VERSION, "kind": kind, **facts})


def read_card(root: Path) -> dict[str, Any]:
    """The card of ``root``; empty when it has none, or a ``dataset.json`` that rsforge did not write.

    A damaged card, or one of a newer version, raises RSF-D006.
    """
    path = root / CARD
    if not path.is_file() or path.stat().st_size > _MAX_BYTES:
        return {}
    try:
        card = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise RsforgeError("RSF-D006", "the card of the data set is damaged", where=str(path)) from None
    if not isinstance(card, dict) or card.get("format") != FORMAT:
        return {}
    if card.get("version") != VERSION or not isinstance(card.get("kind"), str):
        found = f"version {card.get('version')!r}, kind {card.get('kind')!r}"
        raise RsforgeError("RSF-D006", "the card of the data set cannot be used", where=str(path), found=found[:200])
    return card
