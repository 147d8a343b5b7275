"""The page of an evaluation of spectra."""

from __future__ import annotations

from rsforge.recipes.html.line_chart import Line
from rsforge.recipes.html.spectral_page import (
    Composite,
    LineChart,
    PatchView,
    SpectralReport,
    StageView,
    render_figures,
    render_page,
)

RESULT = {
    "title": "Stage <1>", "reading": "What it does.", "notes": ["one note"], "absent": {"x": "no <y>"},
    "baselines": {"ridge": "a regression"}, "units": {"sam_deg": "degrees", "ssim": ""},
    "directions": {"sam_deg": "lower", "ssim": "higher"},
    "figures": {
        "model": {"sam_deg": {"mean": 1.25, "low": 1, "high": 2}, "ssim": {"mean": None, "low": None, "high": None}},
        "ridge": {"sam_deg": {"mean": 2.5, "low": None, "high": None}, "ssim": {"mean": 0.5, "low": 0.4, "high": 0.6}},
    },
    "gain": {
        "sam_deg": {"over": "ridge", "mean": 1.25, "low": 0.5, "high": 2},
        "ssim": {"over": "ridge", "mean": None, "low": None, "high": None},
    },
}  # fmt: skip
RESULT["means"] = {
    "psnr_peak": 2.5,
    "absent": {"cc": "none <z>"},
    **{name: RESULT[name] for name in ("units", "directions", "figures", "gain")},
}


def test_a_table_names_predictors_where_columns_fall_away():
    table = render_figures(RESULT)
    assert '<span class="who">model </span>1.25<span class="interval"> [1, 2]</span>' in table
    assert '<span class="who">ridge </span>2.5<span' in table and " over ridge" in table
    assert "sam_deg, degrees (lower is better)" in table and "ssim (higher is better)" in table
    assert '<span class="who">model </span>-' in table


def test_all_of_a_stage_is_on_the_page_and_escaped():
    chart = LineChart("A <pixel>", [Line("truth", "truth", [[(1, 2), (2, 3)]])], "nm", "W")
    patch = PatchView("The <best>", [Composite("truth & more", b"png")])
    stages = [StageView(RESULT, [patch], [chart], chart)]
    page = render_page(SpectralReport("T", "L", [("1.25°", "of ridge")], stages, ["few scenes"], {"side": "val"}))
    escaped = ("Stage &lt;1&gt;", "The &lt;best&gt;", "truth &amp; more", "A &lt;pixel&gt;.", "no &lt;y&gt;")
    for words in (*escaped, "One note.", "Few scenes.", "1.25°", "base64,cG5n", "<td>val</td>"):
        assert words in page, words
    assert page.count("<svg") == 2 and "<script" not in page
