"""Every number that can be given has two bounds, so that a slip is a usage error and never a crash."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic.fields import FieldInfo

from rsforge.cli.app import load_all
from rsforge.cli.leaves import leaves
from rsforge.cli.tree import COMMANDS

# Values in the unit of the user's own files, which may be of any size and sign; only NaN and infinity are refused.
UNBOUNDED = {"clip", "fill", "scale_offset", "valid_range"}

NUMBERS = (int, float)


def numbers(annotation: Any, marks: list[Any]) -> Iterator[list[Any]]:
    """The marks of every number in ``annotation``, however it is wrapped."""
    if annotation in NUMBERS:
        yield marks
    own = getattr(annotation, "__metadata__", ())
    inner = get_args(annotation)[:1] if own else get_args(annotation)
    for mark in own:
        marks = [*marks, *(mark.metadata if isinstance(mark, FieldInfo) else [mark])]
    for part in inner:
        yield from numbers(part, marks if own else [])


def is_bounded(marks: list[Any]) -> bool:
    lows = [m for m in marks if hasattr(m, "ge") or hasattr(m, "gt")]
    highs = [m for m in marks if hasattr(m, "le") or hasattr(m, "lt")]
    return bool(lows) and bool(highs)


def unbounded() -> set[str]:
    load_all()
    return {
        leaf.name
        for command in COMMANDS.values()
        for leaf in leaves(command.model).values()
        for marks in numbers(leaf.field.annotation, list(leaf.field.metadata))
        if not is_bounded(marks)
    }


def test_every_number_has_two_bounds():
    assert unbounded() == UNBOUNDED


def test_every_list_of_widths_has_an_end():
    endless = {
        leaf.name
        for command in COMMANDS.values()
        for leaf in leaves(command.model).values()
        if leaf.many and list(numbers(leaf.field.annotation, [])) and Ellipsis in get_args(leaf.field.annotation)
        and not any(hasattr(mark, "max_length") for mark in leaf.field.metadata)
    }  # fmt: skip
    assert endless == set()


def test_the_walk_sees_numbers_however_they_are_wrapped():
    seen = list(numbers(dict[str, tuple[int, ...] | None] | float, []))
    assert len(seen) == 2 and not any(map(is_bounded, seen))


@pytest.mark.parametrize(
    ("option", "value", "bound"),
    [
        ("--time-dim", "100000000000000000000", "65536"),
        ("--time-dim", "65538", "65536"),
        ("--epochs", "1000000000000000000000000000000", "1000000000"),
        ("--batch-size", "65537", "65536"),
        ("--num-workers", "10000", "256"),
        ("--channels", "65537", "65536"),
        ("--image-size", "16385", "16384"),
        ("--timesteps", "100001", "100000"),
        ("--head-width", "1000000", "65536"),
        ("--learning-rate", "101", "100"),
    ],
)
def test_beyond_a_bound_is_wrong_usage_that_names_it(shell, option, value, bound):
    ran = shell("diffusion", "train", "--vae", "v.pt", "--data-dir", "x", option, value)
    assert (ran.code, ran.out) == (2, "")
    assert f"{option} must be less than or equal to {bound}" in ran.err


@pytest.mark.parametrize("value", ["1e20", "many", "2.5"])
def test_what_is_no_integer_is_told_what_would_be(shell, value):
    ran = shell("diffusion", "train", "--vae", "v.pt", "--data-dir", "x", "--time-dim", value)
    assert ran.code == 2 and "--time-dim must be a valid integer, >=2 <=65536" in ran.err


def test_numbers_of_files_are_bounded_too(shell, tmp_path):
    (tmp_path / "a.json").write_text('{"time_dim": 1e20, "epochs": 1e30}')
    err = shell("diffusion", "train", "--vae", "v", "--data-dir", "x", "-c", str(tmp_path / "a.json")).err
    assert "2 settings were rejected" in err and "--time-dim must be" in err and "--epochs must be" in err


def test_too_many_levels(shell):
    ran = shell("vae", "train", "--data-dir", "x", "--channels", *["8"] * 17)
    assert ran.code == 2 and "--channels must have at most 16 values" in ran.err


def test_a_text_that_is_not_of_its_form_is_told_the_form(shell):
    result = shell("diffusion", "finetune", "--data-dir", "x", "--push-to-hub", "a b")
    assert result.code == 2 and "--push-to-hub must be OWNER/NAME or NAME" in result.err
    result = shell("diffusion", "export", "--pipeline", "x", "--title", "a\nb")
    assert result.code == 2 and "--title must be a single line" in result.err


def test_every_pattern_has_a_form_in_words():
    load_all()
    for command in COMMANDS.values():
        for leaf in leaves(command.model).values():
            patterns = re.findall(r"pattern='(.*?)'[,)]", repr((leaf.field.metadata, leaf.field.annotation)))
            lines = all("\\n" in pattern for pattern in patterns)
            assert lines or leaf.limits or "form" in leaf.extra, f"{leaf.option}: {patterns}"
