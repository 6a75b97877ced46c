"""How well people are hidden in the row-level marts, for the night's page and for a terminal: counts, never a trait."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from include.reports.facts import ANONYMITY, ReportError
from include.settings import Settings

BAR_WIDTH = 300.0
TERMINAL_BAR = 40


@dataclass(frozen=True, slots=True)
class SizeBar:
    """People in classes of one size: share of all, and the bar's length in SVG units."""

    label: str
    share: float
    width: float
    classes: int


@dataclass(frozen=True, slots=True)
class AnonymityView:
    """A night's measurement as it is shown."""

    whole: Any
    bars: tuple[SizeBar, ...]
    attributes: tuple[Any, ...]
    left_out: tuple[Any, ...]

    @property
    def unique_share(self) -> float:
        """Share of people who are alone in their class."""
        return share_of(self.whole.unique_people, self.whole.people)

    @property
    def traits(self) -> str:
        """The quasi-identifiers in words."""
        *first, last = map(trait_name, self.whole.quasi_identifiers.split(", "))
        return f"{', '.join(first)} and {last}" if first else last

    @property
    def described(self) -> str:
        """The picture in words."""
        parts = ", ".join(f"{bar.share:.1%} in classes of {bar.label}" for bar in self.bars)
        return f"People by how many share all their quasi-identifiers: {parts}."


def view_anonymity(rows: Sequence[Any], classes: Sequence[Any], attributes: Sequence[Any]) -> AnonymityView | None:
    """The view of one night's rows of ``governance.anonymity`` and its two companions; None where nothing was measured."""
    whole = next((row for row in rows if row.without == ""), None)
    if whole is None or not whole.people:
        return None
    left_out = sorted((row for row in rows if row.without), key=lambda row: (row.unique_people, row.without))
    bars = tuple(
        SizeBar(_size(row), share_of(row.people, whole.people), round(BAR_WIDTH * row.people / whole.people, 1), row.classes)
        for row in sorted(classes, key=lambda row: row.size_from)
    )  # fmt: skip
    # The least diverse first: where most people would give the attribute away.
    ranked = sorted(attributes, key=lambda row: (-row.people_with_one_value, row.fewest_values, row.attribute))
    return AnonymityView(whole, bars, tuple(ranked), tuple(left_out))


def share_of(part: int, whole: int) -> float:
    """A share between 0 and 1; 0 of nothing."""
    return part / whole if whole else 0.0


def trait_name(column: str) -> str:
    """A quasi-identifier as people say it."""
    return {"age_years": "age", "zip3": "ZIP3", "race_ethnicity": "race and ethnicity"}.get(
        column, column.replace("_", " ")
    )


def _size(row: Any) -> str:
    if row.size_to is None:
        return f"{row.size_from} or more"
    return "1 (alone)" if row.size_to == 1 else f"{row.size_from} to {row.size_to}"


def lines_of(view: AnonymityView, night: date) -> Iterator[str]:
    """The same for a terminal."""
    whole = view.whole
    yield f"Anonymity of the row-level marts, night of {night}, read as the role reader"
    yield f"{whole.people:,} people in {whole.classes:,} classes by {view.traits}; k = {whole.smallest_class}"
    yield f"{whole.unique_people:,} people ({view.unique_share:.1%}) share them with nobody; {threshold_text(whole)}"
    yield ""
    yield "People by size of their class"
    names = max(len(bar.label) for bar in view.bars)
    for bar in view.bars:
        yield f"  {bar.label:<{names}} {bar.share:>7.1%}  {'█' * round(TERMINAL_BAR * bar.share)}".rstrip()
    yield ""
    names = max([len(row.attribute) for row in view.attributes] + [9])
    yield f"  {'attribute':<{names}} {'values':>7} {'fewest (l)':>11} {'by entropy':>11} {'one value':>10} {'furthest (t)':>13} {'mean':>6}"
    for row in view.attributes:
        alone = share_of(row.people_with_one_value, whole.people)
        yield (
            f"  {row.attribute:<{names}} {row.values_known:>7,} {row.fewest_values:>11} {row.fewest_entropy:>11.2f} {alone:>10.1%}"
            f" {row.greatest_distance:>13.3f} {row.mean_distance:>6.3f}"
        )
    yield ""
    yield "Alone when one is left out"
    names = max([len(trait_name(row.without)) for row in view.left_out] + [1])
    for row in view.left_out:
        yield f"  without {trait_name(row.without):<{names}} {share_of(row.unique_people, whole.people):>7.1%}"


def threshold_text(whole: Any) -> str:
    """What the policy asks of class sizes, in words."""
    if whole.k_threshold is None:
        return "no threshold is set in disclosure.yml, so nothing is held back for it"
    return f"{whole.people_below_k:,} people in classes of fewer than {whole.k_threshold}, the policy's threshold"


def read_anonymity(settings: Settings, night: date | None = None) -> tuple[AnonymityView, date]:
    """The measurement of a night, or of the newest. Raises ReportError where there is none."""
    from psycopg.rows import namedtuple_row

    from include.warehouse.connect import connect

    with connect("reader", "warm", settings) as warm:
        warm.row_factory = namedtuple_row
        newest = warm.execute("select max(night) as night from governance.anonymity").fetchone().night
        night = night or newest
        view = view_anonymity(*(warm.execute(query, {"night": night}).fetchall() for query in ANONYMITY.values()))
    if view is None:
        raise ReportError(
            found=f"no anonymity was measured in the night of {night}" if newest else "no anonymity was measured yet",
            expected=f"a night that reached its audit{f', such as {newest}' if newest else ''}",
            action="give DAY= such a night, or run 'make nightly'",
        )
    return view, night
