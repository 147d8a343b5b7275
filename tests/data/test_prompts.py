"""Prompts of metadata by templates."""

from __future__ import annotations

import pytest

from rsforge.data.pairs.index import find_pairs
from rsforge.data.prompts import PromptTemplate, list_columns
from rsforge.errors import RsforgeError
from tests.worlds.pair_folders import HEAD, csv_row, touch_regions, write_csv


def refuse(make) -> RsforgeError:
    with pytest.raises(RsforgeError) as caught:
        make()
    assert caught.value.code == "RSF-U005" and caught.value.where == "--prompt-template"
    return caught.value


def test_the_default_template_is_the_documents():
    metadata = {"region": "Tropical", "season": "winter"}
    assert PromptTemplate().format(metadata) == "Colorise image, Region: tropical, Season: winter"
    assert PromptTemplate().fields == ("region", "season")


def test_trap_17_autumn_is_fall():
    assert PromptTemplate("{season}").format({"season": "Autumn"}) == "fall"


@pytest.mark.parametrize("value", ["", "  ", "NaN", float("nan"), None, "null", "unknown"])
def test_trap_18_what_is_not_known_is_unknown_and_counted(value):
    template, metadata = PromptTemplate(), [{"region": value, "season": "fall"}, {"season": "fall"}]
    assert template.format(metadata[0]) == "Colorise image, Region: unknown, Season: fall"
    assert template.count_unknown(metadata) == {"region": 2}


def test_columns_are_taken_by_their_whole_names():
    template = PromptTemplate("{date-time} {operational-mode} {my column!r} {a[0]} {b:>4} {{braces}}")
    metadata = {"date-time": "2023", "operational-mode": "IW", "my column!r": "x", "a[0]": "y", "b:>4": "z"}
    assert template.format(metadata) == "2023 IW x y z {braces}"


def test_trap_20_an_unknown_field_is_reported_with_the_known_columns():
    template = PromptTemplate("Transform SAR image to optical in {season} with {weather} conditions")
    error = refuse(lambda: template.format({"region": "arctic", "season": "fall", "date-time": "2023"}))
    assert "{weather}" in error.what and "region, season, date-time" in error.found
    assert "did you mean {season}" in refuse(lambda: PromptTemplate("{seasn}").check_fields([])).what


@pytest.mark.parametrize("text", ["{", "}", "{season", "a {} b", "{season.__class__}"])
def test_a_template_that_cannot_be_filled_is_refused(text):
    refuse(lambda: PromptTemplate(text).format({"season": "fall"}))


def test_every_column_of_a_table_may_be_in_a_prompt(tmp_path):
    touch_regions(tmp_path, "img_p1", "img_p2")
    head = f"{HEAD},weather"
    write_csv(tmp_path, f"{csv_row('img_p1', season='autumn')},dry", f"{csv_row('img_p2', region='NaN')},", head=head)
    metadata = [pair.metadata for pair in find_pairs(tmp_path).pairs]
    assert {*HEAD.split(","), "weather"} <= set(list_columns(metadata))
    template = PromptTemplate(
        "{weather} {season} {region} {date-time} {scale} {operational-mode} {polarisation} {bands}"
    )
    rest = "2023-09-29T23:59:59Z 10 IW VV ('B02', 'B03', 'B04')"
    assert template.format(metadata[0]) == f"dry fall temperate {rest}"
    assert template.format(metadata[1]) == f"unknown fall unknown {rest}"


def test_without_a_table_the_name_of_a_file_gives_the_season(tmp_path):
    for folder in ("s1", "s2"):
        (tmp_path / "agri" / folder).mkdir(parents=True)
        (tmp_path / "agri" / folder / f"ROIs1970_autumn_{folder}_1_p1.png").touch()
    (pair,) = find_pairs(tmp_path).pairs
    assert PromptTemplate("{season} {terrain} {region}").format(pair.metadata) == "fall agri unknown"


def test_a_template_can_be_filled_in_part():
    template = PromptTemplate("{{x}} {season} at {scale}").fill({"scale": "{10}"})
    assert template.fields == ("season",)
    assert template.format({"season": "fall"}) == "{x} fall at {10}"
