"""``dataset.json``: kind and facts of a data set, in its root folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rsforge import durable
from rsforge.data.files.digests import json_digest
from rsforge.errors import RsforgeError

CARD = "dataset.json"
FORMAT = "rsforge-dataset"
VERSION = 1
DIGEST = "digest"
_MAX_BYTES = 1 << 20


def write_card(root: Path, kind: str, **facts: Any) -> None:
    """Write the card of ``root`` with its digest; written last, so that a data set with a card is complete."""
    card = json.loads(json.dumps({"format": FORMAT, "version": VERSION, "kind": kind, **facts}))
    durable.write_json(root / CARD, {**card, DIGEST: json_digest(card)})


def read_card(root: Path) -> dict[str, Any]:
    """The card of ``root``; empty when it has none, or a ``dataset.json`` that rsforge did not write.

    A damaged card, one that is not as its digest says, or one of a newer version raises RSF-D006. Cards of before have
    no digest.
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
    digest = card.pop(DIGEST, None)
    if digest is not None and digest != json_digest(card):
        what = "the card of the data set is not as it was written"
        fix = f"if you changed it yourself, remove its entry {DIGEST!r}; else make the data set again"
        raise RsforgeError("RSF-D006", what, where=str(path), found="its digest does not match", fix=fix)
    if card.get("version") != VERSION or not isinstance(card.get("kind"), str):
        found = f"version {card.get('version')!r}, kind {card.get('kind')!r}"
        raise RsforgeError("RSF-D006", "the card of the data set cannot be used", where=str(path), found=found[:200])
    return card
