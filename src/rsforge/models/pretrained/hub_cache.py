"""Models that Hugging Face's programs have downloaded, found by their id; nothing is fetched."""

from __future__ import annotations

import os
import re
from pathlib import Path

from rsforge.errors import RsforgeError

ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
REVISION = re.compile(r"\w[\w.+@=-]*(/\w[\w.+@=-]*)*")
"""What stays below the folder of references as a path."""
MAIN = "main"


def cache_folder() -> Path:
    """$HF_HUB_CACHE, else the folder ``hub`` of $HF_HOME, else of ~/.cache/huggingface."""
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if value := os.environ.get(variable):
            return Path(value).expanduser()
    caches = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    return Path(os.environ.get("HF_HOME") or caches / "huggingface").expanduser() / "hub"


def find_snapshot(model: str, revision: str = MAIN) -> Path | None:
    """The folder of the downloaded model with this id; None where there is none, and for what is no id.

    ``revision`` is a branch, a tag, a commit or a request (``refs/pr/3``); one with slashes lies in folders of its own.
    """
    if not ID.fullmatch(model) or not REVISION.fullmatch(revision):
        return None
    home = cache_folder() / f"models--{model.replace('/', '--')}"
    reference = home / "refs" / revision
    commit = reference.read_text("utf-8").strip() if reference.is_file() else revision
    snapshot = home / "snapshots" / commit
    return snapshot if commit and Path(commit).name == commit and snapshot.is_dir() else None


def resolve_model(model: str | Path, revision: str = MAIN) -> Path:
    """The file or folder that ``model`` names, or its snapshot in the local cache where it is an id there.

    RSF-C001 where neither is found.
    """
    path = Path(model).expanduser()
    if path.exists():
        return path
    if snapshot := find_snapshot(str(model), revision):
        return snapshot
    found, fix = "no such file or folder", "name a folder, a .safetensors or .ckpt file, or a downloaded id"
    if ID.fullmatch(str(model)):
        found += f"; no models--{str(model).replace('/', '--')} in {cache_folder()}"
        fix = "fetch it with --download, or name a folder or a .safetensors or .ckpt file"
    raise RsforgeError("RSF-C001", "the pretrained model was not found", where=str(model), found=found, fix=fix)
