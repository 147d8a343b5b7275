"""Goal, validation, previews, checkpoints in steps, epochs or minutes; and what a resume makes of them."""

from __future__ import annotations

import os
import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsforge.engine import checkpoint
from rsforge.engine.cadence import NEVER, Cadence, Cadences, Moment
from rsforge.engine.early_stopping import Stopping
from rsforge.engine.journal import read
from rsforge.errors import RsforgeError
from tests.engine.toys import Adapter, Contrastive, Noisy, Remembering, trainer

# Three steps make an epoch of the toys' 22 samples.
PLANS = {
    "steps": {"goal": 11, "save": Cadence(steps=4), "validate": Cadence(steps=2), "preview": Cadence(steps=5)},
    "epochs": {"goal": 12, "save": Cadence(epochs=2), "validate": Cadence(epochs=2), "preview": Cadence(epochs=3)},
    "inside an epoch": {"goal": 8, "save": Cadence(epochs=1), "validate": Cadence(epochs=1)},
    "from the start": {"goal": 6, "save": Cadence(epochs=1), "validate_start": True},
}


def test_a_cadence_is_due_every_so_many_steps_or_epochs():
    assert [n for n in range(1, 13) if Cadence(steps=5).due(n, 3)] == [5, 10]
    assert [n for n in range(1, 13) if Cadence(epochs=2).due(n, 3)] == [6, 12]
    assert not any(NEVER.due(n, 3) for n in range(13)) and not NEVER
    assert not Cadence(steps=5).due(0, 3) and not Cadence(epochs=2).due(0, 3)
    with pytest.raises(ValueError, match="steps or in epochs"):
        Cadence(steps=1, epochs=1)


def test_moments_are_epochs_only_where_one_has_ended():
    assert Cadence(epochs=1).moment(6, 3) == Moment(2)
    assert Cadence(epochs=1).moment(7, 3) == Moment(7, "step")
    assert Cadence(steps=6).moment(6, 3) == Moment(6, "step")


@given(st.integers(1, 50), st.integers(1, 9), st.integers(1, 200))
def test_epochs_are_steps_times_their_length(epochs, per_epoch, step):
    assert Cadence(epochs=epochs).due(step, per_epoch) == Cadence(steps=epochs * per_epoch).due(step, per_epoch)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


class StopAt:
    """Raises the signal inside a step, as the system would."""

    def __init__(self, task, at):
        self.task, self.at, self.calls = task, at, 0

    def __getattr__(self, name):
        return getattr(self.task, name)

    def step(self, batch, context):
        self.calls += 1
        if self.calls == self.at:
            os.kill(os.getpid(), signal.SIGTERM)
        yield from self.task.step(batch, context)


@pytest.mark.parametrize("task", [Noisy, Remembering, Adapter, Contrastive])
@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.replace(" ", "_"))
def test_interrupted_anywhere_and_resumed_is_never_interrupted(tmp_path, plan, task):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    whole.mkdir()
    cut.mkdir()
    options = {"cadences": PLANS[plan], "accumulate": 2, "even": task is Contrastive}
    trainer(whole, task=task(), **options).run()
    for at in (1, 3, 6):
        stopped = trainer(cut, task=task(), **options)
        if (cut / "latest_model.pt").exists():
            stopped.load(checkpoint.load(cut / "latest_model.pt"))
        stopped.update.task = stopped.task = StopAt(stopped.task, at)
        with pytest.raises(RsforgeError) as caught:
            stopped.run()
        assert caught.value.code == "RSF-I143"
    again = trainer(cut, task=task(), **options)
    again.load(checkpoint.load(cut / "latest_model.pt"))
    again.run()
    assert contents(whole) == contents(cut)


def test_a_goal_inside_an_epoch_is_validated_and_kept(tmp_path):
    run = trainer(tmp_path, cadences=PLANS["inside an epoch"])
    progress = run.run()
    assert (progress.step, progress.epoch) == (8, 2)
    rows = [row for row in read(tmp_path / "journal.jsonl") if row.get("closed")]
    assert [(row["step"], row["epoch"], "val/error" in row) for row in rows] == [
        (3, 1, True),
        (6, 2, True),
        (8, 3, True),
    ]
    names = {path.name for path in tmp_path.iterdir()}
    assert {"checkpoint_0001.pt", "checkpoint_0002.pt", "checkpoint-8.pt", "latest_model.pt"} <= names


def test_epochs_without_a_validation_have_their_means_and_are_never_the_best(tmp_path):
    run = trainer(tmp_path, cadences={"goal": 12, "validate": Cadence(epochs=2)})
    run.run()
    rows = [row for row in read(tmp_path / "journal.jsonl") if row.get("closed")]
    assert [(row["epoch"], "val/error" in row) for row in rows] == [(1, False), (2, True), (3, False), (4, True)]
    assert all("loss" in row for row in rows) and not rows[0]["best"] and not rows[2]["best"]


def test_checkpoints_by_steps_have_names_of_their_own_and_are_retained_by_number(tmp_path):
    run = trainer(tmp_path, cadences={"goal": 12, "save": Cadence(steps=4)})
    run.checkpoint_writer.keep = 2
    run.run()
    kept = sorted(path.name for path in tmp_path.glob("checkpoint*"))
    assert kept == ["checkpoint-12.pt", "checkpoint-8.pt"]
    assert checkpoint.load(tmp_path / "checkpoint-8.pt")["progress"]["step"] == 8


class Killed(BaseException):
    """Ends a run as SIGKILL does: nothing after it is executed."""


class FakeClock:
    """A minute passes whenever somebody looks."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        self.now += 60.0
        return self.now


@pytest.mark.parametrize("at", range(2, 40, 3))
def test_a_kill_costs_at_most_the_minutes_between_two_checkpoints(tmp_path, at):
    """An epoch takes far longer than the cadence; each step is 180 s by the clock, the look at it included."""
    clock = FakeClock()
    run = trainer(tmp_path, accumulate=1, cadences={"goal": 60, "save": NEVER, "save_seconds": 600.0})
    run.loader.steps_per_epoch = run.progress.shape[1] = 60
    run.clock = clock
    seen = []
    original = run._step

    def step(micros):
        if run.progress.step == at:
            raise Killed
        seen.append(clock.now)
        original(micros)

    run._step = step
    with pytest.raises(Killed):
        run.run()
    latest = tmp_path / "latest_model.pt"
    saved = checkpoint.load(latest)["progress"]["step"] if latest.exists() else 0
    lost = clock.now - [*seen, clock.now][saved]
    assert saved <= len(seen) and lost <= 600.0 + 240.0  # the cadence, and the step in which it ran out


def test_where_a_timed_checkpoint_falls_changes_nothing_of_the_run(tmp_path):
    for name, seconds in (("often", 1e-9), ("never", 0.0)):
        (tmp_path / name).mkdir()
        trainer(tmp_path / name, cadences={"goal": 8, "save_seconds": seconds}).run()
    assert contents(tmp_path / "often") == contents(tmp_path / "never")


def test_only_minutes_write_the_latest_alone(tmp_path):
    run = trainer(tmp_path, cadences={"goal": 2, "save": NEVER, "save_seconds": 1e-9})
    written = []
    run.checkpoint_writer.commit = lambda state, *names: written.append(names)
    run.run()
    assert written[0] == () and len(written) > 1


def test_nothing_is_compared_before_the_figures_can_be(tmp_path):
    """Best, patience and plateau wait: a run whose rate warms up over nine steps is not ended by its first epochs."""
    run = trainer(tmp_path, epochs=6)
    run.comparable_after = 9
    run.stopping = Stopping(patience=1, delta=9.0, window=2, threshold=0)
    observed = []
    run.rate.observe = observed.append
    progress = run.run()
    rows = [row for row in read(tmp_path / "journal.jsonl") if row.get("closed")]
    assert [row["best"] for row in rows[:4]] == [True] * 4
    assert progress.epoch == 5 and len(observed) == 2
    assert run.best.figure == min(row["val/error"] for row in rows[3:])


def test_figures_read_one_step_late_are_those_read_at_once(tmp_path):
    for name, lag in (("at once", 0), ("late", 1)):
        (tmp_path / name).mkdir()
        run = trainer(tmp_path / name, cadences={"goal": 11, "validate": Cadence(steps=4), "save_seconds": 1e-9})
        run.lag = lag
        run.run()
    assert contents(tmp_path / "at once") == contents(tmp_path / "late")


def test_cadences_by_default_validate_every_epoch_and_keep_nothing_else():
    plan = Cadences(goal=5)
    assert plan.validate == Cadence(epochs=1) and not plan.save and not plan.preview and plan.save_seconds == 0


class Harmful(Noisy):
    """Each step makes its figure worse: the model that the run begins with is the best."""

    def __init__(self):
        super().__init__()
        self.begun = [parameter.detach().clone() for parameter in self.net.parameters()]

    def evaluate(self, batch):
        moved = zip(self.net.parameters(), self.begun, strict=True)
        return {"error": sum((now - then).abs().sum() for now, then in moved)}


def begin(folder, *, compared=True, **options):
    """A run that validates its start, which can be compared or not."""
    folder.mkdir(exist_ok=True)
    plan = {"goal": 8, "save": Cadence(epochs=1), "preview": Cadence(epochs=1), "validate_start": True}
    run = trainer(folder, **{"task": Harmful(), "cadences": plan} | options)
    run.comparable_after = 0 if compared else 3
    return run


def go_on(folder, stored="latest_model.pt"):
    """The same run after the checkpoint ``stored``, or from the start where there is none."""
    run = begin(folder)
    if (folder / stored).exists():
        run.load(checkpoint.load(folder / stored))
        run.checkpoint_writer.complete(folder / stored, run.cadences.kept_moment(run.progress.step, 3, last=False))
    return run


def test_the_start_competes_for_the_best_as_step_0_of_epoch_0(tmp_path):
    run = begin(tmp_path / "start")
    moments = []
    run.preview = lambda moment: moments.append(moment) or {}
    run.run()
    first, *others = read(tmp_path / "start" / "journal.jsonl")
    assert first == {"step": 0, "epoch": 0, "lr": 1e-2, "val/error": 0.0, "best": True, "closed": True}
    closed = [row for row in others if row.get("closed")]
    assert [(row["step"], row["epoch"], row["best"]) for row in closed] == [(3, 1, False), (6, 2, False), (8, 3, False)]
    assert run.best.state_dict() == {"figure": 0.0, "epoch": -1, "step": 0, "comparable": True} and run.best.exists
    assert moments == [Moment(1), Moment(2), Moment(8, "step")]
    assert {path.name for path in (tmp_path / "start").glob("checkpoint*")} == {
        "checkpoint_0001.pt", "checkpoint_0002.pt", "checkpoint-8.pt",
    }  # fmt: skip
    best = checkpoint.load(tmp_path / "start" / "best_model.pt")
    assert best["progress"]["step"] == 0 and not best["parts"]["ema"]["updates"]


def test_the_validation_of_the_start_moves_nothing(tmp_path):
    for name, more in (("start", {}), ("none", {"cadences": {"goal": 8, "save": Cadence(epochs=1)}})):
        begin(tmp_path / name, compared=False, task=Noisy(), **more).run()
    whole, none = (checkpoint.load(tmp_path / name / "latest_model.pt") for name in ("start", "none"))
    rows, others = (read(tmp_path / name / "journal.jsonl") for name in ("start", "none"))
    assert whole["progress"].pop("journal_lines") == none["progress"].pop("journal_lines") + 1
    assert rows[1:] == others and whole["progress"] == none["progress"]
    one, other = (dict(checkpoint.tensors(state)) for state in (whole, none))
    assert one.keys() == other.keys() and all(one[name].equal(other[name]) for name in one)


def test_early_stopping_and_plateau_count_from_the_start(tmp_path):
    run = begin(tmp_path / "run")
    run.stopping = Stopping(patience=2)
    observed = []
    run.rate.observe = observed.append
    assert run.run().step == 6 and observed[0] == 0.0 and len(observed) == 3


def test_a_start_does_not_count_where_figures_can_be_compared_only_later(tmp_path):
    run = begin(tmp_path / "run", compared=False)
    observed = []
    run.rate.observe = observed.append
    run.run()
    rows = [row for row in read(tmp_path / "run" / "journal.jsonl") if row.get("closed")]
    assert [row["best"] for row in rows] == [True, True, True, False] and len(observed) == 2
    assert run.best.step == 6


class Undefined(Noisy):
    """Its figure is no number until a step was made."""

    def evaluate(self, batch):
        moved = self.net[1].num_batches_tracked > 0
        return {"error": super().evaluate(batch)["error"] if moved else float("nan") * batch["x"].sum()}


def test_no_run_ends_before_its_first_step(tmp_path):
    run = begin(tmp_path / "run", task=Undefined())
    run.stopping = Stopping(patience=1)
    progress = run.run()
    first = read(tmp_path / "run" / "journal.jsonl")[0]
    assert progress.step >= 6 and not first["best"] and run.best.step > 0


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """The files of a run whose start was validated, never interrupted."""
    folder = tmp_path_factory.mktemp("begun") / "whole"
    begin(folder).run()
    return contents(folder)


def kill(*given, **named):
    raise Killed


@pytest.mark.parametrize(
    ("place", "kept"),
    [
        ("rsforge.engine.validation.Validation.__call__", set()),
        ("rsforge.engine.checkpoint_writer.CheckpointWriter.commit_closed", set()),
        ("rsforge.durable.link_or_copy", {"best_model.pt"}),
        ("rsforge.engine.train_step.TrainStep.__call__", {"best_model.pt", "latest_model.pt"}),
    ],
    ids=["during the validation", "before its commit", "between the names of its commit", "before the first step"],
)
def test_killed_around_the_validation_of_the_start_a_run_is_never_interrupted(
    tmp_path, begun, monkeypatch, place, kept
):
    folder = tmp_path / "cut"
    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(place, kill)
        begin(folder).run()
    assert {path.name for path in folder.glob("*.pt")} == kept
    stored = "latest_model.pt" if "latest_model.pt" in kept else "best_model.pt"
    go_on(folder, stored).run()
    assert contents(folder) == begun


def test_a_signal_during_the_validation_of_the_start_leaves_it_validated(tmp_path, begun):
    run = begin(tmp_path / "cut")
    validate = run.validation
    run.validation = lambda: os.kill(os.getpid(), signal.SIGTERM) or validate()
    with pytest.raises(RsforgeError) as caught:
        run.run()
    assert caught.value.code == "RSF-I143" and caught.value.kept == "a checkpoint of step 0"
    again = go_on(tmp_path / "cut")
    assert (again.progress.step, again.progress.closed) == (0, 0)
    again.run()
    assert contents(tmp_path / "cut") == begun
