from __future__ import annotations

import shutil

import pytest

from rsforge.engine import checkpoint
from rsforge.errors import RsforgeError
from rsforge.recipes.stored_partners import stored_partners
from rsforge.recipes.training.job import Partner
from rsforge.recipes.training.partners import check_same, copy, describe
from tests.worlds.commands import DIFFUSION, rsforge


def test_a_checkpoint_names_its_partners_by_role(job):
    state = checkpoint.load(job.diffusion / "latest_model.pt")
    [role] = state["partners"]
    assert role == "vae" and len(state["partners"]["vae"]["digest"]) == 64
    assert state["partners"]["vae"]["path"] == str(job.vae / "best_model.pt")


def test_checkpoints_of_before_name_theirs_too():
    former = {"vae": {"digest": "d", "architecture": {}}, "settings": {"denoiser": {"vae_checkpoint": "v.pt"}}}
    assert stored_partners(former) == {"vae": {"digest": "d", "path": "v.pt"}}
    assert stored_partners({}) == {} and stored_partners({"partners": {"clip": {}}, "vae": {}}) == {"clip": {}}


def test_another_partner_is_refused(tmp_path):
    partners = {"vae": Partner(tmp_path / "v.pt", "a" * 64)}
    check_same({"partners": describe(partners)}, partners)
    with pytest.raises(RsforgeError) as caught:
        check_same({"partners": {"vae": {"digest": "b" * 64, "path": ""}}}, partners)
    assert caught.value.code == "RSF-C006" and "another autoencoder" in caught.value.what
    other = {"pretrained": Partner(tmp_path / "sd", "a" * 64)}
    with pytest.raises(RsforgeError, match="another pretrained model") as caught:
        check_same({"partners": {"pretrained": {"digest": "b" * 64, "path": ""}}}, other)
    assert caught.value.fix == "name the pretrained model that it was trained with"


def test_copies_stand_in_the_run_folder_where_they_are_asked_for(job, tmp_path, capfd):
    line = "diffusion train --vae {} --data-dir {} --output-dir {} --max-train-steps 1 "
    own = tmp_path / "vae.pt"
    shutil.copy(job.vae / "best_model.pt", own)
    assert rsforge(line + DIFFUSION, own, job.tiles, tmp_path / "without") == 0
    assert not (tmp_path / "without" / "partners").exists()
    assert rsforge(line + "--copy-partners " + DIFFUSION, own, job.tiles, tmp_path / "with") == 0
    kept = tmp_path / "with" / "partners" / "vae.pt"
    assert kept.read_bytes() == own.read_bytes() and not kept.samefile(own)
    # The autoencoder may be gone by the time the run goes on: its copy is the same.
    own.unlink()
    longer = (line + "--resume " + DIFFUSION).replace("steps 1", "steps 2")
    assert rsforge(longer, own, job.tiles, tmp_path / "with") == 0
    said = capfd.readouterr().err
    assert f"using      {kept}: {own} is gone" in said
    shutil.copy(kept, own)
    # A run that begins afresh in the folder removes what the former one kept there.
    assert rsforge(line + "--overwrite " + DIFFUSION, own, job.tiles, tmp_path / "with") == 0
    assert not kept.exists()


def test_a_copy_over_a_copy_is_the_newer_one(tmp_path):
    for text in ("one", "two"):
        (tmp_path / "v.pt").unlink(missing_ok=True)
        (tmp_path / "v.pt").write_text(text)
        copy({"vae": Partner(tmp_path / "v.pt", "")}, tmp_path)
    assert (tmp_path / "partners" / "vae.pt").read_text() == "two"
