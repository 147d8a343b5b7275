"""Small trained models under the names that the document's commands give them."""

from __future__ import annotations

import shutil
from pathlib import Path

FORMER = Path(__file__).parents[1] / "fixtures" / "former_runs"
IMAGES = Path("training_data/corel/corel_all")
# Where each run and folder was when it was trained, and where a user of the document would have it.
TILES, VAE, DIFFUSION = "tiles", "vae_vector", "diffusion_vector"


def lay_out(place: Path) -> None:
    """The runs of the main job and their images in ``place``, where they were when they were trained."""
    for name in (TILES, VAE, DIFFUSION):
        shutil.copytree(FORMER / name, place / name)
    for name in (VAE, DIFFUSION):
        shutil.copy(place / name / "latest_model.pt", place / name / "best_model.pt")


def as_documented(place: Path) -> None:
    """The same under the names of the document, all defaults."""
    lay_out(place)
    (place / VAE).rename(place / "vae_models")
    (place / DIFFUSION).rename(place / "diffusion_models")
