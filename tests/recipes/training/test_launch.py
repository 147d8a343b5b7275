"""Several processes behave as one: one result, one error, one exit code, and nobody left behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rsforge.data.synthetic.tile_dataset import write_tiles
from rsforge.errors import RsforgeError
from rsforge.recipes.training import launch
from rsforge.settings.base import RunSettings
from tests.worlds.commands import rsforge
from tests.worlds.light_rank import launch_light_ranks

TINY = (
    "--image-size 16 --channels 8,16 --no-perceptual --num-workers 0 --batch-size 8 --jitter 0 --device cpu "
    "--kl-warmup 0 --report-to none --sample-every 100000 --save-every 100000"
)
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="processes are counted by /proc")
SAID = {"where": "", "found": "", "kept": "", "fix": "so"}


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Starts a training of two processes from this one, in its own folder, and ends what is left of it.

    What is done ``meanwhile`` is done by a thread of this process. Answers with the exit code.
    """
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    write_tiles(tmp_path / "tiles", 16, 16, seed=1)

    def start(*words: str, epochs: int = 100_000, meanwhile: Callable[[], None] = lambda: None) -> int:
        line = f"vae train --data-dir {{}} --output-dir {{}} --processes 2 --epochs {epochs} {TINY}"
        with ThreadPoolExecutor() as pool:
            doing = pool.submit(meanwhile)
            try:
                code = rsforge(" ".join([line, *words]), tmp_path / "tiles", tmp_path / "out")
            except SystemExit as ending:  # how a launcher leaves when its processes have ended
                code = int(ending.code or 0)
            doing.result()
        return code

    yield start
    end_members(tmp_path)


def kill_all(child: subprocess.Popen[str], folder: Path) -> None:
    """Kill a launcher and what is left of the run in ``folder``."""
    child.kill()
    child.communicate()
    end_members(folder)


def end_members(folder: Path) -> None:
    for pid in members(folder):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def members(folder: Path) -> list[int]:
    """Living processes of the run in ``folder``, which stands in their command lines."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (place / "cmdline").read_bytes()
            if f"{folder}/out".encode() in words.split(b"\0"):
                found.append(int(place.name))
    return found


def ranks(folder: Path) -> dict[int, int]:
    """Process ids by rank."""
    found = {}
    for pid in members(folder):
        with contextlib.suppress(OSError):
            variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            found |= {int(v[5:]): pid for v in variables if v.startswith(b"RANK=")}
    return found


def until(condition, seconds: float = 180.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def training(folder: Path) -> bool:
    journal = folder / "out" / "journal.jsonl"
    return journal.exists() and len(journal.read_text().splitlines()) > 3


@LINUX
def test_a_signal_to_the_launcher_stops_every_process_with_a_checkpoint(start, tmp_path, capfd):
    groups = set()

    def interrupt() -> None:
        until(lambda: training(tmp_path))
        groups.update(os.getpgid(pid) for pid in members(tmp_path))
        os.kill(os.getpid(), signal.SIGINT)

    code = start("--quiet", meanwhile=interrupt)
    out, err = capfd.readouterr()
    assert groups and os.getpgrp() not in groups, "Ctrl-C would reach them twice"
    assert (code, out) == (130, "")
    assert err.startswith("error[RSF-I130]: ") and len(err.splitlines()) <= 8
    assert err.count("error[") == 1 and "--resume" in err and "Traceback" not in err
    assert (tmp_path / "out" / "latest_model.pt").exists()
    assert members(tmp_path) == []


def wait_for_ranks(folder: Path) -> None:
    until(lambda: len(list((folder / "out").glob("rank *"))) == 2)


@LINUX
def test_sigterm_to_the_launcher_stops_every_process(tmp_path, capfd):
    def terminate() -> None:
        wait_for_ranks(tmp_path)
        os.kill(os.getpid(), signal.SIGTERM)

    with ThreadPoolExecutor() as pool, pytest.raises(RsforgeError) as raised:
        signalling = pool.submit(terminate)
        launch_light_ranks(f"{tmp_path}/out")
    signalling.result()
    assert (raised.value.code, int(raised.value.exit)) == ("RSF-I143", 143)
    assert members(tmp_path) == [] and capfd.readouterr() == ("", "")


@LINUX
def test_nobody_survives_a_launcher_that_was_killed(tmp_path):
    code = "import sys; from tests.worlds import light_rank; light_rank.launch_light_ranks(sys.argv[1])"
    child = subprocess.Popen([sys.executable, "-c", code, f"{tmp_path}/out"])
    try:
        wait_for_ranks(tmp_path)
        assert len(members(tmp_path)) == 4
        child.kill()
        child.wait()
        until(lambda: not members(tmp_path), seconds=5)
    finally:
        kill_all(child, tmp_path)


@LINUX
def test_a_process_that_was_killed_is_told(start, tmp_path, capfd):
    def kill_one() -> None:
        until(lambda: training(tmp_path))
        os.kill(ranks(tmp_path)[1], signal.SIGKILL)

    code = start("--json", meanwhile=kill_one)
    out, err = capfd.readouterr()
    assert (code, out) == (6, "")
    told = json.loads(err.splitlines()[-1])
    assert (told["code"], told["found"]) == ("RSF-E009", "rank 1 by SIGKILL")
    assert "Traceback" not in err and err.count('"code"') == 1


def test_the_launcher_hands_on_one_result(start, tmp_path, capfd):
    code = start("--json", "--quiet", epochs=1)
    out, err = capfd.readouterr()
    assert (code, err) == (0, "")
    assert json.loads(out)["epochs"] == 1 and (tmp_path / "out" / "best_model.pt").exists()


def test_an_error_that_all_met_is_told_by_the_launcher_alone(tmp_path, capfd):
    with pytest.raises(RsforgeError, match="refused") as raised:
        launch_light_ranks(f"{tmp_path}/out", "RSF-U004")
    assert (raised.value.code, int(raised.value.exit)) == ("RSF-U004", 2)
    assert capfd.readouterr() == ("", "")


def left(folder: Path, rank: int, code: str, at: float) -> None:
    path = folder / f"{rank}.json"
    path.write_text(json.dumps({"code": code, "message": f"rank {rank}", **SAID}))
    os.utime(path, (at, at))


@pytest.mark.parametrize(
    ("words", "code", "who"),
    [
        ([(0, "RSF-D002", 2), (1, "RSF-D003", 1)], "RSF-D003", 1),
        ([(0, "RSF-E009", 1), (1, "RSF-D002", 2)], "RSF-D002", 1),
        ([(0, "RSF-E009", 1), (1, "RSF-B001", 2)], "RSF-B001", 1),
        ([(0, "RSF-I130", 2), (1, "RSF-I143", 1)], "RSF-I130", 0),
        ([(0, "RSF-T001", 1), (10, "RSF-I143", 2), (2, "RSF-I143", 3)], "RSF-I143", 2),
    ],
)
def test_causes_are_told_before_consequences_and_stops_by_rank(tmp_path, words, code, who):
    for word in words:
        left(tmp_path, *word)
    with pytest.raises(RsforgeError) as raised:
        launch.ending(tmp_path, 1, [])
    assert (raised.value.code, raised.value.what, raised.value.fix) == (code, f"rank {who}", "so")


def test_an_ending_without_an_error_of_a_process(tmp_path):
    assert launch.ending(tmp_path, 0, []) == 0
    assert launch.ending(tmp_path, 1, [signal.SIGTERM, signal.SIGINT]) == 143
    (tmp_path / "failed").write_text("TimeoutError: nobody came")
    with pytest.raises(RsforgeError) as raised:
        launch.ending(tmp_path, 1, [])
    assert (raised.value.code, raised.value.found) == ("RSF-B001", "TimeoutError: nobody came")
    for rank, code, at in ((0, 0, 1), (1, 7, 3), (2, 5, 2)):
        (tmp_path / str(rank)).write_text(str(code))
        os.utime(tmp_path / str(rank), (at, at))
    assert launch.ending(tmp_path, 1, []) == 5
    left(tmp_path, 0, "RSF-E009", 1)
    (tmp_path / "died").write_text("rank 1 by SIGKILL")
    with pytest.raises(RsforgeError) as raised:
        launch.ending(tmp_path, 1, [])
    assert raised.value.found == "rank 1 by SIGKILL"
    assert launch.ending(tmp_path, 1, [signal.SIGINT]) == 130


def test_a_torchrun_that_was_killed_is_no_bug(tmp_path):
    with pytest.raises(RsforgeError) as raised:
        launch.ending(tmp_path, -signal.SIGKILL, [])
    assert (raised.value.code, raised.value.found) == ("RSF-E009", "torchrun by SIGKILL")


def test_the_relay_gives_the_launcher_its_handlers_back(tmp_path):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with launch.Relay(tmp_path) as relay:
        os.kill(os.getpid(), signal.SIGTERM)
        assert relay.received == [signal.SIGTERM]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_a_third_signal_ends_processes_that_do_not_listen(tmp_path):
    deaf = "import signal, sys; signal.signal(2, signal.SIG_IGN); print(flush=True); sys.stdin.read()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", deaf], **pipes) as child, launch.Relay(tmp_path) as relay:
        child.stdout.readline()
        (tmp_path / f"0.{child.pid}").touch()
        relay.received = [signal.SIGINT] * 3
        relay.attend(child)
    assert child.returncode == -signal.SIGKILL


@pytest.fixture
def cards(monkeypatch):
    """Makes torch see so many GPUs, in a process that nobody launched."""
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    return lambda count: monkeypatch.setattr("torch.cuda.device_count", lambda: count)


@pytest.mark.parametrize(("count", "several"), [(1, False), (4, True)])
def test_multi_gpu_is_one_process_a_card(cards, count, several):
    cards(count)
    run = RunSettings(multi_gpu=True)
    assert launch.local_processes(run) == count
    assert launch.should_launch(run) is several
    assert launch.should_launch(RunSettings(multi_gpu=True, nodes=2))


@pytest.mark.parametrize(
    ("count", "options", "code"),
    [(0, {}, "RSF-E005"), (2, {"processes": 2}, "RSF-U005"), (0, {"nodes": 2}, "RSF-E005")],
)
def test_multi_gpu_that_cannot_be(cards, count, options, code):
    cards(count)
    with pytest.raises(RsforgeError) as caught:
        launch.should_launch(RunSettings(multi_gpu=True, **options))
    assert caught.value.code == code and "--multi-gpu" in caught.value.where


def test_more_processes_than_a_machine_can_hold_are_refused(cards):
    cards(0)
    with pytest.raises(RsforgeError) as caught:
        launch.should_launch(RunSettings(processes=1024))
    assert caught.value.code == "RSF-U005" and "--processes 1024" in caught.value.what


def test_a_plan_of_several_processes_starts_none(memory_plan, cards, tmp_path, monkeypatch, capsys):
    cards(0)
    monkeypatch.setattr(launch, "torchrun", lambda run, console: pytest.fail("processes were started"))
    line = f"vae train --data-dir synthetic --output-dir {{}} --epochs 2 --dry-run --json {TINY}"
    plans = []
    for more in ("", " --processes 2"):
        assert rsforge(line + more, tmp_path / "out") == 0
        plans.append(json.loads(capsys.readouterr().out)["plan"])
    assert [plan["steps"] for plan in plans] == [104, 52]
    assert plans[0]["step_memory_mib"] == plans[1]["step_memory_mib"] > 0  # of one process


def test_distributed_needs_someone_who_started_it(cards, monkeypatch):
    with pytest.raises(RsforgeError) as caught:
        launch.should_launch(RunSettings(distributed=True))
    assert caught.value.code == "RSF-U005" and "torchrun" in caught.value.fix
    assert launch.should_launch(RunSettings(distributed=True, processes=2))
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert not launch.should_launch(RunSettings(distributed=True))
    assert launch.should_launch(RunSettings(processes=2))
    for name, value in {"WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    assert not launch.should_launch(RunSettings(distributed=True))
    assert not launch.should_launch(RunSettings(distributed=True, multi_gpu=True))
    assert not launch.should_launch(RunSettings(processes=2))
    with pytest.raises(RsforgeError, match="one of 2 processes") as caught:
        launch.should_launch(RunSettings(processes=3))
    assert caught.value.code == "RSF-U005"
