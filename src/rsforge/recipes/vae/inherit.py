"""What a training on latents takes from its autoencoder where nobody says otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rsforge.engine import checkpoint
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console
from rsforge.recipes.vae.load import VAE_ROLE
from rsforge.settings.sections import DEFAULT
from rsforge.wording import count_noun

DIVISION = ("data_dir", "val_fraction", "split")
FORMER = {"overlap_by_content": False, "test_fraction": 0.0}
"""What divides too, and what checkpoints of before mean that do not say it."""
READING = ("bands", "range", "fill")
INHERITED = (
    "image_size", "settings/run/seed", *(f"settings/data/{name}" for name in DIVISION),
)  # fmt: skip
TAKEN_FROM = "autoencoder"
ORIGIN = f"{DEFAULT}: {TAKEN_FROM}"
WORDS = ("synthetic", "auto", "none")


def inherit(given: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """Image size, folder of images, how they are read and divided, by flat name; and the checkpoint that says so.

    ``given`` are the values that somebody gave. The division goes with its folder: of another one only the size is
    taken. RSF-C001 where the folder is wanted and there is no checkpoint to name it.
    """
    if "vae_checkpoint" not in given:
        return {}, ""
    path = Path(str(given.get("base_dir", ""))) / str(given["vae_checkpoint"])
    if "data_dir" in given and not path.is_file():
        return {}, ""  # the training reports it, with what else is wrong
    state = checkpoint.load_metadata(path, kind="vae", role=VAE_ROLE)
    checkpoint.require(state, INHERITED, where=str(path))
    settings, values = state["settings"], {"image_size": state["image_size"]}
    if _same_folder(given, settings["data"]["data_dir"]):
        division = {name: settings["data"][name] for name in DIVISION}
        division |= {name: settings["data"].get(name, before) for name, before in FORMER.items()}
        division |= find_reading(state)
        values |= division | {"seed": settings["run"]["seed"]}
    if "base_dir" in given:
        values |= {name: _absolute(values[name]) for name in ("data_dir", "split") if name in values}
    return values, f"{TAKEN_FROM} {path}"


def find_reading(state: Mapping[str, Any]) -> dict[str, Any]:
    """How the images were read, by flat name, as far as it was said; percentiles as the numbers that they were."""
    data, view = state["settings"]["data"], state.get("images", {}).get("view", {})
    chosen = {name: data.get(name) for name in READING}
    if chosen["range"]:
        chosen["range"] = view.get("span", chosen["range"])
    return {name: value for name, value in chosen.items() if value not in (None, [], ())}


def check_same_images(state: Mapping[str, Any], images: Mapping[str, Any], console: Console) -> None:
    """RSF-C006 where folder and division were taken from the autoencoder ``state``, and the images are others.

    A relative folder means another one from elsewhere. Who names the folder may add images to it.
    """
    stored = state.get("images", {}).get("split")
    inherited = all(console.origins.get(name, "").startswith(ORIGIN) for name in (*DIVISION, "seed"))
    if inherited and stored is not None and stored != images["split"]:
        before = count_noun(state["images"].get("train", 0), "training image")
        raise RsforgeError(
            "RSF-C006", "the images are not those of the autoencoder, which names their folder", where="--data-dir",
            found=f"{before} then, {images['train']} now, or others",
            fix=f"use --data-dir {state['settings']['data']['data_dir']} to train on what lies there now, "
            "or name the folder of the autoencoder's images",
        )  # fmt: skip


def _same_folder(given: Mapping[str, Any], stored: str) -> bool:
    """Whether the images are those of the autoencoder: its folder, or none that is named."""
    wanted = str(given.get("data_dir", stored))
    base = Path(str(given.get("base_dir", ""))) if "data_dir" in given else Path()
    return wanted == stored or (base / wanted).resolve() == Path(stored).resolve()


def _absolute(place: str) -> str:
    return place if place in WORDS else str(Path.cwd() / place)
