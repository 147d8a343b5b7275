"""Data parallelism, with real gloo processes."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch
import torch.distributed as dist

from rsforge.engine import checkpoint
from rsforge.engine.distributed import ProcessGroup, SingleProcess
from rsforge.engine.journal import read
from rsforge.engine.loader import BatchLoader, MicroBatch
from rsforge.engine.lr_schedules import Plateau
from rsforge.errors import RsforgeError
from tests.engine.several import TASKS, run
from tests.engine.toys import CPU, Contrastive, Points, adamw, update
from tests.worlds import warm_python


class Place(SingleProcess):
    def __init__(self, rank, size):
        self.rank, self.size = rank, size


def test_running_statistics_are_the_mean_over_processes_and_gradients_the_sum(monkeypatch):
    """The other one of two processes has zeros."""
    monkeypatch.setattr(dist, "get_rank", lambda: 0)
    monkeypatch.setattr(dist, "get_world_size", lambda: 2)
    monkeypatch.setattr(dist, "all_reduce", lambda values, **options: None)
    group, norm = ProcessGroup(CPU), torch.nn.BatchNorm1d(2)
    norm.running_mean.fill_(4.0)
    group.average_buffers([norm])
    assert norm.running_mean.tolist() == [2, 2] and norm.running_var.tolist() == [0.5, 0.5]
    norm.weight.grad = torch.ones(2)
    group.sum_gradients([norm.weight])
    assert norm.weight.grad.tolist() == [1, 1]


GROUPS = {2: list(TASKS), 3: ["noisy", "adapter", "contrastive"]}


@pytest.fixture(scope="module")
def groups(tmp_path_factory):
    """``COUNT/TASK/whole`` of a run, and ``cut`` of the same interrupted and resumed, by so many processes."""
    base = tmp_path_factory.mktemp("groups")
    for count, tasks in GROUPS.items():
        for task in tasks:
            for name in ("whole", "cut"):
                (base / str(count) / task / name).mkdir(parents=True)
    plan = [f"{count}:{','.join(tasks)}" for count, tasks in GROUPS.items()]
    done = warm_python.run(["-m", "tests.engine.several", str(base), "2", *plan])
    assert done.returncode == 0, done.stderr[-3000:]
    return base


@pytest.fixture(scope="module")
def two(groups):
    return groups / "2"


def nets(path):
    return dict(checkpoint.tensors(checkpoint.load(path)["nets"]))


@pytest.mark.parametrize("task", ["regress", "masked"])
def test_two_processes_equal_one_at_the_same_global_batch(two, task, tmp_path):
    run(tmp_path, task, SingleProcess(), 4, 2)
    expected, found = nets(tmp_path / "latest_model.pt"), nets(two / task / "whole" / "latest_model.pt")
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    assert (two / task / "whole" / "best_model.pt").exists()


def test_two_processes_draw_the_noise_that_one_draws_for_the_same_micro_batches(two, tmp_path):
    run(tmp_path, "steady", SingleProcess(), 4, 2)
    expected, found = nets(tmp_path / "latest_model.pt"), nets(two / "steady" / "whole" / "latest_model.pt")
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_what_is_remembered_by_place_does_not_depend_on_who_took_it(two, tmp_path):
    run(tmp_path, "remembering", SingleProcess(), 4, 2)
    alone, found = (checkpoint.load(f / "latest_model.pt") for f in (tmp_path, two / "remembering" / "whole"))
    assert set(alone["parts"]["own/memory"]) == {0, 1}
    torch.testing.assert_close(found["parts"]["own/memory"], alone["parts"]["own/memory"])
    torch.testing.assert_close(found["nets"], alone["nets"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("task", ["regress", "noisy", "remembering", "adapter", "contrastive"])
def test_two_processes_resume_to_the_bit(two, task):
    for name in ("latest_model.pt", "best_model.pt", "journal.jsonl"):
        assert (two / task / "whole" / name).read_bytes() == (two / task / "cut" / name).read_bytes()


def test_two_processes_validate_the_start_together(two, tmp_path):
    run(tmp_path, "regress", SingleProcess(), 1, 2)
    alone, together = (read(folder / "journal.jsonl")[0] for folder in (tmp_path, two / "regress" / "whole"))
    assert (together["step"], together["best"]) == (0, True)
    assert together["val/error"] == pytest.approx(alone["val/error"], rel=1e-5)


def test_three_processes_resume_to_the_bit(groups):
    """Buckets that never change their order: with DistributedDataParallel this fails from three processes on."""
    three = groups / "3"
    for task in ("noisy", "adapter", "contrastive"):
        for name in ("latest_model.pt", "journal.jsonl"):
            assert (three / task / "whole" / name).read_bytes() == (three / task / "cut" / name).read_bytes()


def test_gathered_negatives_are_those_of_the_whole_batch(two):
    """The first step of two processes, with rows of both as negatives, is that of one process with all rows at once."""
    row = next(row for row in read(two / "contrastive" / "whole" / "journal.jsonl") if row["step"] == 1)
    loader = BatchLoader(Points(22, 0.1), batch_size=4, seed=5, world=Place(0, 2), even=True)
    keys = [key for _, span in loader.slots(0) for key in loader.keys(0, span)]
    x = torch.stack([loader.samples[key]["x"] for key in keys])
    task = Contrastive()
    loss = task.loss(x, lambda rows: rows, 0).detach()
    assert row["loss"] == pytest.approx(float(loss), rel=1e-5)
    halves = [task.loss(part, lambda rows: rows, 0).detach() for part in x.split(len(x) // 2)]
    assert float(sum(halves)) / 2 < float(loss) - 0.1


def test_gathered_rows_carry_the_gradient_of_all_losses(two):
    """Weights after two processes' steps are those after one process's steps on the whole batches."""
    loader = BatchLoader(Points(22, 0.1), batch_size=4, seed=5, world=Place(0, 2), even=True)
    task = Contrastive()
    move = update(task, max_norm=1.0, make_optimizer=adamw)
    rate = Plateau(lambda step: 1e-2 / (1 + step / 10), floor=1e-5, patience=0)
    for step in range(loader.steps_per_epoch):
        keys = [key for _, span in loader.slots(step) for key in loader.keys(step, span)]
        x = torch.stack([loader.samples[key]["x"] for key in keys])
        move([MicroBatch({"x": x}, 1.0, 0, ())], step, rate.at(step)).read()
    [after] = [row for row in read(two / "contrastive" / "whole" / "journal.jsonl") if row["step"] == step + 2]
    keys = [key for _, span in loader.slots(step + 1) for key in loader.keys(step + 1, span)]
    x = torch.stack([loader.samples[key]["x"] for key in keys])
    assert after["loss"] == pytest.approx(float(task.loss(x, lambda rows: rows, 0).detach()), rel=1e-4)


@pytest.mark.skipif(sys.platform != "linux", reason="threads are named by /proc")
def test_no_thread_of_a_group_outlives_it():
    """One that took the interpreter's lock while the interpreter ends would abort the process."""
    command = [sys.executable, "-m", "tests.engine.leaving"]  # a new interpreter, which has imported nothing
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 2
    for line in done.stdout.splitlines():
        within, after = json.loads(line)
        assert [name for name in within if "gloo" in name] and not [name for name in after if "gloo" in name]


@pytest.mark.parametrize("rank", [0, 1])
def test_what_one_process_makes_all_have(monkeypatch, rank):
    """An error of rank 0 ends all of them; the others make nothing."""
    sent = []

    def broadcast(box, src, device):
        box[:] = box if rank == 0 else sent

    monkeypatch.setattr(dist, "get_rank", lambda: rank)
    monkeypatch.setattr(dist, "get_world_size", lambda: 2)
    monkeypatch.setattr(dist, "broadcast_object_list", broadcast)
    group = ProcessGroup(CPU)
    made = RsforgeError("RSF-D004", "nothing")

    def make():
        if rank:
            pytest.fail("it was made again")
        if isinstance(sent[0], RsforgeError):
            raise sent[0]
        return sent[0]

    sent[:] = [[1, 2]]
    assert group.make_once(make) == SingleProcess().make_once(lambda: [1, 2]) == [1, 2]
    sent[:] = [made]
    with pytest.raises(RsforgeError, match="nothing"):
        group.make_once(make)
