"""The page of an audit."""

from __future__ import annotations

import os
import re

import numpy as np

from tests.worlds.commands import rsforge
from tests.worlds.pairs import save, write_pairs


def test_the_page_is_whole_and_escapes_names(tmp_path):
    root = tmp_path / "<b>data"
    names = ["<script>alert(1)<|script>.png", 'a&b".png', os.fsdecode(b"\xff\xfe.png")]
    for k, name in enumerate(names):
        save(root / "plain" / f"{k}.png", np.full((16, 16, 3), k, np.uint8))
        (root / "plain" / f"{k}.png").rename(root / "plain" / name)
    assert rsforge("data audit --data-dir {}", root) == 3
    page = (root / "audit.html").read_text("utf-8")
    assert (
        "<script" not in page
        and "&lt;script&gt;alert(1)" in page
        and "a&amp;b&quot;" in page
        and "&lt;b&gt;data" in page
    )
    assert page.count("<img") == 3 + 3 and "prefers-color-scheme: dark" in page
    assert set(re.findall(r'(?:src|href)="(\w+:|#|.)', page)) <= {"data:", "#"} and "http" not in page


def test_the_page_draws_some_and_names_the_others(tmp_path):
    for k in range(30):
        save(tmp_path / f"{k:02d}.png", np.full((16, 16, 3), k, np.uint8))
    assert rsforge("data audit --data-dir {}", tmp_path) == 3
    page = (tmp_path / "audit.html").read_text("utf-8")
    assert page.count("<img") == 24 + 12 and "and 18 more" in page and "29.png" in page


def test_the_page_shows_a_contact_sheet_and_a_histogram_of_each_modality(tmp_path):
    write_pairs(tmp_path, ("agri",), count=4, size=32)
    rsforge("data audit --data-dir {}", tmp_path)
    page = (tmp_path / "audit.html").read_text("utf-8")
    sheet = page[page.index('class="sheet"') : page.index('class="pictures"')]
    items = sheet.count("<figure>")
    assert items > 0 and sheet.count("<img") == 2 * items
    assert "values of sar" in page and "values of optical" in page and page.count("<rect") == 2 * 64


def test_no_word_breaks_on_a_narrow_screen_and_links_have_a_colour(tmp_path):
    write_pairs(tmp_path, ("agri",), count=4, size=32)
    rsforge("data audit --data-dir {}", tmp_path)
    page = (tmp_path / "audit.html").read_text("utf-8")
    assert "@media (max-width: 40rem) {\n  main" in page and "table, tbody, tr, th, td { display: block; }" in page
    assert "a { color: var(--blue);" in page and "minmax(min(20rem, 100%), 1fr)" in page
