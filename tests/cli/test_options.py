"""The options are frozen: removing or renaming one is seen."""

from __future__ import annotations

from pathlib import Path

from rsforge.cli.app import load_all
from rsforge.cli.leaves import leaves
from rsforge.cli.tree import COMMANDS, common_options

FROZEN = Path(__file__).with_name("options.txt")


def listed() -> str:
    """One line a command and option: its spellings and its default."""
    load_all()
    lines = []
    for path, command in sorted(COMMANDS.items()):
        lines.append(" ".join(["rsforge", *path]))
        for leaf in leaves(command.model).values():
            default = "required" if leaf.field.is_required() else repr(leaf.default())
            lines.append(f"    {' '.join([*leaf.options, *leaf.flags])} = {default}")
        lines.append(f"    + {' '.join(common_options(command))}")
    return "\n".join(lines) + "\n"


def test_the_options_are_the_frozen_ones():
    assert listed() == FROZEN.read_text(), "meant? then: python tests/cli/test_options.py > tests/cli/options.txt"


def test_every_option_is_in_the_help(shell):
    for path, command in COMMANDS.items():
        told = shell(*path, "--help").out
        missing = [
            o for leaf in leaves(command.model).values() if not leaf.argument for o in leaf.options if o not in told
        ]
        assert not missing, (path, missing)


if __name__ == "__main__":
    import sys

    sys.stdout.write(listed())
