"""What TensorBoard is given, and what happens when a tracker cannot begin."""

from __future__ import annotations

import resource
from unittest.mock import Mock

import torch

from rsforge.recipes.tracking.listeners import Display, Forgiving, TensorBoard, Tracker
from tests.worlds.consoles import RecordingConsole
from tests.worlds.trackers import RENAMED, ROW, events


def test_epochs_have_the_names_of_the_method(tmp_path):
    board = TensorBoard(tmp_path, step=0, log_every=5, names=RENAMED)
    board.on_step({k: v for k, v in ROW.items() if k != "best"}, 0.1)
    board.on_epoch(ROW, 0.1)
    board.on_pictures({"Examples/Generated_Color": torch.zeros(2, 3, 8, 8)}, 10)
    board.close(0)
    found = events(tmp_path)
    assert set(found.Tags()["scalars"]) == {"Batch/lr", "Batch/Total_G_Loss", "Epoch/lr", "Epoch/Avg_G_Loss"}
    (picture,) = found.Images("Examples/Generated_Color")
    assert (picture.step, picture.width, picture.height) == (10, 16, 8)


def test_settings_are_hyperparameters_and_a_table(tmp_path):
    board = TensorBoard(tmp_path, step=0, log_every=5, names=RENAMED)
    board.describe_run({"learning_rate": 1e-3, "channels": (8, 16), "ema": True}, "Total_G_Loss")
    board.on_epoch(ROW, 0.1)
    board.close(0)
    found = events(tmp_path)
    plugin = found.SummaryMetadata("_hparams_/session_start_info").plugin_data
    assert plugin.plugin_name == "hparams" and b"learning_rate" in plugin.content
    assert b"Epoch/Avg_G_Loss" in found.SummaryMetadata("_hparams_/experiment").plugin_data.content
    (text,) = found.Tensors("settings/text_summary")
    assert b"| channels | (8, 16) |" in text.tensor_proto.string_val[0]


def test_a_new_run_in_the_same_folder_hides_the_one_before(tmp_path):
    for step, loss in ((None, 1.0), (None, 2.0), (1, 3.0)):
        board = TensorBoard(tmp_path, step=step, log_every=1, names={})
        board.on_step({"step": (step or 0) + 1, "epoch": 1, "loss": loss}, 0.1)
        board.close(0)
    assert [(row.step, row.value) for row in events(tmp_path).Scalars("Batch/loss")] == [(1, 2.0), (2, 3.0)]


def test_a_run_that_goes_on_from_its_start_keeps_the_figures_of_the_start(tmp_path):
    for step, row in ((None, {"step": 0, "epoch": 0}), (0, {"step": 1, "epoch": 1})):
        board = TensorBoard(tmp_path, step=step, log_every=1, names={})
        board.on_epoch({**row, "val/loss": 1.0}, 0.1)
        board.close(0)
        (path,) = tmp_path.glob("events*.*")
        path.rename(tmp_path / f"{row['step']}.tfevents.{path.name.rpartition('tfevents.')[2]}")  # read in this order
    assert [row.step for row in events(tmp_path).Scalars("Epoch/val/loss")] == [0, 1]


def test_a_tracker_that_cannot_begin_is_said():
    def refused() -> Tracker:
        raise OSError("no route")

    console = RecordingConsole()
    tracker = Forgiving("TensorBoard", refused, console)
    tracker.on_pictures({}, 1)
    tracker.close(0)
    assert console.warned == [
        "TensorBoard failed and records no more of this run; the training continues: OSError: no route"
    ]


def test_a_full_disk_under_tensorboard_is_said_once_and_without_a_traceback(tmp_path, capfd):
    console, before = RecordingConsole(), resource.getrlimit(resource.RLIMIT_FSIZE)
    board = Forgiving("TensorBoard", lambda: TensorBoard(tmp_path, step=0, log_every=1, names={}), console)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        for step in range(1, 60):
            board.on_step({"step": step, "epoch": 1, "loss": 1.0}, 0.1)
            board.on_epoch(ROW, 0.1)
        board.close(0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    (line,) = console.warned
    assert "the training continues: OSError: [Errno 27] File too large" in line
    assert "Traceback" not in capfd.readouterr().err


def test_the_display_says_the_standard_error_of_the_figure():
    meter = Mock()
    display = Display(meter, epochs=3, monitor="val/loss")
    display.on_epoch({"val/loss": 0.12341, "val/loss_se": 0.0226, "best": True}, 1.0)
    display.on_epoch({"val/loss": 0.5, "best": False}, 1.0)
    assert [call.kwargs["val"] for call in meter.step.call_args_list] == ["0.1234±0.02*", "0.5"]
