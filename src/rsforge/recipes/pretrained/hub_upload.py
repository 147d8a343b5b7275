"""A finished model sent to the Hugging Face hub; whatever happens there, the folder stays as it is."""

from __future__ import annotations

import os
import re
import shlex
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


_PART = r"(?![-.])[A-Za-z0-9_.-]{1,96}(?<![-.])"
_HUB_ID = re.compile(rf"(?!.*(--|\.\.))({_PART}/)?{_PART}(?<!\.git)")
"""What the hub takes as a name, as huggingface_hub checks it."""


def check_push(name: str, folder: Path) -> None:
    """Before any work: RSF-U005 for an id that the hub refuses, RSF-E006 without ``hub``, RSF-E013 without a login."""
    wanted = resolve_name(name, folder)
    if not _HUB_ID.fullmatch(wanted):
        of_folder = ", that of the output folder," if name == AUTO else ""
        raise RsforgeError(
            "RSF-U005", f"the name{of_folder} cannot be that of a model of the hub", where=OPTION, found=wanted,
            fix=f"name one with {OPTION} OWNER/NAME: each of at most 96 letters, digits, -, _ and ., with no - or . at "
            "an end, no -- or .., and no .git at the end",
        )  # fmt: skip
    if import_hub(OPTION).get_token() is None:
        what, fix = f"{name} cannot be pushed without a login", "log in with `hf auth login`, or set HF_TOKEN"
        raise RsforgeError("RSF-E013", what, where=OPTION, fix=fix)


def resolve_name(name: str, folder: Path) -> str:
    """The id that ``name`` means for the model of ``folder``."""
    return folder.resolve().name if name == AUTO else name


def push_folder(folder: Path, name: str, files: Sequence[str], *, private: bool, console: Console) -> dict[str, Any]:
    """Send ``files`` of ``folder`` to the model ``name``, made where there is none, as one commit; its address.

    Weights that arrived in an earlier attempt are not sent again. RSF-E013 where the hub refuses or does not answer:
    nothing of the folder is changed, and the hub's model is as it was before.
    """
    hub = import_hub(OPTION)
    own = [file for file in files if (folder / file).is_file()]
    wanted = resolve_name(name, folder)
    with without_bars(hub), _explain_failures(wanted, folder, private=private):
        api = hub.HfApi(
            endpoint=os.environ.get("HF_ENDPOINT") or None, library_name="rsforge", library_version=__version__
        )
        repository = api.create_repo(wanted, private=private or None, exist_ok=True).repo_id
        console.say(f"push       {len(own)} files to {repository}")
        message = f"Upload a model of rsforge {__version__}"
        commit = api.upload_folder(repo_id=repository, folder_path=folder, allow_patterns=own, commit_message=message)
    return {"id": repository, "commit": commit.oid, "files": len(own)}


@contextmanager
def _explain_failures(name: str, folder: Path, *, private: bool) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # by its version the library raises the errors of one of three HTTP libraries
        again = ["rsforge", "diffusion", "export", "--pipeline", str(folder), "--output-dir", str(folder), OPTION, name]
        again += ["--hub-private"] if private else []
        cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
        raise RsforgeError(
            "RSF-E013", f"{name} could not be pushed", where=os.environ.get("HF_ENDPOINT") or "huggingface.co",
            found=f"{type(cause).__name__}: {first_line(cause)[:160]}", kept=f"the model is whole in {folder}",
            fix=f"push again: {shlex.join(again)}",
        ) from error  # fmt: skip
