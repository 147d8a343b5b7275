"""What README states is what the script that remakes it prints beside the new figures, and every line can be read."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from tests.learning import map_autoencoder, readme_figures, text_to_image
from tests.learning.commands import BELOW_AIM
from tests.learning.readme_figures import (
    PARTS,
    STATED,
    check_line,
    check_sources,
    choose_seeds,
    expect_minutes,
    has_failed,
    list_tables,
    main,
    read_stated,
    read_texts,
    run_part,
    share_parts,
)
from tests.learning.readme_parts import Part
from tests.learning.readme_rows import (
    list_numbers,
    read_all,
    read_evaluated,
    read_json,
    read_judged,
    read_lines,
    read_pairs,
)

DIFFERENCES = {"1.9", "2.6", "0.1", "0.2", "0.3", "0.01"}
"""Of cells of tables: dB over components, dB and LPIPS over the linear start, percent over the mixture of scales."""
SETTINGS = {"7.5"}


def test_the_file_holds_what_readme_states():
    fix = "python -m tests.learning.readme_figures --update"
    assert json.loads(STATED.read_text("utf-8")) == read_stated(read_texts()), fix


def test_the_commands_of_the_section_are_those_that_are_run():
    """All but where things lie: a line has the command and every option, with its value."""
    places = {"--data-dir", "--dataset-path", "--output-dir", "--save-dir", "--vae", "--checkpoint"}
    lines = re.findall(r"^rsforge .*", read_texts()[False], re.MULTILINE)
    assert len(lines) >= 5
    run = [set(line.split()) for part in PARTS for line in part.lines]
    for line in lines:
        words = line.split()
        wanted = [word for before, word in zip(["", *words], words, strict=False) if before not in places]
        assert any(set(wanted) <= own for own in run), line


def test_every_table_of_the_section_belongs_to_one_part():
    texts = read_texts()
    for longer, text in texts.items():
        own = [part for part in PARTS if part.longer == longer and part.headings]
        for first, _ in list_tables(text):
            assert sum(first.startswith(part.headings) for part in own) == 1, first
    stated = read_stated(texts)
    for part in PARTS:
        assert len(stated[part.name]["tables"]) == len(part.headings), part.name
        assert stated[part.name]["texts"] == list(part.texts), part.name


def test_sentences_of_the_section_have_no_figures_of_their_own():
    """What is measured stands in tables, which are made again; sentences have differences of these, and settings."""
    prose = re.sub(r"^```.*?^```|^\|.*?$", "", read_texts()[False], flags=re.MULTILINE | re.DOTALL)
    assert set(re.findall(r"\d+\.\d+", prose)) <= DIFFERENCES | SETTINGS


@pytest.mark.parametrize("name", [part.name for part in PARTS if part.lines])
def test_lines_can_be_read(name, capsys):
    assert main(["--only", name, "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert said.count(f"{name}: ") >= 1 and "cannot be read" not in said


@pytest.mark.parametrize(
    ("script", "options"), [(text_to_image, text_to_image.OPTIONS), (map_autoencoder, map_autoencoder.OPTIONS)]
)
def test_options_of_scripts_can_be_read(script, options):
    assert check_line(["rsforge", *script.PASSED_ON.split(), *options.split()]) == ""


@pytest.mark.parametrize(
    "line",
    ["rsforge vae train --no-such-option", "rsforge vae trains", "real_pairs", "sar_to_optical --no-such-option 1"],
)
def test_lines_that_cannot_be_read_are_told(line):
    assert check_line(line.split())


def test_two_workers_share_the_parts_so_that_the_last_ends_early():
    """The longest first, each to the worker that is free, would take 60."""
    shares = share_parts([Part(str(minutes), minutes) for minutes in (12, 35, 18, 30, 13)])
    assert [[part.minutes for part in own] for own in shares] == [[35, 18], [30, 13, 12]]
    assert expect_minutes(shares) == 55 and share_parts([]) == [[], []]


def test_more_seeds_follow_those_of_readme():
    part = Part("x", 1, seeds=(42,))
    assert choose_seeds(part, None) == [42] and choose_seeds(part, 3) == [42, 43, 44]
    assert choose_seeds(Part("x", 1), 2) == [0, 1]


def test_what_cannot_run_is_named(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(readme_figures, "run_part", lambda *given: {"failed": "", "minutes": 1.0})
    monkeypatch.setattr(readme_figures, "find_vgg16", lambda: None)
    assert main(["--folder", str(tmp_path), "--cubes", "x"]) == 0
    said = capsys.readouterr().out
    assert "tiny is left out: it needs --tiles" in said and "real-pairs is left out: it needs --pairs" in said
    assert "sar-to-optical is left out: it is of docs/measurements.md; --all runs it" in said
    assert "\nabout 5 minutes" in said
    assert "trials is not remade" in said and "== text-encoder" in said and "| 2.26 [1.82, 2.76] |" in said


def test_a_line_that_ended_is_not_run_again(tmp_path, monkeypatch):
    monkeypatch.setattr(readme_figures, "to_argv", lambda words: [sys.executable, "-c", *words[1:]])
    place = {"folder": str(tmp_path)}
    count = "open('{folder}/n','a').write('{seed}')"
    part = Part("x", 1, (f"script {count}", "script print('|a|{count}|')"), (4, 5), read=read_lines("said.txt"))
    outcome = run_part(part, place, (4, 5))
    assert not outcome["failed"] and outcome["minutes"] > 0 and (tmp_path / "n").read_text() == "45"
    assert part.read is not None and part.read(tmp_path) == [["a", "2"]]
    assert run_part(part, place, (4, 5)) == outcome and (tmp_path / "n").read_text() == "45"
    broken = Part("x", 1, ("script raise(SystemExit(3))", f"script {count}"), (6,))
    assert run_part(broken, place, (6,))["failed"].startswith("exit 3: script")
    assert (tmp_path / "n").read_text() == "45" and (tmp_path / "failed.txt").is_file()


def test_figures_that_miss_an_aim_are_no_failure_and_broken_scripts_are():
    assert not has_failed(["real_pairs"], BELOW_AIM) and not has_failed(["rsforge"], 0)
    assert has_failed(["rsforge"], BELOW_AIM) and has_failed(["few_steps"], 1) and has_failed(["few_steps"], 6)


def test_a_folder_of_other_sources_is_refused(tmp_path, monkeypatch):
    check_sources(tmp_path / "new")
    check_sources(tmp_path / "new")
    monkeypatch.setattr(readme_figures, "SOURCES", ("tests/learning",))
    with pytest.raises(SystemExit, match="figures of other sources"):
        check_sources(tmp_path / "new")


def test_new_figures_are_read_where_they_lie(tmp_path):
    write(tmp_path / "vae-42/judged.json", {"judged": {"side": "val", "mse": {"model": 0.1, "linear_channel": 0.2}}})
    assert read_judged(vae="mse", gone="l1")(tmp_path) == [["vae-42 model", "0.1"], ["vae-42 linear_channel", "0.2"]]
    figures = {
        "l1": {"mean": 0.148, "low": 0.141, "high": 0.155},
        "psnr_db": {"mean": 20.81, "low": None},
        "ssim": None,
    }
    write(tmp_path / "evaluation-42/evaluation.json", {"figures": {"model": figures}})
    assert read_pairs(tmp_path) == [
        ["evaluation-42", "model"], ["l1", "0.148 [0.141, 0.155]"], ["psnr_db", "20.81"], ["ssim", "-"]
    ]  # fmt: skip
    gain = {"loss": {"mean": 0.25, "low": 0.1, "high": 0.4}}
    write(tmp_path / "losses-1/evaluation.json", {"gain": gain, "total_correlation_nats": None})
    both = read_all(read_evaluated("losses", "gain.loss", "total_correlation_nats"), read_lines("gone.txt"))
    assert both(tmp_path) == [["losses-1 gain.loss", "0.25 [0.1, 0.4]"], ["losses-1 total_correlation_nats", "-"]]
    write(tmp_path / "x.json", {"a": {"b": 0.5, "c": [1, 2.5]}, "d": "text"})
    assert read_json("x.json")(tmp_path) == [["a.b", "0.5"], ["a.c", "1", "2.5"]] and list_numbers([]) == []
    assert read_json("gone.json")(tmp_path) == [] == read_lines("gone.txt")(tmp_path)


def write(path: Path, *lines: dict) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(map(json.dumps, lines)))
