"""Anyone's table of groups in, summary measures out: one row an indicator, dimension and measure."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from include.equity import summaries
from include.equity.dispersion import theil_decomposition
from include.equity.groups import Groups, GroupsError, Summary, with_note
from include.equity.reading import KEYS, Row, by_dimension, read_table

OUTPUT = (*KEYS, "measure", "estimate", "se", "lower", "upper", "note")
# WHO (HEAT technical notes): groups without an order may lack up to 15% of their number, ordered ones none.
MOST_MISSING = 0.15


def summarise_table(
    table: Path, out: Path, confidence: float = 0.95, weak_evidence_errors: float = summaries.WEAK_EVIDENCE_ERRORS
) -> int:
    """Read ``table``, write one row an indicator, dimension and measure to ``out``, whole or not at all. Returns how many.

    Raises TableError saying which columns and lines are wrong and what to do, GroupsError on an impossible confidence.
    """
    if not 0 < confidence < 1:
        raise GroupsError(found="a confidence that is not between 0 and 1", expected="0.95, say", action="correct it")
    rows = read_table(table)
    unfinished = out.with_name(out.name + ".part")
    written = 0
    with unfinished.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(OUTPUT)
        for keys, summary in summarise_rows(rows, confidence, weak_evidence_errors):
            writer.writerow([*keys, summary.measure, *map(_cell, _numbers(summary)), summary.note])
            written += 1
    unfinished.replace(out)
    return written


def _numbers(summary: Summary) -> tuple[float, float, float, float]:
    return summary.estimate, summary.se, summary.lower, summary.upper


def _cell(number: float) -> str:
    return repr(float(number)) if math.isfinite(number) else ""


def summarise_rows(
    rows: Sequence[Row], confidence: float = 0.95, weak_evidence_errors: float = summaries.WEAK_EVIDENCE_ERRORS
) -> Iterator[tuple[tuple[str, ...], Summary]]:
    """Yield (setting, date, indicator, dimension) and each summary of it, in the order of the keys."""
    for keys, members in by_dimension(rows):
        with np.errstate(all="ignore"):
            for summary in _summarise_dimension(members, confidence, weak_evidence_errors):
                yield keys, summary


@dataclass(frozen=True, slots=True)
class _Usable:
    """The groups that a kind of measure can be made from, or why it cannot."""

    rows: tuple[Row, ...] = ()
    reason: str = ""
    note: str = ""


def _summarise_dimension(rows: Sequence[Row], confidence: float, least_errors: float) -> Iterator[Summary]:
    is_ordered = rows[0].is_ordered
    simple, weighted = _for_pairs(rows), _for_weighted(rows)
    told = {"confidence": confidence, "weak_evidence_errors": least_errors}
    if simple.reason:
        names = summaries.ALWAYS if is_ordered else (*summaries.ALWAYS, *summaries.UNORDERED_SIMPLE)
        yield from summaries.refused(names, simple.reason)
    else:
        yield from _noted(summaries.simple_measures(_as_groups(simple.rows), **told), simple.note)
    if weighted.reason:
        names = summaries.ORDERED_WEIGHTED if is_ordered else summaries.UNORDERED_WEIGHTED
        yield from summaries.refused((*names, *summaries.IMPACT), weighted.reason)
    else:
        groups = _as_groups(weighted.rows)
        yield from _noted(summaries.weighted_measures(groups, **told), weighted.note)
        yield from _decomposed(weighted.rows, groups)


def _noted(found: Iterable[Summary], note: str) -> Iterator[Summary]:
    for summary in found:
        yield with_note(summary, note)


def _for_pairs(rows: Sequence[Row]) -> _Usable:
    """Groups with an estimate. An order needs its two ends, groups without one at least 85% of their number."""
    found = [row for row in rows if not math.isnan(row.estimate)]
    missing = len(rows) - len(found)
    if rows[0].is_ordered:
        ends = (min(rows, key=lambda row: row.order), max(rows, key=lambda row: row.order))
        if any(math.isnan(row.estimate) for row in ends):
            return _Usable(reason=f"{missing} of {len(rows)} ordered groups have no estimate, one at an end among them")
    return _enough(rows, found, "estimate", must_be_whole=False)


def _for_weighted(rows: Sequence[Row]) -> _Usable:
    """Groups with an estimate and a population: all of them in an order, at least 85% without one."""
    estimated = _enough(
        rows, [r for r in rows if not math.isnan(r.estimate)], "estimate", must_be_whole=rows[0].is_ordered
    )
    if estimated.reason:
        return estimated
    found = [row for row in estimated.rows if not math.isnan(row.population)]
    populated = _enough(rows, found, "estimate and population" if estimated.note else "population", rows[0].is_ordered)
    if not populated.reason and not sum(row.population for row in populated.rows) > 0:
        return _Usable(reason="nobody is in any group")
    return populated


def _enough(rows: Sequence[Row], found: Sequence[Row], what: str, must_be_whole: bool) -> _Usable:
    missing, many = len(rows) - len(found), len(rows)
    if len(rows) == 1:
        return _Usable(reason="there is one group only, and nothing to compare it with")
    if missing and must_be_whole:
        return _Usable(reason=f"{missing} of {many} ordered groups have no {what}")
    if missing / many > MOST_MISSING and not rows[0].is_ordered:
        return _Usable(reason=f"{missing} of {many} groups have no {what}, more than 15%")
    if len(found) < 2:
        return _Usable(reason=f"fewer than two groups have an {what}")
    note = f"left out for want of {what}: {missing} of {many} groups" if missing else ""
    return _Usable(tuple(found), note=note)


def _decomposed(rows: Sequence[Row], groups: Groups) -> Iterator[Summary]:
    """Theil's index between and within parents, where the table names a parent of every group."""
    if groups.order is not None or not all(row.parent for row in rows) or not groups.mean > 0:
        return
    between, within = theil_decomposition(groups, tuple(row.parent for row in rows))
    parents = len({row.parent for row in rows})
    for name, part in (("ti_between", between), ("ti_within", within)):
        yield Summary(name, summaries.PER_MILLE * part, note=f"part of ti that lies {name[3:]} {parents} parents")


def _as_groups(rows: Sequence[Row]) -> Groups:
    references = [place for place, row in enumerate(rows) if row.is_reference]
    has_population = all(row.population >= 0 for row in rows) and any(row.population > 0 for row in rows)
    return Groups(
        names=tuple(row.subgroup for row in rows),
        estimate=np.array([row.estimate for row in rows]),
        se=np.array([row.se for row in rows]),
        population=np.array([row.population if has_population else 1.0 for row in rows]),
        is_favourable=rows[0].is_favourable,
        order=np.array([row.order for row in rows]) if rows[0].is_ordered else None,
        reference=references[0] if references and not rows[0].is_ordered else None,
        scale=rows[0].scale,
    )
