"""Data parallelism, with real gloo processes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from rsforge.engine import checkpoint
from rsforge.engine.distributed import SingleProcess
from tests.engine.several import TASKS, run

GROUPS = {2: list(TASKS), 3: ["noisy"]}


@pytest.fixture(scope="module")
def groups(tmp_path_factory):
    """``COUNT/TASK/whole`` of a run, and ``cut`` of the same interrupted and resumed, by so many processes."""
    base = tmp_path_factory.mktemp("groups")
    for count, tasks in GROUPS.items():
        for task in tasks:
            for name in ("whole", "cut"):
                (base / str(count) / task / name).mkdir(parents=True)
    plan = [f"{count}:{','.join(tasks)}" for count, tasks in GROUPS.items()]
    done = subprocess.run(
        [sys.executable, "-m", "tests.engine.several", str(base), "2", *plan],
        capture_output=True, text=True, timeout=300, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return base


@pytest.fixture(scope="module")
def two(groups):
    return groups / "2"


def nets(path):
    return dict(checkpoint.tensors(checkpoint.load(path)["nets"]))


def test_two_processes_equal_one_at_the_same_global_batch(two, tmp_path):
    run(tmp_path, "regress", SingleProcess(), 4, 2)
    expected, found = nets(tmp_path / "latest_model.pt"), nets(two / "regress" / "whole" / "latest_model.pt")
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    assert (two / "regress" / "whole" / "best_model.pt").exists()


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


@pytest.mark.parametrize("task", ["regress", "noisy", "remembering"])
def test_two_processes_resume_to_the_bit(two, task):
    for name in ("latest_model.pt", "best_model.pt", "journal.jsonl"):
        assert (two / task / "whole" / name).read_bytes() == (two / task / "cut" / name).read_bytes()


def test_three_processes_resume_to_the_bit(groups):
    """Buckets that never change their order: with DistributedDataParallel this fails from three processes on."""
    three = groups / "3"
    for name in ("latest_model.pt", "journal.jsonl"):
        assert (three / "noisy" / "whole" / name).read_bytes() == (three / "noisy" / "cut" / name).read_bytes()
