"""Make the documents' spellings ones that Typer understands, before it parses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from rsforge.cli.leaves import leaves
from rsforge.cli.tree import COMMANDS, Command, common_options

MODES: dict[tuple[str, ...], str] = {("sample",): "--mode"}
"""Options by which a source document names what is a command here."""
IMPLIED: dict[tuple[str, ...], dict[str, str]] = {
    ("sample",): dict.fromkeys(("--pipeline", "--prompt", "--prompts-file"), "text"),
    ("diffusion", "evaluate"): {
        **dict.fromkeys(("--pipeline", "--pretrained-model", "--clip-model"), "evaluate-text"),
        "--checkpoint": "evaluate-unconditional",
    },
}
"""Options that the named command lacks, and the command below a group or beside it that is meant; the first decides."""
_NUMBER = re.compile(r"-(\d|\.\d)")


@dataclass(frozen=True)
class Grammar:
    """The options of a command by spelling: which take a value, several, or one that may be left out."""

    single: set[str] = field(default_factory=set)
    many: set[str] = field(default_factory=set)
    bare: dict[str, str] = field(default_factory=dict)
    flags: dict[str, tuple[str, str]] = field(default_factory=dict)
    alias: dict[str, str] = field(default_factory=dict)


def grammar(command: Command) -> Grammar:
    known = Grammar(alias={"--config-file": "--config"})
    own = leaves(command.model).values()
    # Behind a list option a positional argument could not be told from one more value.
    several = known.single if any(leaf.argument for leaf in own) else known.many
    for leaf in own:
        if leaf.argument:
            continue
        if leaf.kind is bool:
            known.alias.update(dict.fromkeys(leaf.options[1:], leaf.option))
            known.alias.update((f"--no-{one[2:]}", f"--no-{leaf.option[2:]}") for one in leaf.options[1:])
            continue
        known.alias.update(dict.fromkeys(leaf.options[1:], leaf.option))
        (several if leaf.many else known.single).add(leaf.option)
        if "bare" in leaf.extra:
            known.bare[leaf.option] = leaf.extra["bare"]
        known.flags.update((flag, (leaf.option, value)) for flag, value in leaf.flags.items())
    if "config" in common_options(command):
        several.update(["--config", "-c", "--set"])
    return known


def locate(argv: list[str]) -> tuple[list[str], int]:
    """The command or group that ``argv`` names, underscores mended, and where its own words begin."""
    path: list[str] = []
    for index, word in enumerate(argv):
        if word.startswith("-"):
            if tuple(path) in COMMANDS or word == "--":
                return path, index
            continue
        longer = [*path, word.replace("_", "-")]
        if not any(known[: len(longer)] == tuple(longer) for known in COMMANDS):
            return path, index
        path = longer
    return path, len(argv)


def name_command(argv: list[str]) -> list[str]:
    """``argv`` with the command where an option names it: ``sample --mode batch`` is ``sample batch``.

    So it is with an option that only one command has: ``sample --prompt field`` is ``sample text --prompt field``, and
    ``diffusion evaluate --pipeline sd`` is ``diffusion evaluate-text --pipeline sd``; ``diffusion evaluate --checkpoint
    best_model.pt`` is ``diffusion evaluate-unconditional``.
    """
    path, begin = locate(argv)
    option = MODES.get(tuple(path))
    for index, word in enumerate(argv[begin:], begin):
        name, equals, value = word.partition("=")
        if name != option:
            continue
        value, end = (value, index + 1) if equals else (" ".join(argv[index + 1 : index + 2]), index + 2)
        if (*path, value) in COMMANDS:
            return [*argv[:begin], value, *argv[begin:index], *argv[end:]]
    given = {word.partition("=")[0].replace("_", "-") for word in argv[begin:] if word.startswith("--")}
    meant = next((command for name, command in IMPLIED.get(tuple(path), {}).items() if name in given), None)
    if meant is None:
        return argv
    below = (*path, meant) in COMMANDS
    return [*argv[: begin if below else begin - 1], meant, *argv[begin:]]


def expand(argv: list[str]) -> list[str]:
    """``argv`` with - for _ and no aliases in names, one value per list option, and values for options left bare.

    A group without a command asks for its help.
    """
    argv = name_command(argv)
    path, begin = locate(argv)
    head = [w if w.startswith("-") else w.replace("_", "-") for w in argv[:begin]]
    command = COMMANDS.get(tuple(path))
    if command is None:
        return [*head, *argv[begin:]] if argv[begin:] or len(head) > len(path) else [*head, "--help"]
    return [*head, *_words(argv[begin:], grammar(command))]


def _words(argv: list[str], known: Grammar) -> Iterator[str]:
    words = list(argv)
    while words:
        word = words.pop(0)
        if word == "--":
            yield from [word, *words]
            return
        name, equals, value = word.partition("=")
        name = name.replace("_", "-") if name.startswith("--") else name
        name = known.alias.get(name, name)
        if name in known.flags and not equals:
            yield from known.flags[name]
        elif equals or name not in known.single | known.many:
            yield name + equals + value
        elif name in known.bare and not _values(words[:1]):
            yield from (name, known.bare[name])
        elif name in known.many and (values := _values(words)):
            del words[: len(values)]
            for item in values:
                yield from (name, item)
        else:
            yield name
            yield from [words.pop(0)] if words else []


def _values(words: list[str]) -> list[str]:
    """The leading words that are values and no options."""
    end = next((i for i, w in enumerate(words) if w.startswith("-") and not _NUMBER.match(w)), len(words))
    return words[:end]
