"""What a training decides where its settings leave the choice to it, and keeps when it goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel

from rsforge.recipes.console import Console
from rsforge.settings.sections import DEFAULT, settings_of

S = TypeVar("S")
KEY = "decided"
"""The entry of checkpoints with the values decided at the start of a run, and why."""


@dataclass(frozen=True)
class Decision:
    """The value of a setting that was ``auto``, and the reason in words."""

    value: str
    reason: str


def apply_decisions(settings: S, decisions: Mapping[str, Decision], console: Console) -> S:
    """``settings`` with the decided values, by flat name; the origins of the console tell why.

    What is decided counts as chosen by nobody, as before.
    """
    assert isinstance(settings, BaseModel)
    model: type[BaseModel] = type(settings)
    for name, decision in decisions.items():
        section, key = settings_of(model)[name].loc
        settings = _replace(settings, section, _replace(getattr(settings, section), key, decision.value))
        console.origins[name] = f"{DEFAULT}: {decision.reason}"
    return settings


def _replace(section: Any, key: str, value: Any) -> Any:
    # Unlike model_copy, this keeps the record of what the user gave.
    return type(section).model_construct(section.model_fields_set, **{**dict(section), key: value})


def describe_decisions(decisions: Mapping[str, Decision], state: Mapping[str, Any] | None) -> dict[str, str]:
    """What checkpoints say of the decisions: those made now, or those of the run that goes on."""
    if state is not None:
        return dict(state.get(KEY, {}))
    return {name: f"{decision.value}: {decision.reason}" for name, decision in decisions.items()}
