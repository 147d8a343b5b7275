"""A finished model sent to the Hugging Face hub; whatever happens there, the folder stays as it is."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rsforge import __version__
from rsforge.data.io.native_output import first_line
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console
from rsforge.recipes.pretrained.hub_download import import_hub, without_bars

OPTION = "--push-to-hub"
AUTO = "auto"
"""In place of an id: the name of the folder, among the models of who is logged in."""


def check_push(name: str) -> None:
    """Before any work: RSF-E006 without the extra ``hub``, RSF-E013 where nobody is logged in."""
    if import_hub(OPTION).get_token() is None:
        what, fix = f"{name} cannot be pushed without a login", "log in with `hf auth login`, or set HF_TOKEN"
        raise RsforgeError("RSF-E013", what, where=OPTION, fix=fix)


def push_folder(folder: Path, name: str, files: Sequence[str], *, private: bool, console: Console) -> dict[str, Any]:
    """Send ``files`` of ``folder`` to the model ``name``, made where there is none, as one commit; its address.

    Weights that arrived in an earlier attempt are not sent again. RSF-E013 where the hub refuses or does not answer:
    nothing of the folder is changed, and the hub's model is as it was before.
    """
    hub = import_hub(OPTION)
    own = [file for file in files if (folder / file).is_file()]
    wanted = folder.resolve().name if name == AUTO else name
    with without_bars(hub), _explain_failures(wanted, folder):
        api = hub.HfApi(
            endpoint=os.environ.get("HF_ENDPOINT") or None, library_name="rsforge", library_version=__version__
        )
        repository = api.create_repo(wanted, private=private or None, exist_ok=True).repo_id
        console.say(f"push       {len(own)} files to {repository}")
        message = f"Upload a model of rsforge {__version__}"
        commit = api.upload_folder(repo_id=repository, folder_path=folder, allow_patterns=own, commit_message=message)
    return {"id": repository, "commit": commit.oid, "files": len(own)}


@contextmanager
def _explain_failures(name: str, folder: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # by its version the library raises the errors of one of three HTTP libraries
        cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
        raise RsforgeError(
            "RSF-E013", f"{name} could not be pushed", where=os.environ.get("HF_ENDPOINT") or "huggingface.co",
            found=f"{type(cause).__name__}: {first_line(cause)[:160]}", kept=f"the model is whole in {folder}",
            fix=f"push again: rsforge diffusion export --pipeline {folder} --output-dir {folder} {OPTION} {name}",
        ) from error  # fmt: skip
