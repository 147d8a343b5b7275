"""What a run goes on from: the sound checkpoint of the highest step, named with what is lost."""

from __future__ import annotations

import json
import os

import pytest
import torch

from rsforge.engine import checkpoint
from rsforge.errors import RsforgeError
from rsforge.recipes.training.resume import find_newest, last_step, open_named, set_newer_aside, stored_settings
from rsforge.recipes.vae.output_names import VAE as OUTPUTS
from rsforge.recipes.vae.train import METHOD
from tests.worlds.commands import VAE, rsforge
from tests.worlds.consoles import RecordingConsole

LATEST, BEST = OUTPUTS.names.latest, OUTPUTS.names.best
FIRST, SECOND, THIRD = (OUTPUTS.names.periodic.format(k) for k in (1, 2, 3))


@pytest.fixture
def console() -> RecordingConsole:
    return RecordingConsole()


@pytest.fixture
def run(tmp_path):
    """A folder with checkpoints of the steps 10, 20 and 30, the newest of which has the oldest time."""
    for age, (name, step) in enumerate({LATEST: 30, SECOND: 20, FIRST: 10, BEST: 10}.items()):
        write(tmp_path / name, step)
        os.utime(tmp_path / name, ns=(0, 10**18 + 10**9 * age))
    return tmp_path


def write(path, step, *, value=1.0, kind="vae"):
    state = {
        "kind": kind,
        "settings": {"loop": {"epochs": step}, "optim": {}},
        "progress": {"step": step, "closed": step, "shape": [1, 1]},
        "images": {"train": 1},
        "parts": {"stopping": {"best": 1.0, "waited": 0, "recent": [], "rules": []}},
    }
    checkpoint.save(path, {**state, "nets": {"net": {"w": torch.ones(8)}}})
    if value != 1.0:
        raw = torch.load(path, weights_only=True)
        raw["nets"]["net"]["w"].fill_(value)
        raw.pop("digests")
        torch.save({**raw, "digests": checkpoint._digests(raw)}, path)


def damage_tensors(path):
    data = path.read_bytes()
    place = data.index(torch.ones(8).numpy().tobytes())
    path.write_bytes(data[:place] + b"\1" + data[place + 1 :])


def test_the_file_that_is_used_is_named(run, console):
    point = find_newest(run, OUTPUTS, kind="vae", console=console)
    assert (point.path.name, point.step, point.newer) == (LATEST, 30, [])
    assert console.said == [f"resuming   {run / LATEST} at step 30"] and console.warned == []


@pytest.mark.parametrize("damage", ["empty", "zeros", "text", "tensors", "not finite", "short"])
def test_a_newest_that_is_damaged_is_passed_over_and_what_is_lost_is_said(run, console, damage):
    path = run / LATEST
    size = path.stat().st_size
    if damage == "tensors":
        damage_tensors(path)
    elif damage == "not finite":
        write(path, 30, value=float("nan"))
    else:
        path.write_bytes({"empty": b"", "zeros": bytes(size), "text": b"hello"}.get(damage, path.read_bytes()[:900]))
    (run / "journal.jsonl").write_text('{"step": 1}\n{"step": 30}\n{"step": 3')
    point = find_newest(run, OUTPUTS, kind="vae", console=console)
    assert (point.path.name, point.step) == (SECOND, 20)
    assert console.said == [f"resuming   {run / SECOND} at step 20; steps 21 to 30 are trained again"]
    assert len(console.warned) == 1 and LATEST in console.warned[0] and "left aside" in console.warned[0]
    wanted = 20 if damage in ("empty", "zeros", "text", "short") else 30  # settings lie in the sound part of the file
    assert stored_settings(METHOD, run, "auto").settings["loop"] == {"epochs": wanted}


def test_where_all_are_damaged_that_is_the_error(run, console):
    for path in run.glob("*.pt"):
        path.write_bytes(b"")
    with pytest.raises(RsforgeError) as caught:
        find_newest(run, OUTPUTS, kind="vae", console=console)
    assert caught.value.code == "RSF-C002" and len(console.warned) == 4
    with pytest.raises(RsforgeError) as caught:
        find_newest(run / "nowhere", OUTPUTS, kind="vae", console=console)
    assert caught.value.code == "RSF-C001"


def test_another_kind_is_no_damage(run, console):
    write(run / THIRD, 40, kind="diffusion")
    with pytest.raises(RsforgeError) as caught:
        find_newest(run, OUTPUTS, kind="vae", console=console)
    assert caught.value.code == "RSF-C004"


def test_an_older_one_that_is_named_gives_up_the_newer_ones(run, console):
    point = open_named(run / SECOND, OUTPUTS, kind="vae", console=console)
    assert console.said == [f"resuming   {run / SECOND} at step 20; steps 21 to 30 are trained again"]
    set_newer_aside(point, console)
    assert not (run / LATEST).exists() and (run / f"{LATEST}.set-aside").exists() and LATEST in console.said[-1]
    assert find_newest(run, OUTPUTS, kind="vae", console=console).path.name == SECOND
    OUTPUTS.clear(run)
    assert not list(run.iterdir())


@pytest.mark.parametrize("text", ["", "[]\n", "{}\n", '{"step": 1e999}\n', '{"step": 7}\n{"step": "x"}\n', "\x00\x00"])
def test_a_damaged_journal_says_less_and_stops_nothing(tmp_path, text):
    (tmp_path / "journal.jsonl").write_text(text)
    assert last_step(tmp_path) in (0, 7) and last_step(tmp_path / "nowhere") == 0


LINE = f"vae train --data-dir {{}} --output-dir {{}} --epochs 3 --save-every 1 --kl-warmup 0 --report-to none {VAE}"


@pytest.fixture(scope="module")
def whole(job, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "run"
    assert rsforge(LINE, job.tiles, folder) == 0
    return folder


@pytest.mark.parametrize("named", ["", SECOND])
def test_what_is_trained_again_after_damage_is_equal_to_the_byte(whole, job, named, capfd):
    """Also the settings: how the run was called is none of them."""
    before = {p.name: p.read_bytes() for p in [*whole.glob("*.pt"), whole / "journal.jsonl"]}
    for name in () if named else (LATEST, BEST, THIRD):
        (whole / name).unlink()  # it may be one file with others
        (whole / name).write_bytes(b"")
    resume = ["--resume", str(whole / named)] if named else ["--resume"]
    assert rsforge(LINE + " {}" * len(resume), job.tiles, whole, *resume) == 0
    said = capfd.readouterr().err
    step = json.loads((whole / "journal.jsonl").read_text().splitlines()[-1])["step"]
    assert f"{SECOND} at step {step * 2 // 3}; steps {step * 2 // 3 + 1} to {step} are trained again" in said
    assert {name: (whole / name).read_bytes() == data for name, data in before.items()} == dict.fromkeys(before, True)
