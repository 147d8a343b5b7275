"""SAR diffusion models from their checkpoints: partners found beside them, and none but their own taken."""

from __future__ import annotations

import shutil

import pytest
import torch

from rsforge.engine import checkpoint
from rsforge.errors import RsforgeError
from rsforge.recipes.diffusion.load_sar import ModelFiles, load_sar_model

CPU = torch.device("cpu")


def load(path, **files):
    return load_sar_model(ModelFiles(path, **files), CPU, averaged=True)


def test_partners_are_found_beside_the_model_wherever_it_was_moved(sar_world, tmp_path):
    shutil.copytree(sar_world.model, tmp_path / "moved")
    (tmp_path / "moved" / "partners").mkdir()
    shutil.copy(sar_world.clip, tmp_path / "moved" / "partners" / "clip.pt")
    model = load(tmp_path / "moved" / "best_model.pt")
    assert model.files.clip == tmp_path / "moved" / "partners" / "clip.pt"
    assert model.image_size == 32 and model.template.fields == ("region", "season")


def test_a_model_of_another_kind_is_refused(sar_world):
    with pytest.raises(RsforgeError) as caught:
        load(sar_world.model / "autoencoder" / "best_model.pt")
    assert caught.value.code == "RSF-C004"


@pytest.mark.parametrize(
    ("change", "code"),
    [({"composite": "vv_vh_difference"}, "RSF-C003"), ({"partners": {"vae": {"digest": "", "path": ""}}}, "RSF-C003")],
)
def test_a_checkpoint_that_does_not_say_how_it_draws_is_refused(sar_world, tmp_path, change, code):
    state = checkpoint.load(sar_world.model / "best_model.pt")
    checkpoint.save(tmp_path / "model.pt", state | change)
    with pytest.raises(RsforgeError) as caught:
        load(tmp_path / "model.pt", vae=sar_world.model / "autoencoder" / "best_model.pt", clip=sar_world.clip)
    assert caught.value.code == code
