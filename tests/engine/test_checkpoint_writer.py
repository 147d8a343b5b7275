"""Which of several checkpoints is the newest, and what a commit that was cut short still gets."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from rsforge.engine import checkpoint
from rsforge.engine.cadence import Moment
from rsforge.engine.checkpoint_writer import CheckpointNames, CheckpointWriter, list_newest_first
from rsforge.errors import RsforgeError

NAMES = CheckpointNames("checkpoint_{:04d}.pt", weights_only=("net",))


def state_at(step, closed=None, value=1.0):
    nets = {"net": {"w": torch.full((2,), value)}}
    return {"nets": nets, "parts": {}, "progress": {"step": step, "closed": step if closed is None else closed}}


def write(folder, steps):
    for age, (name, step) in enumerate(steps.items()):
        checkpoint.save(folder / name, state_at(step))
        os.utime(folder / name, ns=(age, 10**18 - 10**9 * age))


def order(folder):
    return [(one.path.name, one.step) for one in list_newest_first(folder, NAMES)]


def test_the_newest_is_that_of_the_highest_step_whatever_names_and_times_say(tmp_path):
    steps = {"latest_model.pt": 3, "checkpoint_0009.pt": 2, "checkpoint_0001.pt": 7, "best_model.pt": 5, "other.pt": 9}
    write(tmp_path, steps)
    assert order(tmp_path) == [
        ("checkpoint_0001.pt", 7), ("best_model.pt", 5), ("latest_model.pt", 3), ("checkpoint_0009.pt", 2),
    ]  # fmt: skip


def test_of_equal_steps_what_was_closed_and_then_the_latest_comes_first(tmp_path):
    write(tmp_path, {"checkpoint_0002.pt": 4, "latest_model.pt": 4, "best_model.pt": 4})
    assert [name for name, _ in order(tmp_path)] == ["latest_model.pt", "checkpoint_0002.pt", "best_model.pt"]
    checkpoint.save(tmp_path / "latest_model.pt", state_at(4, closed=3))
    assert [name for name, _ in order(tmp_path)] == ["checkpoint_0002.pt", "best_model.pt", "latest_model.pt"]


def test_what_cannot_be_read_comes_first_because_it_may_be_the_newest(tmp_path):
    write(tmp_path, {"latest_model.pt": 4, "checkpoint_0002.pt": 3})
    (tmp_path / "checkpoint_0002.pt").write_bytes(b"")
    assert order(tmp_path) == [("checkpoint_0002.pt", None), ("latest_model.pt", 4)]
    assert list_newest_first(tmp_path / "nowhere", NAMES) == []


@pytest.mark.parametrize("names", [1, 2, 3])
def test_a_commit_killed_between_its_names_is_finished(tmp_path, monkeypatch, names):
    """Best, periodic, latest: whatever the newest file is, what must come after it is made of it."""
    writer = CheckpointWriter(tmp_path, NAMES, identity={"kind": "toy"}, keep=1)
    writer.commit_closed(lambda: state_at(2), kept=Moment(1), best=True)
    with monkeypatch.context() as patch:
        links = iter(range(names - 1))
        link = checkpoint.durable.link_or_copy
        patch.setattr(
            "rsforge.engine.checkpoint_writer.durable.link_or_copy",
            lambda source, target: (
                link(source, target) if target.suffix == ".pth" else (next(links), link(source, target))
            ),
        )
        if names < 3:
            with pytest.raises(StopIteration):
                writer.commit_closed(lambda: state_at(4), kept=Moment(2), best=True)
        else:
            writer.commit_closed(lambda: state_at(4), kept=Moment(2), best=True)
    writer.complete(list_newest_first(tmp_path, NAMES)[0].path, Moment(2))
    whole = {p.name: checkpoint.load(p)["progress"]["step"] for p in tmp_path.glob("*.pt")}
    assert whole == {"best_model.pt": 4, "checkpoint_0002.pt": 4, "latest_model.pt": 4}


def test_weights_that_are_not_finite_are_not_published_either(tmp_path):
    writer = CheckpointWriter(tmp_path, NAMES, identity={"kind": "toy"})
    with pytest.raises(RsforgeError, match="nets/net/w"):
        writer.commit_closed(lambda: state_at(2, value=float("nan")), best=True)
    assert not list(tmp_path.iterdir())


def test_those_kept_are_of_the_highest_steps_however_they_are_named(tmp_path):
    writer = CheckpointWriter(tmp_path, NAMES, identity={"kind": "toy"}, keep=2)
    strangers = ("checkpoint_mine.pt", "checkpoint_0001.txt")
    for name in strangers:
        (tmp_path / name).touch()
    for step, moment in ((4, Moment(4, "step")), (10, Moment(2)), (100, Moment(20)), (102, Moment(102, "step"))):
        writer.commit_closed(lambda step=step: state_at(step), kept=moment)
    kept = sorted(path.name for path in tmp_path.glob("*.pt"))
    assert kept == ["checkpoint-102.pt", "checkpoint_0020.pt", "checkpoint_mine.pt", "latest_model.pt"]
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == [
        "net_epoch_20.pth", "net_step_102.pth",
    ]  # fmt: skip
    assert (tmp_path / strangers[1]).exists()


def test_one_that_cannot_be_read_is_never_deleted_for_a_newer_one(tmp_path):
    writer = CheckpointWriter(tmp_path, NAMES, identity={"kind": "toy"}, keep=1)
    (tmp_path / "checkpoint_0001.pt").write_bytes(b"damaged")
    for epoch in (2, 3):
        writer.commit_closed(lambda epoch=epoch: state_at(epoch), kept=Moment(epoch))
    assert sorted(path.name for path in tmp_path.glob("checkpoint_*.pt")) == [
        "checkpoint_0001.pt",
        "checkpoint_0003.pt",
    ]


PLACED = CheckpointNames("checkpoints/checkpoint_epoch_{:03d}.pth", by_step="checkpoints/step_{}.pth", latest="l.pth")


def test_periodic_checkpoints_may_have_a_folder_of_their_own(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    writer = CheckpointWriter(tmp_path, PLACED, identity={"kind": "toy"}, keep=2)
    for epoch in (1, 2, 3):
        writer.commit_closed(lambda step=epoch: state_at(step), kept=Moment(epoch))
    names = [path.relative_to(tmp_path).as_posix() for path, _ in list_newest_first(tmp_path, PLACED)]
    assert names == ["l.pth", "checkpoints/checkpoint_epoch_003.pth", "checkpoints/checkpoint_epoch_002.pth"]
    (tmp_path / "l.pth").unlink()
    writer.complete(tmp_path / names[1], Moment(3))
    assert (tmp_path / "l.pth").read_bytes() == (tmp_path / names[1]).read_bytes()


def test_the_folder_of_a_run_is_known_from_any_of_its_checkpoints(tmp_path, monkeypatch):
    run = tmp_path / "run"
    (run / "checkpoints").mkdir(parents=True)
    for name in ("l.pth", "checkpoints/checkpoint_epoch_003.pth", "checkpoints/step_7.pth"):
        assert PLACED.run_folder(run / name) == run
    assert PLACED.run_folder(run / "checkpoints/l.pth") == run / "checkpoints"
    assert NAMES.run_folder(run / "checkpoints/checkpoint_0003.pt") == run / "checkpoints"
    monkeypatch.chdir(run / "checkpoints")
    assert PLACED.run_folder(Path("step_7.pth")).resolve() == run.resolve()


def test_what_accompanies_checkpoints_is_made_once_the_kept_ones_are_settled(tmp_path):
    seen = []
    writer = CheckpointWriter(
        tmp_path, NAMES, identity={"kind": "toy"}, keep=1,
        accompany=lambda: seen.append(sorted(path.name for path in tmp_path.glob("checkpoint_*.pt"))),
    )  # fmt: skip
    writer.commit_closed(lambda: state_at(1))
    writer.commit_closed(lambda: state_at(2), kept=Moment(1))
    writer.commit_closed(lambda: state_at(4), kept=Moment(2))
    assert seen == [["checkpoint_0001.pt"], ["checkpoint_0002.pt"]]
