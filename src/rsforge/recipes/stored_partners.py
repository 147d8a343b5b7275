"""The models that a checkpoint was trained with, as it names them, and where copies of them are kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

COPIES = "partners"  # folder of copies beside a checkpoint


def stored_partners(state: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """``{role: {digest, path}}`` of a checkpoint; those of before name one partner under its role alone."""
    if "partners" in state:
        return dict(state["partners"])
    if "vae" not in state:
        return {}
    path = state.get("settings", {}).get("denoiser", {}).get("vae_checkpoint", "")
    return {"vae": {"digest": state["vae"].get("digest", ""), "path": str(path)}}
