from __future__ import annotations

import json
import math
import os
import signal
import threading

import pytest
import torch

from rsforge.engine import checkpoint
from rsforge.engine.cadence import Cadence
from rsforge.engine.early_stopping import Stopping
from rsforge.engine.journal import read
from rsforge.engine.progress import FORMER_ORDER
from rsforge.engine.task import Turn
from rsforge.errors import RsforgeError
from tests.engine.toys import Noisy, trainer
from tests.worlds import warm_python

FILES = ("latest_model.pt", "best_model.pt", "checkpoint_0002.pt", "checkpoint_0004.pt", "journal.jsonl")


@pytest.mark.parametrize("workers", [0, 2])
def test_killed_anywhere_and_resumed_is_never_interrupted(tmp_path, workers, pytestconfig):
    """SIGKILL, SIGTERM, SIGINT at random moments; all files, byte for byte, are those of an undisturbed run."""
    kills, seed = pytestconfig.getoption("kills"), pytestconfig.getoption("kill_seed")
    words = ["-m", "tests.engine.kill_server", *map(str, (tmp_path, kills, workers, seed))]
    done = warm_python.run(words, timeout=240 + 5 * kills)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["different"] == [] and result["runs"] >= 2
    assert set(result["codes"]) <= {0, -9, -15, -2, 130, 143}


class StopAt(Noisy):
    """Raises the signal inside a step, as the system would."""

    def __init__(self, at, number):
        super().__init__()
        self.calls, self.at, self.number = 0, at, number

    def step(self, batch, context):
        self.calls += 1
        if self.calls == self.at:
            os.kill(os.getpid(), self.number)
        yield from super().step(batch, context)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, "RSF-I130"), (signal.SIGTERM, "RSF-I143")])
@pytest.mark.parametrize("at", [1, 5, 6, 7, 20])
def test_a_signal_ends_the_step_commits_and_says_how_to_go_on(tmp_path, number, code, at):
    (tmp_path / "whole").mkdir()
    (tmp_path / "cut").mkdir()
    trainer(tmp_path / "whole").run()
    with pytest.raises(RsforgeError) as caught:
        trainer(tmp_path / "cut", task=StopAt(at, number), resume_hint="rsforge again").run()
    assert (
        caught.value.code == code and int(caught.value.exit) == int(code[-3:]) and caught.value.fix == "rsforge again"
    )
    again = trainer(tmp_path / "cut")
    again.load(checkpoint.load(tmp_path / "cut" / "latest_model.pt"))
    assert again.progress.step == -(-at // 2)
    again.run()
    for name in FILES:
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "cut" / name).read_bytes(), name


def test_the_handlers_are_given_back(tmp_path):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    trainer(tmp_path, epochs=1).run()
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_it_trains_outside_the_main_thread(tmp_path):
    thread = threading.Thread(target=trainer(tmp_path, epochs=1).run)
    thread.start()
    thread.join(60)
    assert (tmp_path / "latest_model.pt").exists()


def test_a_finished_run_resumed_changes_nothing_and_a_longer_one_goes_on(tmp_path):
    trainer(tmp_path, epochs=2).run()
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    again = trainer(tmp_path, epochs=2)
    again.load(checkpoint.load(tmp_path / "latest_model.pt"))
    again.run()
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before
    longer = trainer(tmp_path, epochs=3)
    longer.load(checkpoint.load(tmp_path / "latest_model.pt"))
    assert longer.run().epoch == 3


def test_previews_and_validation_never_move_the_trajectory(tmp_path):
    def disturbing(moment):
        torch.rand(100)

    for name, options in {
        "plain": {},
        "previewed": {"preview": disturbing, "cadences": {"preview": Cadence(epochs=1)}},
    }.items():
        (tmp_path / name).mkdir()
        trainer(tmp_path / name, **options).run()
    a, b = ((tmp_path / n / "latest_model.pt").read_bytes() for n in ("plain", "previewed"))
    assert a == b


def test_the_number_of_workers_changes_nothing(tmp_path):
    for workers in (0, 2):
        (tmp_path / str(workers)).mkdir()
        trainer(tmp_path / str(workers), workers=workers).run()
    assert (tmp_path / "0" / "latest_model.pt").read_bytes() == (tmp_path / "2" / "latest_model.pt").read_bytes()


def test_validation_repeats_to_the_bit_and_best_is_the_lowest(tmp_path):
    run = trainer(tmp_path)
    run.run()
    assert run.validation() == run.validation()
    rows = [r for r in read(tmp_path / "journal.jsonl") if r.get("closed")]
    figures = [r["val/error"] for r in rows]
    assert [r["best"] for r in rows] == [True, *[f < min(figures[1:i] or [9e9]) for i, f in enumerate(figures)][1:]]
    assert len(rows) == 4 and len(read(tmp_path / "journal.jsonl")) == 4 + 12


class Worsening(Noisy):
    """Its best model is the first that is compared: what best, plateau and stopping remember decides the rest."""

    def evaluate(self, batch):
        return {"error": -super().evaluate(batch)["error"]}


@pytest.mark.parametrize("lost", ["ema", "rate", "best", "stopping", "optimizer/net"])
def test_losing_any_part_of_the_state_would_show(tmp_path, lost):
    """Each part matters: without it the resumed run's files differ, so the tests above can fail."""
    (tmp_path / "whole").mkdir()
    (tmp_path / "cut").mkdir()
    trainer(tmp_path / "whole", task=Worsening()).run()
    trainer(tmp_path / "cut", task=Worsening(), epochs=2).run()
    again = trainer(tmp_path / "cut", task=Worsening())
    parts = again.parts  # kept in their order, which decides the bytes of a file too
    again.parts = {name: part for name, part in parts.items() if name != lost}
    again.load(checkpoint.load(tmp_path / "cut" / "latest_model.pt"))
    again.parts = parts
    again.run()
    same = [(tmp_path / "whole" / n).read_bytes() == (tmp_path / "cut" / n).read_bytes() for n in FILES]
    assert not all(same)


class Poisoned(Noisy):
    """The second step of each epoch is not finite."""

    def step(self, batch, context):
        for turn in super().step(batch, context):
            yield Turn(turn.group, turn.loss * (math.nan if len(batch["x"]) == 3 else 1.0), turn.report)


def test_skipped_steps_stay_out_of_the_means_and_the_journal_is_json(tmp_path):
    run = trainer(tmp_path, task=Poisoned(), accumulate=1)
    run.update.skip_nonfinite = True
    run.run()
    text = (tmp_path / "journal.jsonl").read_text()
    assert "NaN" not in text and '"skipped": true' in text
    assert all(math.isfinite(r["loss"]) for r in read(tmp_path / "journal.jsonl") if r.get("closed"))


def test_another_accumulation_would_be_other_steps_and_is_refused(tmp_path):
    trainer(tmp_path, epochs=1, accumulate=2).run()
    with pytest.raises(RsforgeError) as caught:
        trainer(tmp_path, accumulate=3).load(checkpoint.load(tmp_path / "latest_model.pt"))
    assert caught.value.code == "RSF-C008" and "steps an epoch" in caught.value.found


def test_a_run_of_before_goes_on_in_its_own_order(tmp_path):
    trainer(tmp_path, epochs=1).run()
    state = checkpoint.load(tmp_path / "latest_model.pt")
    state["progress"] = {name: value for name, value in state["progress"].items() if name not in ("closed", "order")}
    again = trainer(tmp_path)
    again.load(state)
    assert again.loader.order == FORMER_ORDER != trainer(tmp_path).loader.order


def test_an_early_stop_is_final_until_its_rules_change(tmp_path):
    def run(patience):
        made = trainer(tmp_path, epochs=9)
        made.stopping = Stopping(patience=patience, delta=9.0, window=2, threshold=0)
        made.parts["stopping"] = made.stopping
        if (tmp_path / "latest_model.pt").exists():
            made.load(checkpoint.load(tmp_path / "latest_model.pt"))
        return made.run()

    assert run(2).epoch == 4 and run(2).epoch == 4  # the first epoch cannot be compared yet
    assert run(0).epoch == 9


def test_a_loss_scale_of_another_device_is_left_aside(tmp_path):
    trainer(tmp_path, epochs=1).run()
    again = trainer(tmp_path, epochs=2)
    again.parts["scaler"] = torch.amp.GradScaler("cpu", enabled=True)
    again.load(checkpoint.load(tmp_path / "latest_model.pt"))
    assert again.progress.epoch == 1
