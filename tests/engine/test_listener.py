from __future__ import annotations

import torch

from rsforge.engine.cadence import Cadence, Moment
from rsforge.engine.listener import Listener, no_pictures
from tests.engine.toys import trainer


class Recorder(Listener):
    def __init__(self):
        self.heard = []

    def on_step(self, row, seconds):
        self.heard.append(("step", row["step"]))

    def on_pictures(self, pictures, step):
        self.heard.append(("pictures", step, sorted(pictures)))

    def on_epoch(self, row, seconds):
        self.heard.append(("epoch", row["epoch"]))


def test_steps_pictures_and_epochs_are_heard_in_the_order_in_which_they_happen(tmp_path):
    moments = []

    def preview(moment):
        moments.append(moment)
        return {"samples": torch.zeros(1, 3, 2, 2)}

    recorder = Recorder()
    plan = {"goal": 6, "preview": Cadence(epochs=1)}
    trainer(tmp_path, cadences=plan, preview=preview, listeners=(recorder,)).run()
    epochs = [
        [("step", 3 * n + k) for k in (1, 2, 3)] + [("pictures", 3 * n + 3, ["samples"]), ("epoch", n + 1)]
        for n in (0, 1)
    ]
    assert recorder.heard == [*epochs[0], *epochs[1]]
    assert moments == [Moment(1), Moment(2)] and no_pictures(moments[0]) == {}


def test_a_listener_need_not_listen(tmp_path):
    assert trainer(tmp_path, cadences={"goal": 2}, listeners=(Listener(),)).run().step == 2
