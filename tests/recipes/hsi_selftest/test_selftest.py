"""``rsforge hsi selftest`` with few bands."""

from __future__ import annotations

import json
import math

import pytest
import torch

from rsforge.engine import checkpoint
from rsforge.errors import RsforgeError
from rsforge.recipes.console import SilentConsole
from rsforge.recipes.hsi.load import load_spatial
from rsforge.recipes.hsi_selftest import selftest
from rsforge.recipes.training.run import fit
from rsforge.settings.hsi_selftest import SelftestSettings
from rsforge.tasks import hsi_spatial
from tests.worlds.commands import rsforge
from tests.worlds.spectral_patches import edit

LINES = (
    "✓ Stage 1 pipeline test passed!\n✓ Stage 2 pipeline test passed!\n✓ All tests passed! Ready to start training.\n"
)
LINE = "hsi selftest --drawn-bands 12 --device cpu"


def test_it_prints_the_three_lines_of_the_document_alone(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.chdir(tmp_path)
    assert rsforge(LINE) == 0
    ran = capsys.readouterr()
    assert ran.out == LINES and "34 x 34 to 12 bands of 255 x 255" in ran.err
    assert list(tmp_path.iterdir()) == []


def test_figures_are_told_to_programs(capsys):
    assert rsforge(f"{LINE} --json --quiet --seed 1") == 0
    ran = capsys.readouterr()
    report = json.loads(ran.out)
    assert ran.err == "" and report["message"] == LINES.splitlines()[2]
    assert report["stage1"]["input"] == [2, 7, 30, 30] and report["stage1"]["output"] == [2, 12, 30, 30]
    assert report["stage2"]["input"] == [1, 12, 34, 34] and report["stage2"]["output"] == [1, 12, 255, 255]
    for stage in ("stage1", "stage2"):
        assert 0 < report[stage]["loss_after"] < report[stage]["loss_before"]


def test_patches_of_a_folder_are_tested_as_they_are(scenes, capsys):
    before = sorted(scenes.rglob("*"))
    assert rsforge("hsi selftest --data-dir {} --json --quiet", scenes) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["stage1"]["input"] == [2, 3, 30, 30] and report["stage2"]["output"] == [1, 12, 255, 255]
    assert sorted(scenes.rglob("*")) == before


def test_unusable_patches_are_named(scenes, tmp_path, capsys):
    assert rsforge("hsi selftest --data-dir {}", tmp_path / "nowhere") == 3
    assert "stage 1 pipeline test: no HDF5 files" in capsys.readouterr().err
    scene = tmp_path / "a/x.h5"
    scene.parent.mkdir()
    scene.write_bytes((scenes / "a/test_patches.h5").read_bytes())
    edit(scene, "aviris", (0, 15, 15, 3), float("nan"))
    assert rsforge("hsi selftest --data-dir {}", tmp_path) == 3
    ran = capsys.readouterr()
    assert "RSF-D008" in ran.err and "stage 1" in ran.err and ran.out == ""


def test_a_step_that_moves_nothing_fails_the_stage(monkeypatch, capsys):
    monkeypatch.setattr(torch.optim.Adam, "step", lambda self, closure=None: None)
    assert rsforge(LINE) == 5
    ran = capsys.readouterr()
    assert "RSF-T003" in ran.err and "stage 1 pipeline test: the step moved no weight" in ran.err and ran.out == ""


def test_a_checkpoint_that_cannot_be_read_fails_the_stage_after_the_first_passed(monkeypatch, capsys):
    def tear(path, device):
        path.write_bytes(b"torn")
        return load_spatial(path, device)

    monkeypatch.setattr(selftest, "load_spatial", tear)
    assert rsforge(f"{LINE} --json") == 4
    ran = capsys.readouterr()
    passed, error = json.loads(ran.out), json.loads(ran.err.splitlines()[-1])
    assert list(passed) == ["stage1"] and passed["stage1"]["message"] == LINES.splitlines()[0]
    assert error["code"] == "RSF-C003" and error["message"].startswith("stage 2 pipeline test")


def run_spatial(folder, seed=0):
    return selftest.run_spatial(SelftestSettings(seed=seed, device="cpu"), 8, folder, SilentConsole())


@pytest.mark.parametrize("seed", range(2))
def test_the_second_stage_learns_with_any_seed(tmp_path, seed):
    report = run_spatial(tmp_path, seed)
    assert report["loss_after"] < report["loss_before"]


def test_the_second_stage_is_trained_as_by_its_command(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(selftest, "fit", lambda method, training, console: seen.append(fit(method, training, console)))
    run_spatial(tmp_path)
    assert seen[0]["steps"] == 1 and (tmp_path / "stage2/settings.json").exists()
    assert checkpoint.load(tmp_path / "stage2/latest_model.pth")["kind"] == "hsi-spatial"


def test_an_output_of_another_size_fails_the_stage(monkeypatch, tmp_path):
    def load_other(path, device):
        model = load_spatial(path, device)
        real = model.network.forward
        model.network.forward = lambda *x: real(*x) if torch.is_grad_enabled() else real(*x)[..., 3:]
        return model

    monkeypatch.setattr(selftest, "load_spatial", load_other)
    monkeypatch.setattr(hsi_spatial, "spatial_loss", lambda output, target, **named: (output.mean(), {}))
    with pytest.raises(RsforgeError) as caught:
        run_spatial(tmp_path)
    assert caught.value.code == "RSF-B001" and "252" in caught.value.found


def test_a_loss_that_is_not_finite_fails_the_stage(monkeypatch, tmp_path):
    real = hsi_spatial.spatial_loss
    monkeypatch.setattr(hsi_spatial, "spatial_loss", lambda *given, **named: (real(*given, **named)[0] * math.nan, {}))
    with pytest.raises(RsforgeError) as caught:
        run_spatial(tmp_path)
    assert caught.value.code == "RSF-T001"


def test_what_was_not_drawn_need_not_be_learnable():
    selftest.require_learning(1.0, 1.0, moved=True, drawn=False)
    with pytest.raises(RsforgeError, match="did not fall"):
        selftest.require_learning(1.0, 1.0, moved=True, drawn=True)
