from __future__ import annotations

import json

import matplotlib.axes
import matplotlib.figure
from PIL import Image

from rsforge.recipes.tracking.loss_plots import LossPlot, draw
from tests.worlds.consoles import RecordingConsole


def rows(count, **more):
    return [
        {"epoch": n + 1, "step": 10 * (n + 1), "a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0, "val/a": 0.5, **more}
        for n in range(count)
    ]


def lines_drawn(monkeypatch):
    drawn = []
    plot = matplotlib.axes.Axes.plot

    def listen(axes, x, y, **style):
        drawn.append((tuple(x), y[0], style["label"], style["color"], style["linestyle"]))
        return plot(axes, x, y, **style)

    monkeypatch.setattr(matplotlib.axes.Axes, "plot", listen)
    return drawn


def test_every_curve_is_drawn_and_no_two_look_alike(tmp_path, monkeypatch):
    """A fourth one used to vanish."""
    drawn = lines_drawn(monkeypatch)
    names = ["a", "b", "c", "d", "val/a", *"efghij"]
    given = [{**row, **dict.fromkeys("efghij", 9.0)} for row in rows(3)]
    draw(given, {"all": names}, tmp_path / "a.png", marks={})
    assert len(drawn) == len(names) == len({style for *_, colour, line in drawn for style in [(colour, line)]})
    assert {label for _, _, label, *_ in drawn} >= {"a", "d", "held out", "j"}


def test_a_panel_of_one_figure_and_its_held_out_one_names_the_subsets(tmp_path, monkeypatch):
    drawn = lines_drawn(monkeypatch)
    draw(rows(2), {"all": ["a", "val/a"]}, tmp_path / "a.png", marks={"all": 1.0})
    assert [label for _, _, label, *_ in drawn] == ["training", "held out"]
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size[0] > 300


def test_a_term_that_is_switched_off_has_no_panel(tmp_path, monkeypatch):
    drawn = lines_drawn(monkeypatch)
    given = [{**row, "off": 0.0} for row in rows(2)]
    draw(given, {"on": ["a"], "off": ["off"]}, tmp_path / "a.png", marks={})
    assert [label for _, _, label, *_ in drawn] == ["training"]
    draw(given, {"off": ["off"]}, tmp_path / "a.png", marks={})
    assert len(drawn) == 2


def test_several_rows_an_epoch_stand_along_steps(tmp_path, monkeypatch):
    drawn = lines_drawn(monkeypatch)
    several = [{"epoch": 1, "step": step, "a": 1.0} for step in (3, 6, 9)]
    draw(several, {"all": ["a"]}, tmp_path / "a.png", marks={})
    assert drawn[0][0] == (3, 6, 9)


def plotted(journal, path):
    console = RecordingConsole()
    plot = LossPlot(journal, {"all": ["a"]}, path, marks={}, console=console)
    plot()
    plot()
    return console.warned


def test_nothing_is_drawn_before_an_epoch_has_ended(tmp_path):
    assert not plotted(tmp_path / "none.jsonl", tmp_path / "a.png")
    (tmp_path / "journal.jsonl").write_text(json.dumps({"step": 1, "a": 1.0}) + "\n")
    assert not plotted(tmp_path / "journal.jsonl", tmp_path / "a.png")
    assert not (tmp_path / "a.png").exists()


def test_a_plot_names_its_run_its_figures_and_the_best_epoch(tmp_path, monkeypatch):
    figures = []
    save = matplotlib.figure.Figure.savefig
    monkeypatch.setattr(
        matplotlib.figure.Figure, "savefig", lambda self, *args, **kw: figures.append(self) or save(self, *args, **kw)
    )
    given = [{**row, "best": row["epoch"] in (1, 2)} for row in rows(4)]
    draw(given, {"first": ["a", "val/a"], "second": ["unweighted/b"]}, tmp_path / "my run" / "a.png", marks={})
    start = [{"step": 0, "epoch": 0, "val/a": 0.5, "best": True}, *({**row, "best": False} for row in given)]
    draw(start, {"first": ["a", "val/a"]}, tmp_path / "start" / "a.png", marks={})
    figure, of_start = figures
    assert "best (the start)" in of_start.axes[0].get_legend_handles_labels()[1]
    assert of_start.axes[0].get_xlabel() == "epoch"
    assert figure.get_suptitle() == "my run"
    assert [axes.get_ylabel() for axes in figure.axes] == ["a", "b"]
    assert "best (epoch 2)" in figure.axes[0].get_legend_handles_labels()[1]


def test_damaged_lines_are_not_drawn(tmp_path):
    row = json.dumps({"epoch": 1, "step": 1, "a": 1.0, "closed": True}).encode()
    (tmp_path / "journal.jsonl").write_bytes(b"\xff\x00\n" + row + b"\n[1]\n{")
    assert not plotted(tmp_path / "journal.jsonl", tmp_path / "a.png") and (tmp_path / "a.png").exists()


def test_a_plot_that_cannot_be_drawn_is_said_once(tmp_path):
    (tmp_path / "journal.jsonl").write_text(json.dumps({"epoch": 1, "step": 1, "a": "high", "closed": True}) + "\n")
    (tmp_path / "a.png").mkdir()
    (line,) = plotted(tmp_path / "journal.jsonl", tmp_path / "a.png")
    assert line.startswith(f"{tmp_path / 'a.png'} could not be drawn, the run goes on: ")
