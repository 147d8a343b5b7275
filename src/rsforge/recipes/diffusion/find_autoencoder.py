"""The autoencoder that a diffusion model was trained with, where nobody says where it is."""

from __future__ import annotations

from pathlib import Path

import torch

from rsforge.errors import RsforgeError
from rsforge.models.interfaces import Autoencoder
from rsforge.recipes.inference.checkpoints import LoadedModel
from rsforge.recipes.inference.partners import partner_files
from rsforge.recipes.vae.load import load_autoencoder

ROLE = "vae"


def find_autoencoder(
    checkpoint: Path, trained: LoadedModel, device: torch.device
) -> tuple[Path, Autoencoder, LoadedModel]:
    """The first autoencoder with the weights that ``trained`` names, and its file.

    RSF-C001 where none of the places that it may be at has one, RSF-C006 where only others are found.
    """
    partner = trained.state["partners"][ROLE]
    stored, wanted = partner["path"], partner["digest"]
    others = []
    for path in partner_files(checkpoint, trained.state, ROLE, stored):
        try:
            network, loaded = load_autoencoder(path, device)
        except RsforgeError as error:
            # Beside a diffusion model lie other diffusion models under the name of the autoencoder's file.
            others += [] if error.code == "RSF-C004" else [f"{path}: {error.what}"]
            continue
        if loaded.digest == wanted:
            return path, network, loaded
        others.append(f"{path}: weights {loaded.digest[:12]}, trained with {wanted[:12]}")
    if not others:
        raise RsforgeError(
            "RSF-C001", f"the autoencoder of {checkpoint} is neither beside it nor at {stored}", where=str(checkpoint),
            fix="name it with --vae; where it is lost, run `rsforge vae train` and then `rsforge diffusion train`",
        )  # fmt: skip
    raise RsforgeError(
        "RSF-C006", f"no autoencoder that was found is the one that {checkpoint} was trained with",
        where=str(checkpoint), found="\n".join(others), fix="name it with --vae",
    )  # fmt: skip
