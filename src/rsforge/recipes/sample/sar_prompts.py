"""Prompts of SAR images that are drawn one by one, of which region and season are known."""

from __future__ import annotations

from collections.abc import Mapping

from rsforge.data.prompts import STANDARD_FIELDS, UNKNOWN, PromptTemplate
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console
from rsforge.wording import join_first

OPTION = "--prompt"


def write_prompt(template: PromptTemplate, given: str | None, words: Mapping[str, str], console: Console) -> str:
    """``given`` with its ``{region}`` and ``{season}`` filled in, else the prompt that ``template`` makes of ``words``.

    RSF-U005 for other words in braces in ``given``.
    """
    if given is None:
        return complete_template(template, console).format(words)
    try:
        return PromptTemplate(given).format(words)
    except RsforgeError as error:
        fix = "write {region} and {season} alone in braces, and braces that are none as {{ and }}"
        raise RsforgeError(error.code, "the prompt cannot be filled in", where=OPTION, found=given, fix=fix) from None


def complete_template(template: PromptTemplate, console: Console) -> PromptTemplate:
    """The training's template, with ``unknown`` in place of the columns of its tables that no image here has."""
    missing = [name for name in template.fields if name not in STANDARD_FIELDS]
    if not missing:
        return template
    named = join_first([f"{{{name}}}" for name in missing], 4, separator=", ")
    console.warn(f'the prompts say "{UNKNOWN}" for {named} of the training: nothing is known of it here')
    return template.fill(dict.fromkeys(missing, UNKNOWN))
