"""The page on equity: what it says, that everybody can read it, and that a real browser shows it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from lxml import html
from shapely.geometry import box, mapping

from include.reports.area_map import describe_pattern
from include.reports.equity_page import render_equity
from include.reports.page_templates import TEMPLATES
from tests.published_rows import closing_gap, published

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"


@pytest.fixture(scope="module")
def page() -> str:
    return render_equity(closing_gap())


@pytest.fixture(scope="module")
def tree(page: str) -> html.HtmlElement:
    return html.fromstring(page)


def test_the_page_has_its_language_title_landmarks_and_one_first_heading(tree) -> None:
    assert tree.get("lang") == "en"
    assert tree.findtext(".//title").strip()
    assert [len(tree.findall(f".//{name}")) for name in ("main", "h1", "header", "nav", "footer")] == [1, 1, 1, 1, 1]
    assert tree.find(".//a[@class='skip']").get("href") == f"#{tree.find('.//main').get('id')}"
    levels = [int(each.tag[1]) for each in tree.iter("h1", "h2", "h3")]
    assert all(later - earlier <= 1 for earlier, later in zip(levels, levels[1:], strict=False))


def test_every_picture_says_in_words_what_it_shows(tree) -> None:
    pictures = tree.findall(".//svg")
    assert len(pictures) >= 3
    for picture in pictures:
        assert picture.get("role") == "img"
        assert len(picture.get("aria-label")) > 40


def test_every_table_has_headers_with_a_scope_and_no_id_stands_twice(tree) -> None:
    tables = tree.findall(".//table")
    assert tables
    for table in tables:
        assert table.findall(".//thead//th")
        assert table.findtext("caption").strip()
        assert all(cell.get("scope") in ("col", "row") for cell in table.iter("th"))
        assert all(row.find("th") is not None for row in table.findall(".//tbody/tr"))
    names = [each.get("id") for each in tree.iter() if each.get("id")]
    assert len(names) == len(set(names))
    targets = {each.get("href")[1:] for each in tree.iter("a") if each.get("href").startswith("#")}
    assert targets <= set(names)


def test_what_scrolls_can_be_reached_by_keyboard_and_has_a_name(tree) -> None:
    for each in tree.findall(".//div[@class='scroll']"):
        assert (each.get("tabindex"), each.get("role")) == ("0", "region")
        assert each.get("aria-label")


def test_a_closing_gap_is_told_with_its_size_trend_and_next_step(tree) -> None:
    told = tree.find(".//ol[@class='gaps']").text_content()
    assert "medicaid" in told
    assert "the largest group" in told
    assert "the gap is closing" in told
    assert "Clear in every period shown since 2018" in told
    assert "keep on with what is being done" in told or "set a target" in told
    assert "self pay" not in told


def test_hidden_groups_keep_their_row_and_show_no_number(tree) -> None:
    row = next(row for row in tree.findall(".//tr") if row.findtext("th") == "self pay")
    assert not re.search(r"\d", "".join(cell.text_content() for cell in row.findall("td")[:-1]))
    assert "hidden so that" in row.text_content()


def test_names_from_data_are_escaped() -> None:
    text = render_equity(published({"2025": {"private": (40, 90), "<script>alert(1)</script>": (30, 90)}}))
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text


def _luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_text_and_marks_stand_out_as_wcag_aa_asks() -> None:
    css = (TEMPLATES / "night.css").read_text()
    colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", css)) | {
        "white": "#ffffff",
        "note": "#fff6e5",
        "plain": "#24405f",
    }
    text = [
        ("ink", "white"),
        ("quiet", "white"),
        ("quiet", "soft"),
        ("accent", "white"),
        ("ink", "note"),
        ("quiet", "note"),
    ]
    text += [("white", ground) for ground in ("green", "amber", "red", "quiet", "plain")]
    assert {
        pair: _contrast(*(colours[c] for c in pair)) for pair in text if _contrast(*(colours[c] for c in pair)) < 4.5
    } == {}
    assert _contrast(colours["accent"], colours["white"]) >= 3, "dots and lines"
    assert _contrast("#0b3f70", colours["soft"]) >= 3, "outlines of areas"


def test_shapes_make_a_map_with_a_legend_and_words(tmp_path: Path) -> None:
    import json

    zips = [f"0{n}" for n in range(10, 26)]
    areas = {zips[n]: box(n % 4, n // 4, n % 4 + 1, n // 4 + 1) for n in range(16)}
    file = tmp_path / "areas.geojson"
    file.write_text(json.dumps({"type": "FeatureCollection", "features": [
        {"type": "Feature", "properties": {"zip3": area}, "geometry": mapping(shape)} for area, shape in areas.items()]}))  # fmt: skip
    counts = {area: (30 + 4 * n, 120) for n, area in enumerate(zips)}
    tree = html.fromstring(render_equity(published({"2025": counts}, "zip3", zips[0]), file))
    drawn = tree.find(".//figure[@class='area-map']")
    assert len(drawn.findall(".//path")) == 16
    assert "Moran's I" in drawn.text_content()
    assert "areas that share a border" in drawn.find(".//svg").get("aria-label")
    assert "no shapes were given" not in tree.text_content()


def test_without_shapes_zip3s_are_dots_and_the_page_says_how_to_get_areas() -> None:
    counts = {zip3: (30 + 4 * n, 120) for n, zip3 in enumerate(["010", "021", "000", "unknown"])}
    tree = html.fromstring(render_equity(published({"2025": counts}, "zip3", "021")))
    assert len(tree.findall(".//figure[@class='area-map']//circle")) == 2
    assert "SHAPES=areas.geojson" in tree.text_content()
    assert "Without a place on the map: ZIP3 000." in tree.text_content()


def test_one_group_alone_is_not_said_to_be_compared_with() -> None:
    text = html.fromstring(render_equity(published({"2025": {"021": (30, 120)}}, "zip3", "021"))).text_content()
    assert "Only one group's rate is shown" in text
    assert "Gaps are to 021" not in text


def test_too_few_areas_are_not_tested() -> None:
    assert "it takes 8" in describe_pattern({"021": 0.1, "022": 0.2}, {}, {})


def _ask_browser(page: str, probe: str, width: int, folder: Path) -> str:
    """The page's title after ``probe`` ran in a real browser of that width."""
    folder.mkdir()
    file = folder / "page.html"
    file.write_text(page.replace("</body>", f"<script>document.title = {probe};</script></body>"), encoding="utf-8")
    shown = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}",
         f"--window-size={width},900", "--dump-dom", file.as_uri()],
        capture_output=True, text=True, timeout=180,
    ).stdout  # fmt: skip
    return html.fromstring(shown).findtext(".//title")


@pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="no chromium on this machine")
@pytest.mark.parametrize("width", [1200, 420])
def test_a_real_browser_shows_the_page_without_running_past_its_width(page: str, width: int, tmp_path: Path) -> None:
    probe = """[document.documentElement.scrollWidth <= window.innerWidth, Array.from(document.querySelectorAll('svg')).filter(
        function (s) { return s.getBoundingClientRect().height > 20; }).length].join(' ')"""
    fits, drawn = _ask_browser(page, probe, width, tmp_path / "seen").split()
    assert fits == "true", f"wider than {width} pixels"
    assert int(drawn) >= 2


@pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="no chromium on this machine")
def test_printed_tables_end_within_the_paper(page: str, tmp_path: Path) -> None:
    name = "Encounter.measureObservationPeriodOverlap.happened_at[class_code=IMP|ACUTE|NONAC]"
    row = (
        f"<tr><td><code>{name}</code></td>{'<td>radiology, against other sources</td><td class=n>1,537</td>' * 3}</tr>"
    )
    command = "<code>make replay BATCH=south__home_readings__20261125__fac862347748 REASON=&quot;…&quot; BY=you</code>"
    tables = f"<div class=scroll><table>{row}<tr><td colspan=7>{command * 3}</td></tr></table></div>"
    printed = (
        page.replace("@media print", "@media screen")
        .replace("<details", "<details open")
        .replace("</main>", tables + "</main>")
    )
    probe = "Math.max(...Array.from(document.querySelectorAll('table')).map(function (t) { return t.getBoundingClientRect().right; }))"
    paper = 1032  # A4 on its side less the margins, at 96 dots an inch
    assert float(_ask_browser(printed, probe, paper, tmp_path / "printed")) <= paper
