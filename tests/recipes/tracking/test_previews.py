"""Pictures of a run never end it."""

from __future__ import annotations

import pytest

from rsforge.data.synthetic.tile_dataset import write_tiles
from rsforge.engine.cadence import Moment
from rsforge.errors import RsforgeError
from rsforge.recipes.tracking.previews import Preview
from rsforge.recipes.vae import train as vae_train
from tests.worlds.commands import VAE, rsforge
from tests.worlds.consoles import RecordingConsole


def test_a_preview_that_fails_is_warned_of_once_and_the_plot_is_drawn_anyway():
    console, plotted = RecordingConsole(), []

    def draw(moment: Moment):
        raise OSError(28, "No space left on device", "samples/epoch_1.png")

    preview = Preview(draw, lambda: plotted.append(1), console)
    assert preview(Moment(1)) == preview(Moment(2)) == {}
    (line,) = console.warned
    assert "sample pictures" in line and "No space left" in line and len(plotted) == 2


def test_an_interruption_is_no_failure_of_a_preview():
    def draw(moment: Moment):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Preview(draw, lambda: None, RecordingConsole())(Moment(1))


def test_a_training_goes_on_when_its_pictures_fail(tmp_path, monkeypatch, capsys):
    write_tiles(tmp_path / "tiles", 10, 16, 0)
    monkeypatch.setattr(vae_train, "save_labelled_grid", lambda *args, **options: 1 / 0)
    line = f"vae train --data-dir {{}} {VAE} --epochs 2 --sample-every 1 --quiet --output-dir"
    assert rsforge(line + " {}", tmp_path / "tiles", tmp_path / "run") == 0
    err = capsys.readouterr().err
    assert err.count("sample pictures of 1 epoch failed; the training continues: ZeroDivisionError") == 1
    assert "2 epochs failed" not in err and (tmp_path / "run" / "latest_model.pt").is_file()


def test_what_pictures_say_of_the_training_ends_it():
    def draw(moment: Moment):
        raise RsforgeError("RSF-T004", "the image has one colour")

    with pytest.raises(RsforgeError, match="one colour"):
        Preview(draw, lambda: None, RecordingConsole())(Moment(1))
