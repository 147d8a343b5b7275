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

LAUNCH = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]


def launch(folder, count):
    for task in TASKS:
        for name in ("whole", "cut"):
            (folder / task / name).mkdir(parents=True)
    done = subprocess.run(
        [sys.executable, *LAUNCH, str(count), "-m", "tests.engine.several", str(folder), "2"],
        capture_output=True, text=True, timeout=300, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    return launch(tmp_path_factory.mktemp("two"), 2)


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


def test_three_processes_resume_to_the_bit(tmp_path):
    """Buckets that never change their order: with DistributedDataParallel this fails from three processes on."""
    three = launch(tmp_path, 3)
    for name in ("latest_model.pt", "journal.jsonl"):
        assert (three / "noisy" / "whole" / name).read_bytes() == (three / "noisy" / "cut" / name).read_bytes()
