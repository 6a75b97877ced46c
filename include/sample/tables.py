"""Printing scores as tables that fit a terminal."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from include.sample.coverage import Covered
from include.sample.note_score import NoteScore
from include.sample.outcomes_left import OutcomeScore
from include.sample.score import (
    CountScore,
    GapScore,
    GroupScore,
    KindScore,
    Refusal,
    SourceScore,
    precision_of,
    recall_of,
)


def lay_out(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return rows under a header, columns as wide as they need; numbers to the right."""
    texts = [[_cell(value) for value in row] for row in rows]
    widths = [max(len(row[place]) for row in [list(header), *texts]) for place in range(len(header))]
    numeric = [all(_is_number(row[place]) for row in texts) for place in range(len(header))]
    lines = [_line(header, widths, numeric), _line(["-" * width for width in widths], widths, numeric)]
    return "\n".join(lines + [_line(row, widths, numeric) for row in texts])


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _is_number(text: str) -> bool:
    return text == "-" or text.replace(".", "").replace("-", "").isdigit()


def _line(cells: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> str:
    return "  ".join(
        cell.rjust(width) if right else cell.ljust(width)
        for cell, width, right in zip(cells, widths, numeric, strict=True)
    ).rstrip()


def defect_table(scores: Sequence[KindScore], unplanted: Sequence[Refusal]) -> str:
    """Return the detection table: per kind planted, found, right reason, false alarms, recall and precision; totals below."""
    rows = [
        (
            score.family,
            score.kind,
            score.planted,
            score.found,
            score.right_reason,
            score.false_alarms,
            score.recall,
            score.precision,
        )
        for score in scores
    ]
    table = lay_out(
        ("family", "kind of defect", "planted", "found", "right reason", "false alarms", "recall", "precision"), rows
    )
    totals = ", ".join(f"{family} {_cell(recall_of(scores, family))}" for family in ("structural", "plausibility"))
    alarms = (
        ", ".join(
            f"{reason} {count}" for reason, count in sorted(Counter(each.reason_code for each in unplanted).items())
        )
        or "none"
    )
    return f"{table}\n\nrecall: {totals}; precision of all refusals: {_cell(precision_of(scores, unplanted))}; refused without a plant: {alarms}"


def source_table(scores: Sequence[SourceScore]) -> str:
    """Return detection per source."""
    rows = [
        (each.source, each.kinds, each.planted, each.right_reason, each.false_alarms, each.recall, each.precision)
        for each in scores
    ]
    return lay_out(("source", "kinds", "planted", "right reason", "false alarms", "recall", "precision"), rows)


def outcome_lines(scores: Sequence[OutcomeScore]) -> str:
    """Return how many stays and results are left as their last message says."""
    lines = [
        f"{each.right} of {each.planted} {each.of}s are left as corrections, merges and late arrivals say"
        for each in scores
    ]
    return "\n".join(lines) or "nothing was corrected, merged or overtaken"


def note_table(score: NoteScore) -> str:
    """Return recall and precision of the planted notes by class of identifier."""
    if not score.notes:
        return "no notes were planted" if not score.missing else f"{score.missing} notes have no text"
    header = ("class of identifier", "planted", "whole", "recall", "precision of its class")
    return (
        f"{lay_out(header, score.rows())}\n\n{score.notes} notes: recall {score.measure.recall():.4f}, "
        f"precision {score.measure.precision:.4f}, in characters; without a text: {score.missing}"
    )


def gap_table(scores: Sequence[GapScore]) -> str:
    """Return each difference: truth, estimate with interval, sign and whether the interval holds the truth."""
    rows = []
    for score in scores:
        told = score.estimate if score.is_told else None
        rows.append(
            (
                score.measure,
                score.dimension,
                f"{score.group} / {score.reference}",
                "yes" if score.is_planted else "no",
                score.truth,
                told and told.difference,
                told and told.lower,
                told and told.upper,
                _word(score.has_right_sign) if score.is_planted and told else "-",
                _word(score.is_covered) if told else "hidden",
            )
        )
    return lay_out(
        ("measure", "dimension", "groups", "planted", "truth", "estimate", "lower", "upper", "sign", "holds truth"),
        rows,
    )


def _word(value: bool) -> str:
    return "yes" if value else "NO"


def count_table(differing: Sequence[CountScore]) -> str:
    """Return the counts that differ from the key, or a sentence where none does."""
    if not differing:
        return "all counts are as the key says"
    return lay_out(
        ("source", "dataset", "count", "expected", "observed"),
        [(each.source, each.dataset, each.count, each.expected, each.observed) for each in differing],
    )


def group_table(compared: int, differing: Sequence[GroupScore]) -> str:
    """Return the groups that a measure counted otherwise than the key, or a sentence where it counted none so."""
    if not differing:
        return f"{compared} groups of all measures have exactly the people and events of the key"
    rows = [
        (each.measure, each.dimension, each.group, *each.expected, *(each.observed or (None, None)))
        for each in differing
    ]
    header = ("measure", "dimension", "group", "people", "events", "people found", "events found")
    return f"{lay_out(header, rows)}\n{len(differing)} of {compared} groups differ"


def pair_line(pairs: Mapping[str, float | int | None]) -> str:
    """Return a sentence on people recognised across sources."""
    return (
        f"{pairs['right']} of {pairs['made']} joined pairs of records are of one person (precision {_cell(pairs['precision'])}); "
        f"of {pairs['tellable']} pairs that records can tell, recall {_cell(pairs['recall'])}"
    )


def leak_table(found: Counter[tuple[str, str]]) -> str:
    """Return where identifiers stand in clear, by kind, or a sentence where none does."""
    if not found:
        return "no planted identifier stands in clear"
    return lay_out(("place", "kind", "hits"), [(place, kind, count) for (place, kind), count in sorted(found.items())])


def coverage_table(covered: Sequence[Covered]) -> str:
    """Return how often intervals held the truth."""
    return lay_out(
        ("measure", "interval of", "intervals", "hold the truth", "exclude none"),
        [
            (each.measure, each.what, each.intervals, each.share, each.excluding_none / each.intervals)
            for each in covered
        ],
    )
