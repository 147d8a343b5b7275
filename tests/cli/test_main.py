"""Every way out of the porch: results, errors in one form, exit codes."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rsforge.cli import main as main_module
from rsforge.cli.main import main
from rsforge.error_registry import REGISTRY
from rsforge.errors import RsforgeError, Terminated

DOCTOR = ("doctor",)


def raising(error):
    def serve(settings, console):
        raise error

    return serve


class OutOfMemoryError(RuntimeError):
    """Named as torch names its own."""


@pytest.mark.parametrize("code", REGISTRY)
def test_every_code_of_the_registry_leaves_with_its_exit_code(shell, kitchen, code):
    kitchen.serve = raising(RsforgeError(code, "what", where="here", found="this", kept="that", fix="so"))
    ran = shell(*DOCTOR)
    assert (ran.code, ran.out) == (int(REGISTRY[code].exit), "")
    assert ran.err == f"error[{code}]: what\n  where: here\n  found: this\n  kept:  that\n  fix:   so\n"
    told = json.loads(shell(*DOCTOR, "--json").err)
    assert told == {
        "code": code, "exit": int(REGISTRY[code].exit), "message": "what",
        "where": "here", "found": "this", "kept": "that", "fix": "so",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("error", "code", "leaves"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/a/b"), "RSF-E001", 6),
        (PermissionError(errno.EACCES, "Permission denied", "/a/b"), "RSF-E002", 6),
        (FileNotFoundError(errno.ENOENT, "No such file", "/a/b"), "RSF-E008", 6),
        (MemoryError(), "RSF-E004", 6),
        (OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "RSF-E004", 6),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "RSF-E004", 6),
        (RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed."), "RSF-E009", 6),
        (RuntimeError("[gloo/pair.cc] Connection closed by peer [127.0.0.1]:9"), "RSF-E009", 6),
        (ModuleNotFoundError("No module named 'yaml'", name="yaml"), "RSF-E006", 6),
        (ModuleNotFoundError("No module named 'rsforge.x'", name="rsforge.x"), "RSF-B001", 1),
        (RuntimeError("surprise"), "RSF-B001", 1),
        (RecursionError(), "RSF-B001", 1),
    ],
)
def test_other_failures_are_recognised(shell, kitchen, error, code, leaves, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    kitchen.serve = raising(error)
    ran = shell(*DOCTOR)
    assert (ran.code, ran.out) == (leaves, "")
    assert ran.err.startswith(f"error[{code}]: ")
    assert "Traceback" not in ran.err


def test_a_bug_leaves_its_traceback_in_a_log(shell, kitchen, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    kitchen.serve = raising(RuntimeError("surprise"))
    first, where, *_ = shell(*DOCTOR).err.splitlines()
    assert first == "error[RSF-B001]: RuntimeError: surprise"
    log = Path(where.removeprefix("  where: log ")).read_text()
    assert log.startswith("rsforge doctor\n") and "Traceback" in log
    assert "Traceback (most recent call last)" in shell(*DOCTOR, "--debug").err


def test_a_bug_in_a_process_that_reads_data_is_told_by_its_own_words(shell, kitchen, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    kitchen.serve = raising(ValueError("Caught ValueError in DataLoader worker process 0.\nTrace\nValueError: odd"))
    assert shell(*DOCTOR).err.startswith("error[RSF-B001]: ValueError: odd\n")


def test_a_bug_is_told_even_where_no_log_can_be_written(shell, kitchen, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    kitchen.serve = raising(RuntimeError("surprise"))
    ran = shell(*DOCTOR)
    assert ran.code == 1 and "no log could be written" in ran.err


@pytest.mark.parametrize(
    ("error", "code", "word"), [(KeyboardInterrupt(), 130, "interrupted"), (Terminated(), 143, "terminated")]
)
def test_interruption(shell, kitchen, error, code, word):
    kitchen.serve = raising(error)
    ran = shell(*DOCTOR)
    assert (ran.code, ran.out) == (code, "") and f"error[RSF-I{code}]: {word}" in ran.err
    assert "rsforge doctor" in ran.err
    told = json.loads(shell(*DOCTOR, "--json").err)
    assert (told["exit"], told["message"]) == (code, word)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_command_with_a_sentence(tmp_path, number, code):
    line = f"data synth --kind tiles --count 90000 --size 32 --output-dir {tmp_path / 'w'}"
    command = [sys.executable, "-m", "rsforge", *line.split()]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            deadline = time.monotonic() + 60
            while not (tmp_path / "w").is_dir() or len(list((tmp_path / "w").iterdir())) < 5:
                assert process.poll() is None and time.monotonic() < deadline
                time.sleep(0.05)
            process.send_signal(number)
            error = process.communicate(timeout=15)[1]
        finally:
            process.kill()  # one that did not heed the signal would go on for many minutes
    assert process.returncode == code and f"error[RSF-I{code}]" in error and "Traceback" not in error
    assert [path.name for path in (tmp_path / "w").iterdir() if path.name.startswith(".tmp-")] == []


def test_what_a_refused_command_found_out_is_on_stdout(shell, kitchen):
    kitchen.serve = raising(RsforgeError("RSF-D013", "2 faults", result={"errors": 2, "counts": {"orphan": 2}}))
    ran = shell(*DOCTOR, "--json")
    assert ran.code == 3 and json.loads(ran.out) == {"errors": 2, "counts": {"orphan": 2}}
    assert json.loads(ran.err)["code"] == "RSF-D013"
    assert shell(*DOCTOR).out == "errors         2\ncounts.orphan  2\n"


def test_control_characters_cannot_reach_the_terminal(shell, kitchen):
    kitchen.serve = raising(RsforgeError("RSF-D002", "bad \x1b[2J\nname", where="a\rb\udcff\n" * 20))
    err = shell(*DOCTOR).err
    assert err.startswith("error[RSF-D002]: bad \\x1b[2J\\nname\n  where: a\\rb\\udcff\n")
    assert len(err.splitlines()) == 8
    kitchen.serve = lambda settings, console: {"name": "a\x1b\udcff"}
    assert shell(*DOCTOR).out == "name  a\\x1b\\udcff\n"


def test_results_for_people_and_for_programs(shell, kitchen):
    result = {
        "psnr": 31.25,
        "best": {"epoch": 3, "loss": float("nan")},
        "files": ["a", "b"],
        "at": Path("x"),
        "ok": True,
    }
    kitchen.serve = lambda settings, console: result
    assert shell(*DOCTOR).out.splitlines() == [
        "psnr        31.25", "best.epoch  3", "best.loss   nan", "files       a, b", "at          x", "ok          yes",
    ]  # fmt: skip
    ran = shell(*DOCTOR, "--json")
    assert json.loads(ran.out)["best"] == {"epoch": 3, "loss": None} and ran.err == ""


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["vae", "train", "--epoch", "3"], "did you mean --epochs?"),
        (["vae", "tain"], "Did you mean 'train'?"),
        (["vea"], "Did you mean 'vae'?"),
        (["vae", "train", "stray"], "unexpected extra argument"),
        (["vae", "train", "--epochs"], "requires an argument"),
        (["info"], "Missing argument"),
        (["sample", "stray"], "stray"),
        (["--nonsense"], "--nonsense"),
    ],
)
def test_usage_errors_have_the_same_form(shell, kitchen, argv, told):
    ran = shell(*argv)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("error[RSF-U002]: ") and told in ran.err and "--help" in ran.err
    kept = [*argv[:-1], "--json", argv[-1]] if len(argv) > 2 else [*argv, "--json"]
    assert json.loads(shell(*kept).err)["code"] == "RSF-U002"


@pytest.mark.parametrize(
    "argv", [[], ["vae"], ["diffusion"], ["config"], ["-h"], ["vae", "train", "-h"], ["sample", "-h"]]
)
def test_help_is_a_result(shell, kitchen, argv):
    ran = shell(*argv)
    assert ran.code == 0 and "Usage: rsforge" in ran.out and ran.err == ""


def test_version_and_completion(shell):
    from rsforge import __version__

    assert shell("--version") == (0, f"rsforge {__version__}\n", "")
    assert "--install-completion" in shell("--help").out


def test_the_completion_script_is_printed():
    done = subprocess.run(
        [sys.executable, "-m", "rsforge", "--show-completion", "bash"],
        capture_output=True, text=True, check=False,
        env={**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
    )  # fmt: skip
    assert done.returncode == 0 and "_RSFORGE_COMPLETE" in done.stdout


def test_a_reader_that_left_is_no_failure():
    child = subprocess.Popen(
        [sys.executable, "-m", "rsforge", "config", "show", "vae", "train"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    child.stdout.close()
    assert child.stderr.read() == b""
    assert child.wait() == 0
    child.stderr.close()


def test_a_full_disk_under_stdout_is_told():
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            [sys.executable, "-m", "rsforge", "config", "ls"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 6 and done.stderr.startswith("error[RSF-E001]")


@pytest.fixture
def second_of_two(monkeypatch):
    given = {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": "29500"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)


def test_only_the_first_process_of_a_training_prints(shell, kitchen, second_of_two):
    kitchen.serve = lambda settings, console: console.warn("hello") or {"done": 1}
    ran = shell("vae", "train", "--data-dir", "x")
    assert (ran.code, ran.out) == (0, "") and "hello" not in ran.err
    assert ran.err.startswith("processes  rank 1 of 2 by RANK and WORLD_SIZE; all meet at localhost:29500")


def test_commands_that_train_nothing_do_not_heed_the_rank(shell, kitchen, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "letters")
    kitchen.serve = lambda settings, console: console.warn("hello") or {"done": 1}
    assert shell(*DOCTOR, "--json") == (0, '{"done": 1}\n', "warning: hello\n")


def test_a_rank_that_is_no_number_is_a_wrong_setting(shell, kitchen, second_of_two, monkeypatch):
    monkeypatch.setenv("RANK", "letters")
    ran = shell("vae", "train", "--data-dir", "x")
    assert ran.code == 2 and "RANK=letters" in ran.err and "unset RANK" in ran.err


def test_main_leaves_with_the_code(kitchen, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["rsforge", "explain", "RSF-D001"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 0 and "no images found" in capsys.readouterr().out


def test_one_process_of_many_leaves_its_code_for_the_launcher(kitchen, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("RSFORGE_EXIT_FOLDER", str(tmp_path))
    monkeypatch.setenv("RANK", "3")
    with pytest.raises(SystemExit):
        main(["explain", "RSF-X"])
    assert (tmp_path / "3").read_text() == "2"


def test_signals_are_left_to_the_recipe(shell, kitchen):
    before = signal.getsignal(signal.SIGTERM)
    shell(*DOCTOR)
    assert signal.getsignal(signal.SIGTERM) is before


def test_what_a_library_makes_of_an_interrupt_is_one(shell, kitchen):
    """A module that is interrupted while it is imported leaves another error behind."""

    def serve(*given):
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise AttributeError("a module has no attribute") from None

    main_module._heed_signals()
    kitchen.serve = serve
    assert shell(*DOCTOR).code == 130
    kitchen.serve = raising(AttributeError("a bug"))
    assert shell(*DOCTOR).code == 1


def test_an_error_of_one_process_of_many_is_told_by_the_launcher_alone(shell, kitchen, monkeypatch, tmp_path):
    monkeypatch.setenv("RSFORGE_EXIT_FOLDER", str(tmp_path))
    monkeypatch.setenv("RANK", "2")
    kitchen.serve = raising(RsforgeError("RSF-D002", "bad", where="here"))
    assert shell(*DOCTOR) == (3, "", "")
    told = json.loads((tmp_path / "2.json").read_text())
    assert (told["code"], told["message"], told["where"]) == ("RSF-D002", "bad", "here")
    kitchen.serve = raising(KeyboardInterrupt())
    assert shell(*DOCTOR) == (130, "", "")


def test_an_error_is_told_where_the_launcher_cannot_hear_it(shell, kitchen, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("RSFORGE_EXIT_FOLDER", str(tmp_path / "gone"))
    kitchen.serve = raising(RsforgeError("RSF-D002", "bad"))
    assert shell(*DOCTOR).err.startswith("error[RSF-D002]: bad\n")
    with pytest.raises(SystemExit) as left:
        main([*DOCTOR])
    assert left.value.code == 3 and "Traceback" not in capsys.readouterr().err


def test_a_failed_process_lets_the_first_one_speak(kitchen, monkeypatch, tmp_path):
    monkeypatch.setenv("RSFORGE_EXIT_FOLDER", str(tmp_path))
    monkeypatch.setenv("RANK", "3")
    monkeypatch.setenv("LOCAL_RANK", "1")
    waits = []

    def sleep(seconds):
        waits.append((tmp_path / "3").exists())
        if len(waits) == 3:
            (tmp_path / "2").write_text("143")

    monkeypatch.setattr("rsforge.cli.main.time.sleep", sleep)
    with pytest.raises(SystemExit) as left:
        main(["explain", "RSF-X"])
    assert left.value.code == 2 and waits == [True] * 3


def test_a_process_whose_launcher_is_gone_does_nothing(kitchen, monkeypatch, tmp_path):
    monkeypatch.setenv("RSFORGE_EXIT_FOLDER", str(tmp_path))
    monkeypatch.setenv("RSFORGE_TORCHRUN", "0")
    kitchen.serve = raising(AssertionError("must not run"))
    with pytest.raises(SystemExit) as left:
        main([*DOCTOR])
    assert left.value.code == 143 and (tmp_path / f"0.{os.getpid()}").exists()
