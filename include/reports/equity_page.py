"""The standalone page on equity: every published measure by group, gaps over time, maps and findings, in one file."""

from __future__ import annotations

from pathlib import Path

from include.equity.findings_policy import FindingsPolicy
from include.equity.places import read_shapes
from include.equity.policy import EquityPolicy
from include.equity.shown import view_measure
from include.privacy.disclosure import DisclosurePolicy
from include.reports.area_map import map_measure
from include.reports.findings import TREND_WORDS, find_gaps, not_known
from include.reports.measure_blocks import measure_block
from include.reports.page_templates import page_templates
from include.reports.published import Published, read_published
from include.settings import Settings

NO_SHAPES = (
    "Maps show dots at the middle of each ZIP3: no shapes were given. For areas, give a GeoJSON with a property zip3 or "
    "state: make equity PAGE=out.html SHAPES=areas.geojson."
)


def write_equity_page(out: Path, settings: Settings, *, shapes: Path | None = None) -> Path:
    """Write the page, whole or not at all, and return where it is. Raises ReportError where nothing is published."""
    unfinished = out.with_name(out.name + ".part")
    unfinished.write_text(render_equity(read_published(settings), shapes), encoding="utf-8")
    unfinished.replace(out)
    return out


def render_equity(published: Published, shapes: Path | None = None) -> str:
    """The page as text. Everything that came from data is escaped."""
    outlines = read_shapes(shapes) if shapes else None
    equity, policy = EquityPolicy.load(), FindingsPolicy.load()
    seen = [view_measure(each, published.results, published.disparities, equity, policy) for each in published.measures]
    blocks = [measure_block(view) for view in seen if view is not None]
    return (
        page_templates()
        .get_template("equity.html.j2")
        .render(
            night=published.night,
            blocks=blocks,
            maps={block.slug: map_measure(block.view, outlines) for block in blocks},
            not_known=not_known(published.results),
            map_note="" if shapes else NO_SHAPES,
            gaps=find_gaps(published, most=40, policy=policy),
            policy=policy,
            trend_words=TREND_WORDS,
            minimum_cell=DisclosurePolicy.load().minimum_cell,
        )
    )
