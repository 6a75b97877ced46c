"""The night in the terminal: what a person needs before coffee. Same facts as the HTML report, same role."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Any, TextIO

from include.reports.facts import Facts, read_facts
from include.reports.findings import find_gaps
from include.settings import Settings

WIDTH = 100
_COLOURS = {"green": "32", "amber": "33", "red": "31", "bold": "1", "dim": "2"}


def print_summary(night: date, settings: Settings | None = None, out: TextIO | None = None) -> str:
    """Print the summary of a closed night; returns its verdict. Colours only where ``out`` is a terminal."""
    settings = settings or Settings.from_environment(os.environ)
    out = out or sys.stdout
    facts = read_facts(night, settings)
    paint = _painter(out.isatty() and not os.environ.get("NO_COLOR"))
    out.write("\n".join(summary_lines(facts, paint, _report_path(settings, night))) + "\n")
    return facts.night.verdict


def _report_path(settings: Settings, night: date) -> str:
    from include.reports.night import report_path

    path = report_path(settings, night)
    return str(path) if path.exists() else ""


def _painter(is_terminal: bool):
    def paint(text: str, colour: str) -> str:
        return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m" if is_terminal else text

    return paint


def summary_lines(facts: Facts, paint=lambda text, colour: text, report: str = "") -> Iterator[str]:
    """The lines of the summary, in the order people ask."""
    yield ""
    yield paint(f"Night of {facts.night.night}", "bold") + f"  attempt {facts.night.attempt}, {_took(facts.night)}"
    yield ""
    yield from _sources(facts, paint)
    yield from _refused(facts, paint)
    yield from _unmapped(facts, paint)
    yield from _marts(facts, paint)
    yield from _equity(facts, paint)
    yield from _tiers(facts, paint)
    if report:
        yield paint("Report", "bold") + f"  {report}"
        yield ""
    yield from _verdict(facts, paint)


def _took(night: Any) -> str:
    return f"{(night.finished_at - night.started_at).total_seconds():.0f} s" if night.finished_at else "not finished"


def _sources(facts: Facts, paint) -> Iterator[str]:
    header = ("source", "received", "loaded", "duplicate", "quarantined", "gate", "quality")
    rows = [
        (s.source, f"{s.received:,}", f"{s.loaded:,}", f"{s.duplicate:,}", f"{s.quarantined:,}", _gate(s), _quality(s))
        for s in facts.sources
    ]
    yield from _table(header, rows, paint, numbers=(1, 2, 3, 4))


def _gate(source: Any) -> str:
    if source.missing:
        return "missing"
    if source.held_back:
        return f"{source.held_back} held back"
    if source.stale:
        return f"stale, {source.age_days} days old"
    return "passed" if source.promoted else "nothing new"


def _quality(source: Any) -> str:
    return "–" if source.quality is None else f"{source.quality:.2f} {source.quality_level}"


def _refused(facts: Facts, paint) -> Iterator[str]:
    if not facts.refused:
        return
    total = sum(row.records for row in facts.refused)
    reasons: dict[str, int] = {}
    for row in facts.refused:
        reasons[row.reason_code] = reasons.get(row.reason_code, 0) + row.records
    top = sorted(reasons.items(), key=lambda item: -item[1])
    shown = ", ".join(f"{reason} {count:,}" for reason, count in top[:5])
    more = f", {len(top) - 5} more reasons" if len(top) > 5 else ""
    text = f"{total:,} records ('make quarantine' shows where and why): {shown}{more}"
    yield from _wrapped(paint("Quarantined", "bold") + "  ", 13, text)
    yield ""


def _unmapped(facts: Facts, paint) -> Iterator[str]:
    if not facts.unmapped_codes:
        return
    problems: dict[str, int] = {}
    for row in facts.unmapped_codes:
        problems[row.problem] = problems.get(row.problem, 0) + row.records
    shown = ", ".join(f"{problem} {count:,}" for problem, count in sorted(problems.items(), key=lambda item: -item[1]))
    text = f"{facts.unmapped_codes[0].total:,} records that no value set finds (governance.unmapped_codes): {shown}"
    yield from _wrapped(paint("Unmapped  ", "bold"), 10, text)
    yield ""


def _marts(facts: Facts, paint) -> Iterator[str]:
    if not facts.marts:
        yield paint("Marts", "bold") + "  none published yet"
    for schema in dict.fromkeys(row.relation.split(".")[0] for row in facts.marts):
        tables = [row for row in facts.marts if row.relation.startswith(schema + ".")]
        listed = ", ".join(f"{row.relation.split('.')[1]} {row.rows:,}" for row in tables)
        yield from _wrapped(paint(f"{schema:10}", "bold"), 10, listed)
    yield ""


def _equity(facts: Facts, paint) -> Iterator[str]:
    gaps = find_gaps(facts, most=1)
    sentence = gaps[0].sentence if gaps else "no gap between groups is surely different from none"
    yield from _wrapped(paint(f"{'Equity':10}", "bold"), 10, sentence)
    yield ""


def _tiers(facts: Facts, paint) -> Iterator[str]:
    totals: dict[str, int] = {}
    for row in facts.tiers:
        totals[row.tier] = totals.get(row.tier, 0) + row.records
    listed = ", ".join(f"{tier} {count:,}" for tier, count in totals.items()) or "nothing yet"
    moved = f"; {len(facts.moves)} moves this night" if facts.moves else "; nothing was due to move"
    yield from _wrapped(paint(f"{'Tiers':10}", "bold"), 10, listed + moved)
    yield ""


def _verdict(facts: Facts, paint) -> Iterator[str]:
    verdict = facts.night.verdict
    meaning = {
        "green": "everything is in, checked and published",
        "amber": "published, with these things to know",
        "red": "not published: analysts still see the last good night",
    }
    if verdict == "red" and facts.night.published:
        meaning["red"] = "published, but a step after it failed"
    yield paint(verdict.upper(), verdict) + f"  {meaning[verdict]}"
    for reason in facts.night.reasons:
        yield from _wrapped(
            f"  {paint(reason['level'], reason['level'])}  ", 9, f"{reason['text']}  [{reason['promise']}]"
        )


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], paint, numbers: Iterable[int]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    right = set(numbers)

    def line(row: Sequence[str]) -> str:
        return "  ".join(
            c.rjust(w) if n in right else c.ljust(w) for n, (c, w) in enumerate(zip(row, widths, strict=True))
        ).rstrip()

    yield paint(line(header), "dim")
    for row in rows:
        yield line(row)
    yield ""


def _wrapped(label: str, indent: int, text: str) -> Iterator[str]:
    import textwrap

    lines = textwrap.wrap(text, WIDTH - indent) or [""]
    yield label + lines[0]
    yield from (" " * indent + line for line in lines[1:])
