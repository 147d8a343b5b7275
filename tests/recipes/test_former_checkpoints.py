"""Runs of an earlier format, kept in tests/fixtures: what their own code made of them is made of them today.

Their files are never renewed: a change that does not pass here would break the runs that people have.
"""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from rsforge.engine import checkpoint
from rsforge.engine.journal import read
from tests.fixtures.make_former_runs import DRAW, EVALUATE, LINES, arithmetic, call

FORMER = Path(__file__).parents[1] / "fixtures" / "former_runs"
EXPECTED = FORMER / "expected"
SAME_ARITHMETIC = json.loads((EXPECTED / "arithmetic.json").read_text()) == arithmetic()


@pytest.fixture(autouse=True)
def copy(tmp_path, monkeypatch):
    """The runs in the current folder, as complete as a run leaves them: the best model is the latest."""
    shutil.copytree(FORMER, tmp_path, dirs_exist_ok=True)
    for latest in tmp_path.glob("*/latest_model.pt"):
        shutil.copy(latest, latest.with_name("best_model.pt"))
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def assert_holds(now, then) -> None:
    """``now`` says what ``then`` said, and perhaps more."""
    if isinstance(then, dict):
        assert then.keys() <= now.keys()
        for key, value in then.items():
            assert_holds(now[key], value)
    else:
        assert now == (then if SAME_ARITHMETIC or not isinstance(then, float) else pytest.approx(then, rel=1e-4))


def figures_of(told: dict) -> dict:
    """What was measured of the model itself; what it is compared with is another matter.

    To five digits: means over images are taken in double precision now.
    """
    own = told.get("figures", {}).get("model", told)
    return {name: rounded(own[name]) for name in own if name != "mean_image_mse"}


def rounded(value):
    if isinstance(value, dict):
        return {name: rounded(inner) for name, inner in value.items()}
    return pytest.approx(value, rel=2e-5, abs=2e-6) if isinstance(value, float) else value


@pytest.mark.parametrize("name", LINES)
def test_info_tells_what_it_told(name):
    now, then = (json.loads(text) for text in (call(f"info {name}/latest_model.pt --json"), kept(name, "info.json")))
    if "vae" in then:
        assert now["partners"]["vae"]["digest"] == then.pop("vae")["digest"]
    assert_holds(now, then)


def kept(name: str, file: str) -> str:
    return (EXPECTED / name / file).read_text("utf-8")


@pytest.mark.parametrize("name", EVALUATE)
def test_an_evaluation_has_the_same_figures(name):
    now, then = (json.loads(text) for text in (call(EVALUATE[name]), kept(name, "evaluation.json")))
    figures = figures_of(then)
    assert len(figures) >= 6
    own = {**now["figures"]["model"], **now}
    for figure, value in figures.items():
        assert own[figure] == value, figure


@pytest.mark.parametrize("name", DRAW)
def test_images_are_drawn_and_translated_alike(name, tmp_path):
    (tmp_path / "made").mkdir()
    call(DRAW[name].format("made"))
    then = sorted((EXPECTED / name).rglob("*.png"))
    assert then
    for path in then:
        now = np.asarray(Image.open(tmp_path / "made" / path.relative_to(EXPECTED / name))).astype(int)
        assert abs(now - np.asarray(Image.open(path))).max() <= (0 if SAME_ARITHMETIC else 1)


@pytest.mark.parametrize("name", LINES)
def test_a_resumed_run_goes_where_its_own_code_took_it(name):
    command = json.loads(Path(name, "settings.json").read_text())["command"]
    call(shlex.join([*shlex.split(command)[1:], "--epochs", "4", "--resume"]))
    state, then = checkpoint.load(Path(name, "latest_model.pt")), np.load(EXPECTED / name / "tensors.npz")
    nets = torch.cat([t.float().flatten() for net in state["nets"].values() for t in net.values()])
    torch.testing.assert_close(nets, torch.from_numpy(then["values"]), rtol=1e-4, atol=1e-5)
    now = {place: checkpoint.digest_tensor(tensor) for place, tensor in checkpoint.tensors(state)}
    places = [place.decode() for place in then["places"]]
    assert set(places) <= now.keys()
    if SAME_ARITHMETIC:
        digests = dict(zip(places, map(bytes.hex, map(bytes, then["digests"])), strict=True))
        assert [place for place, digest in digests.items() if now[place] != digest] == []
    for row, former in zip(read(Path(name, "journal.jsonl")), read(EXPECTED / name / "journal.jsonl"), strict=True):
        assert_holds(row, former)
