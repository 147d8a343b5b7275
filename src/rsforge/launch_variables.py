"""What RANK, WORLD_SIZE and their like say about this process; the one place where they are read and believed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from rsforge.errors import RsforgeError

NAMES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True, slots=True)
class Launch:
    """The place of this process among the ``size`` processes of one training, and where they meet.

    ``local_rank`` counts on one machine. ``hosted`` is whether a torchrun, whose ``attempt`` this is, started all of
    them and keeps their store at ``address:port``; else rank 0 keeps it, and nobody knows whether the others come.
    """

    rank: int
    size: int
    local_rank: int
    address: str = ""
    port: int = 0
    hosted: bool = False
    attempt: str = "0"


def read_launch(variables: Mapping[str, str] | None = None) -> Launch | None:
    """The launch that the environment speaks of, or None where nobody started this process as one of several.

    Only trainings ask. RSF-U005 where the variables are not numbers, do not fit together, or are not all there.
    """
    variables = os.environ if variables is None else variables
    if "RANK" not in variables or "WORLD_SIZE" not in variables:
        return None
    rank, size = _number(variables, "RANK"), _number(variables, "WORLD_SIZE")
    if not 0 <= rank < size:
        raise _refusal(variables, "RANK must be one of 0 to WORLD_SIZE - 1")
    if size == 1:
        return Launch(0, 1, 0)
    absent = [name for name in ("MASTER_ADDR", "MASTER_PORT") if not variables.get(name)]
    if absent:
        raise _refusal(variables, f"{' and '.join(absent)} must say where {size} processes meet")
    return Launch(
        rank,
        size,
        _number(variables, "LOCAL_RANK") if "LOCAL_RANK" in variables else rank,
        variables["MASTER_ADDR"],
        _number(variables, "MASTER_PORT"),
        variables.get("TORCHELASTIC_USE_AGENT_STORE") == "True",
        variables.get("TORCHELASTIC_RESTART_COUNT", "0"),
    )


def _number(variables: Mapping[str, str], name: str) -> int:
    text = variables[name]
    if not (text.isascii() and text.isdecimal()) or int(text) > 65535:
        raise _refusal(variables, f"{name} must be a whole number up to 65535")
    return int(text)


def _refusal(variables: Mapping[str, str], what: str) -> RsforgeError:
    found = ", ".join(f"{name}={variables[name][:40]}" for name in NAMES if name in variables)
    return RsforgeError(
        "RSF-U005", f"the environment speaks of several training processes: {what}", where="environment", found=found,
        fix="unset RANK and WORLD_SIZE to train in one process, or start all processes with torchrun or --processes N",
    )  # fmt: skip
