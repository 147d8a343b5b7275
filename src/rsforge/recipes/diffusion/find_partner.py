"""The models that a diffusion model was trained with, where nobody says where they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

import torch

from rsforge.errors import RsforgeError
from rsforge.models.interfaces import Autoencoder
from rsforge.recipes.inference.checkpoints import LoadedModel
from rsforge.recipes.inference.partners import partner_files
from rsforge.recipes.vae.load import load_autoencoder

T = TypeVar("T")


class Role(NamedTuple):
    """A model that another was trained with: as checkpoints call it, as people do, its option, and what makes it.

    Without an ``option`` nobody can name it.
    """

    name: str
    noun: str
    option: str
    command: str

    @property
    def remedy(self) -> str:
        return f"name it with {self.option}" if self.option else "put it where it was"


AUTOENCODER = Role("vae", "autoencoder", "--vae", "rsforge vae train")
AUTOENCODER_OF_TEXTS = AUTOENCODER._replace(option="")
"""That of a text-to-image model, which no command takes beside its checkpoint."""
DIVIDED_OTHERWISE = "the autoencoder divided its images otherwise, and may have been trained on these"
"""The doubt about images that judge a model, where its autoencoder was not trained on the model's training side."""
TEXT_ENCODER = Role("clip", "text encoder", "--clip-checkpoint", "rsforge clip train")


def find_partner(
    checkpoint: Path, trained: LoadedModel, role: Role, load: Callable[[Path], tuple[T, LoadedModel]]
) -> tuple[Path, T]:
    """The first model with the weights that ``trained`` names for ``role``, and its file.

    RSF-C001 where none of the places that it may be at has one, RSF-C006 where only others are found.
    """
    partner = trained.state["partners"][role.name]
    stored, wanted = partner["path"], partner["digest"]
    others = []
    for path in partner_files(checkpoint, trained.state, role.name, stored):
        try:
            model, loaded = load(path)
        except RsforgeError as error:
            # Beside a diffusion model lie other diffusion models under the name of the partner's file.
            others += [] if error.code == "RSF-C004" else [f"{path}: {error.what}"]
            continue
        if loaded.digest == wanted:
            return path, model
        others.append(f"{path}: weights {loaded.digest[:12]}, trained with {wanted[:12]}")
    if not others:
        raise RsforgeError(
            "RSF-C001", f"the {role.noun} of {checkpoint} is neither beside it nor at {stored}", where=str(checkpoint),
            fix=f"{role.remedy}; where it is lost, run `{role.command}` and train the model again",
        )  # fmt: skip
    raise RsforgeError(
        "RSF-C006", f"no {role.noun} that was found is the one that {checkpoint} was trained with",
        where=str(checkpoint), found="\n".join(others), fix=role.remedy,
    )  # fmt: skip


def find_autoencoder(
    checkpoint: Path, trained: LoadedModel, device: torch.device, role: Role = AUTOENCODER
) -> tuple[Path, tuple[Autoencoder, LoadedModel]]:
    """The autoencoder that ``trained`` names, and its file; errors as ``find_partner``."""

    def load(path: Path) -> tuple[tuple[Autoencoder, LoadedModel], LoadedModel]:
        network, loaded = load_autoencoder(path, device)
        return (network, loaded), loaded

    return find_partner(checkpoint, trained, role, load)


def check_partner(trained: LoadedModel, partner: LoadedModel, role: Role, *, where: str) -> None:
    """RSF-C006 unless ``trained`` was trained with this very model."""
    wanted = trained.state["partners"][role.name]["digest"]
    if partner.digest != wanted:
        raise RsforgeError(
            "RSF-C006", f"the {role.noun} is not the one that the diffusion model was trained with", where=where,
            found=f"weights {partner.digest[:12]}, trained with {wanted[:12]}",
        )  # fmt: skip
