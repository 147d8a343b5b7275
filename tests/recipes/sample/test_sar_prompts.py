"""Prompts of images of which region and season alone are known."""

from __future__ import annotations

from rsforge.data.prompts import PromptTemplate
from rsforge.recipes.console import SilentConsole
from rsforge.recipes.sample.sar_prompts import write_prompt

WORDS = {"region": "arctic", "season": "autumn"}


def test_columns_that_no_image_has_are_unknown_and_said(monkeypatch):
    console, said = SilentConsole(), []
    monkeypatch.setattr(console, "warn", said.append)
    template = PromptTemplate("{region} at {scale}, {season}")
    assert write_prompt(template, None, WORDS, console) == "arctic at unknown, fall"
    assert len(said) == 1 and "{scale}" in said[0]


def test_a_template_of_region_and_season_needs_no_word(monkeypatch):
    console, said = SilentConsole(), []
    monkeypatch.setattr(console, "warn", said.append)
    assert write_prompt(PromptTemplate("{region}"), None, WORDS, console) == "arctic" and not said
