"""Which weights become versions of an artifact, and that they are copies."""

from __future__ import annotations

from pathlib import Path

import pytest

from rsforge.engine.checkpoint_writer import CheckpointNames
from rsforge.recipes.tracking.wandb_artifacts import Versions
from tests.worlds.trackers import FakeRun


def weights(folder: Path, epoch: int, *, best: bool, periodic: bool) -> None:
    """Write what an epoch writes, each file anew as the keeper does."""
    names = [f"checkpoints/{n}_epoch_{epoch}.pth" for n in ("a", "b") if periodic] + ["a.pth", "b.pth"] * best
    if periodic:
        (folder / f"c_{epoch}.pt").touch()
    (folder / "checkpoints").mkdir(exist_ok=True)
    for name in names:
        (folder / name).unlink(missing_ok=True)
        (folder / name).write_bytes(f"{name[12:] or name}{epoch}"[:1].encode() + b"%d" % epoch)


@pytest.mark.parametrize("offline", [True, False])
def test_versions_are_the_periodic_epochs_and_the_best(tmp_path, monkeypatch, offline):
    """Best in epochs 1 and 3, periodic in 2 and 4: the best between is replaced before anything is logged of it."""
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "wandb"))
    run, names = FakeRun(offline=offline), CheckpointNames("c_{}.pt", weights_only=("a", "b"))
    versions = Versions(run, tmp_path, names, steps_per_epoch=10, name="m")
    for epoch in (1, 2, 3, 4):
        weights(tmp_path, epoch, best=epoch in (1, 3), periodic=epoch in (2, 4))
        versions.add({"epoch": epoch, "step": 10 * epoch, "best": epoch in (1, 3)})
    if offline:
        assert run.artifacts == []
        for net in ("a", "b"):
            (tmp_path / f"checkpoints/{net}_epoch_2.pth").unlink()  # --keep-checkpoints 1
    versions.publish()
    logged = {aliases[0]: (aliases[1:], sorted(files)) for _, aliases, files in run.artifacts}
    expected = ["epoch-3", "epoch-4"] if offline else ["epoch-1", "epoch-2", "epoch-3", "epoch-4"]
    assert list(logged) == expected and all(files == ["a.pth", "b.pth"] for _, files in logged.values())
    assert logged["epoch-3"][0] == ["best"] and logged["epoch-4"][0] == []
    assert run.artifacts[-2][2]["a.pth"].endswith(b"3") and run.artifacts[-1][2]["a.pth"].endswith(b"4")
    weights(tmp_path, 5, best=True, periodic=False)
    staged = tmp_path / "wandb" / "artifacts" / "staging" / "abc-epoch-3" / "a.pth"
    assert staged.read_bytes().endswith(b"3"), "a later best must not change what waits to be sent"


def test_the_start_is_a_version_where_it_is_the_best(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "wandb"))
    run = FakeRun(offline=True)
    names = CheckpointNames("c_{}.pt", weights_only=("a", "b"))
    versions = Versions(run, tmp_path, names, steps_per_epoch=10, name="m")
    for epoch in (0, 1):
        weights(tmp_path, epoch, best=epoch == 0, periodic=epoch == 1)
        versions.add({"epoch": epoch, "step": 10 * epoch, "best": epoch == 0})
    versions.publish()
    assert [aliases for _, aliases, _ in run.artifacts] == [["epoch-0", "best"], ["epoch-1"]]


def test_the_last_epochs_weights_are_a_version_whenever_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "wandb"))
    run = FakeRun(offline=True)
    versions = Versions(
        run, tmp_path, CheckpointNames("c_{}.pt", weights_only=("a", "b")), steps_per_epoch=10, name="m"
    )
    for epoch in (1, 2, 3):
        weights(tmp_path, epoch, best=epoch == 1, periodic=epoch == 3)
        versions.add({"epoch": epoch, "step": 10 * epoch, "best": epoch == 1})
    versions.publish()
    assert [aliases for _, aliases, _ in run.artifacts] == [["epoch-1", "best"], ["epoch-3"]]
