from __future__ import annotations

from dataclasses import asdict

import pytest

from rsforge.engine.progress import FORMER_ORDER, Progress, from_state

FORMER = {"journal_lines": 3, "finished": "", "sums": {}, "counted": 0, "shape": [2, 5]}


def test_progress_survives_a_save():
    made = Progress(step=7, epoch=1, closed=7, shape=[1, 5], order="none", sums={"loss": 1.0}, counted=2)
    assert from_state(asdict(made)) == made


@pytest.mark.parametrize(("step", "epoch", "closed"), [(7, 1, 7), (10, 2, 10), (10, 1, 9), (0, 0, 0)])
def test_former_progress_says_by_its_epoch_whether_the_last_step_was_closed(step, epoch, closed):
    progress = from_state({"step": step, "epoch": epoch, **FORMER})
    assert progress.closed == closed and progress.order == FORMER_ORDER
