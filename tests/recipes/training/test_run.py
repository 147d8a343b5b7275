"""What every training does before and after its steps."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest

from rsforge.data.synthetic.tile_dataset import write_tiles
from rsforge.engine import checkpoint, distributed
from rsforge.errors import Terminated
from rsforge.recipes.console import SilentConsole
from rsforge.recipes.training.run import open_compute
from rsforge.recipes.vae.train import METHOD
from rsforge.settings.base import RunSettings
from tests.worlds.commands import VAE, rsforge


@pytest.fixture
def departures(monkeypatch) -> list[str]:
    left: list[str] = []
    monkeypatch.setattr(distributed, "leave", lambda: left.append("left"))
    return left


@pytest.mark.parametrize(("more_follows", "expected"), [(False, ["left"]), (True, [])])
def test_processes_part_where_no_training_of_theirs_follows(departures, more_follows, expected) -> None:
    with open_compute(RunSettings(device="cpu"), SilentConsole(), more_follows=more_follows) as compute:
        assert compute.world.size == 1 and not departures
    assert departures == expected


@pytest.mark.parametrize("more_follows", [False, True])
def test_after_an_error_nothing_follows(departures, more_follows) -> None:
    with (
        pytest.raises(ValueError, match="broken"),
        open_compute(RunSettings(device="cpu"), SilentConsole(), more_follows=more_follows),
    ):
        raise ValueError("broken")
    assert departures == ["left"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of one epoch, with three sides."""
    place = tmp_path_factory.mktemp("judged")
    write_tiles(place / "tiles", 20, 16, seed=1)
    line = "vae train --data-dir {} --output-dir {} --epochs 1 --test-fraction 0.3 --val-fraction 0.2 "
    assert rsforge(line + VAE, place / "tiles", place / "run") == 0
    return place


def test_the_best_model_is_judged_by_what_chose_nothing(trained):
    told = json.loads((trained / "run" / "judged.json").read_text())
    assert (told["judged"]["side"], told["judged"]["images"]) == ("test", 6)
    assert {"model", "mean_image", "linear_channel"} <= told["judged"]["mse"].keys()
    assert told["verdict"].endswith("on 6 images that chose nothing.")
    line = "vae evaluate --checkpoint {} --data-dir {} --output-dir {} --seed 42 --json"
    assert rsforge(line, trained / "run/best_model.pt", trained / "tiles", trained / "out") == 0
    evaluated = json.loads((trained / "out/evaluation.json").read_text())
    assert evaluated["side"] == "test" and evaluated["images"] == 6
    assert evaluated["figures"]["model"]["mse"]["mean"] == told["judged"]["mse"]["model"]
    assert evaluated["figures"]["linear_channel"]["mse"]["mean"] == told["judged"]["mse"]["linear_channel"]


@pytest.mark.parametrize(("ending", "code"), [(KeyboardInterrupt, 130), (Terminated, 143)])
def test_a_run_that_is_ended_while_it_is_judged_goes_on_there(trained, tmp_path, monkeypatch, capsys, ending, code):
    def end(*_: object) -> dict:
        raise ending

    run = shutil.copytree(trained / "run", tmp_path / "run")
    names = ("judged.json", "best_model.pt", "journal.jsonl")
    before = {name: (run / name).read_bytes() for name in names}
    with monkeypatch.context() as patched:
        patched.setattr("rsforge.recipes.vae.train.METHOD", replace(METHOD, judge=end))
        assert rsforge("vae train --resume {}", run / "latest_model.pt") == code
    said = capsys.readouterr().err
    assert "stopped while the best model was judged" in said and "--resume" in said
    assert not (run / "judged.json").exists()
    assert rsforge("vae train --resume {}", run / "latest_model.pt") == 0
    assert {name: (run / name).read_bytes() for name in names} == before
    said = capsys.readouterr()
    last = said.out.rstrip().splitlines()[-1]
    assert last.startswith("verdict") and "is not better than its baseline" in last
    assert "judged     The model is not better than its baseline" in said.err


def test_a_training_whose_judging_finds_no_memory_ends_well(trained, tmp_path, monkeypatch, capsys):
    def fill(*_: object) -> dict:
        raise MemoryError

    run = shutil.copytree(trained / "run", tmp_path / "run")
    monkeypatch.setattr("rsforge.recipes.vae.train.METHOD", replace(METHOD, judge=fill))
    assert rsforge("vae train --resume {}", run / "latest_model.pt") == 0
    assert "not judged: out of memory" in capsys.readouterr().err and not (run / "judged.json").exists()


def test_a_run_of_before_there_were_three_sides_goes_on_with_two(trained, tmp_path, capsys):
    assert rsforge("vae train --data-dir {} --output-dir {} --epochs 1 --val-fraction 0.2 " + VAE,
                   trained / "tiles", tmp_path / "run") == 0  # fmt: skip
    path = tmp_path / "run" / "latest_model.pt"
    state = checkpoint.load(path)
    assert state["settings"]["data"].pop("test_fraction") is None and "test" not in state["images"]
    checkpoint.save(path, state)
    capsys.readouterr()
    assert rsforge("vae train --resume {} --epochs 2", path) == 0
    assert "judged.side" in (said := capsys.readouterr()).out and "16 train, 4 val" in said.err
