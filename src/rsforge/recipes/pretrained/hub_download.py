"""Models of the Hugging Face hub, found in the local cache, and downloaded into it where that is asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from rsforge import __version__
from rsforge.data.io.native_output import first_line
from rsforge.errors import RsforgeError, from_os_error
from rsforge.models.pretrained.folder import CLASSES, INDEX
from rsforge.models.pretrained.folder_files import DIFFUSERS, PICKLED, TRANSFORMERS
from rsforge.models.pretrained.hub_cache import ID, MAIN, cache_folder, find_snapshot, resolve_model
from rsforge.recipes.console import Console

TIMEOUT_S = 10.0
INSTALL = 'pip install "rsforge[hub]"'
STEMS = {"text_encoder": TRANSFORMERS, "vae": DIFFUSERS, "unet": DIFFUSERS}


class HubChoice(NamedTuple):
    """What of a model is wanted, and whether it may be downloaded."""

    download: bool = False
    revision: str = MAIN
    variant: str | None = None
    allow_pickle: bool = False


def find_model(model: str | Path, choice: HubChoice, console: Console) -> Path:
    """The file or folder that ``model`` names, or its snapshot in the local cache, downloaded first where asked for.

    RSF-C001 where there is none; RSF-E006 without the extra ``hub`` and RSF-E011 where the download fails.
    """
    name = str(model)
    if not choice.download or Path(name).expanduser().exists() or not ID.fullmatch(name):
        return resolve_model(name, choice.revision)
    if not console.dry_run:
        return download_model(name, choice, console)
    if snapshot := find_snapshot(name, choice.revision):
        return snapshot
    what, fix = f"{name} is not in the cache yet, and a dry run downloads nothing", "leave out --dry-run"
    raise RsforgeError("RSF-C001", what, where=str(cache_folder()), fix=fix)


def list_patterns(choice: HubChoice) -> list[str]:
    """The files that are read of a model: its configurations, and of its weights the chosen kind."""
    patterns = [INDEX, "scheduler/*.json", "tokenizer/*.json", "tokenizer/*.txt"]
    for part in CLASSES:
        patterns.append(f"{part}/config.json")
        stems = {"safetensors": STEMS[part]} | ({"bin": PICKLED[STEMS[part]]} if choice.allow_pickle else {})
        for suffix, stem in stems.items():
            mark = f".{choice.variant}" if choice.variant else ""
            patterns += [f"{part}/{stem}{mark}.{suffix}", f"{part}/{stem}{mark}-[0-9]*.{suffix}"]
            patterns.append(f"{part}/{stem}.{suffix}.index{mark}.json")
    return patterns


def download_model(name: str, choice: HubChoice, console: Console) -> Path:
    """The snapshot of a model, brought up to date; what is there already is not fetched again.

    An interrupted download goes on where it stopped. The address is $HF_ENDPOINT, or that of the hub.
    """
    hub = import_hub("--download")
    console.say(f"download   {name}, {choice.revision}, into {cache_folder()}")
    with without_bars(hub), _explain_failures(name):
        folder = hub.snapshot_download(
            name, revision=choice.revision, cache_dir=cache_folder(), allow_patterns=list_patterns(choice),
            endpoint=os.environ.get("HF_ENDPOINT") or None, etag_timeout=TIMEOUT_S, library_name="rsforge",
            library_version=__version__,
        )  # fmt: skip
    return Path(folder)


def import_hub(option: str) -> Any:
    """The library of the hub, which ``option`` needs; RSF-E006 where it is not installed."""
    try:
        import huggingface_hub
        import huggingface_hub.utils
    except ImportError as error:
        raise RsforgeError(
            "RSF-E006", "the hub needs the package huggingface_hub", where=option, fix=INSTALL
        ) from error
    return huggingface_hub


@contextmanager
def without_bars(hub: Any) -> Iterator[None]:
    """Without the library's own progress bars, which do not know whether anybody looks."""
    shown = not hub.utils.are_progress_bars_disabled()
    hub.utils.disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            hub.utils.enable_progress_bars()


@contextmanager
def _explain_failures(name: str) -> Iterator[None]:
    """RSF-E011 for what the library raises, RSF-E001 and its like for the errors of the disk."""
    try:
        yield
    except Exception as error:  # by its version it raises the errors of one of three HTTP libraries
        if isinstance(error, OSError) and error.errno is not None and not isinstance(error, ConnectionError):
            raise from_os_error(error) from error
        raise RsforgeError(
            "RSF-E011", f"{name} could not be downloaded", where=os.environ.get("HF_ENDPOINT") or "huggingface.co",
            found=f"{type(error).__name__}: {first_line(error)[:160]}",
            kept="what was fetched is in the cache, and the next call goes on from there",
            fix="check the id, the network, and for gated models the login (hf auth login); or name a local folder",
        ) from error  # fmt: skip
