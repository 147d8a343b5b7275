"""``rsforge diffusion train``: what its checkpoints say of how it was judged, and go on with."""

from __future__ import annotations

import shutil

import pytest
import torch

from tests.worlds.commands import DIFFUSION, DRAWS, rsforge

LINE = f"diffusion train --vae {{}} --image-dir {{}} --output-dir {{}} {DIFFUSION.removesuffix(DRAWS)}"


@pytest.mark.parametrize(("options", "draws"), [("", 172), ("--validation-draws 6", 6)])
def test_a_run_goes_on_with_the_draws_of_its_validation(job, tmp_path, capfd, options, draws):
    where = (job.vae / "best_model.pt", job.tiles, tmp_path / "models")
    assert rsforge(f"{LINE} {options} --epochs 1", *where) == 0
    assert torch.load(where[2] / "latest_model.pt", weights_only=True)["validation_draws"] == draws
    shutil.copytree(where[2], tmp_path / "other")
    other = (*where[:2], tmp_path / "other")
    assert rsforge(f"{LINE} --validation-draws 8 --epochs 2 --resume", *other) == 4
    assert "RSF-C008" in capfd.readouterr().err
    assert rsforge(f"{LINE} {options} --epochs 2 --resume", *where) == 0
    assert torch.load(where[2] / "latest_model.pt", weights_only=True)["validation_draws"] == draws
