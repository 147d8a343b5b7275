"""Values and tables as text of HTML."""

from __future__ import annotations

import pytest

from rsforge.recipes.html.document import format_value, render_document, render_table


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "yes"),
        (False, "no"),
        (None, "none"),
        (1 / 3, "0.333333"),
        (0.0, "0"),
        ([], "none"),
        ((1, [2.5, None]), "1, 2.5, none"),
        ("a", "a"),
    ],
)
def test_values_as_people_read_them(value, text):
    assert format_value(value) == text


def test_a_table_has_headings_and_escaped_cells():
    html = render_table([("a<b", 1, "&"), ("c",)])
    assert html == (
        '<table><tbody><tr><th scope="row">a&lt;b</th><td>1</td><td>&amp;</td></tr>'
        '<tr><th scope="row">c</th></tr></tbody></table>'
    )


def test_a_document_has_the_common_style_before_its_own():
    html = render_document("a & b", ["<p>1</p>", "<p>2</p>"], style="p { color: red }")
    assert "<title>a &amp; b</title>" in html and "<p>1</p>\n<p>2</p>" in html
    assert 0 < html.index("main {") < html.index("p { color: red }")
