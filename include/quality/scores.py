"""Quality as five numbers between 0 and 1 and one over them, from the counts of the gate. Never a constant.

    dimension = 1 - failed / tested        over the gate's rules, critical and warning alike, and the catalogue's checks;
                                           of a check that allows a share to fail, only what is beyond that share counts
    overall   = sum(weight * dimension) / sum(weight)    over the dimensions that were assessed

A dimension of which nothing was tested is None, and the weights of the others are scaled up. Records refused while
loading count as tested and failed for validity. Timeliness is the source's, from the age of its delivery:
1 up to ``max_age_days``, then max_age_days / age. Accuracy is agreement with a reference: another source of the same
person, the terminology itself, arithmetic between values; where none can be had it is None.

The interval is Wilson's (1927) for each dimension, combined by its distances from the estimates (MOVER, Zou and Donner 2008);
it takes tests as independent, which those of one record are not quite. The change is against the mean of the source's last
28 nights.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

import psycopg

from include.quality.batches import Batch
from include.quality.counting import ClassCount
from include.quality.policy import QualityPolicy, load_quality_policy
from include.quality.rules import DIMENSIONS, Rule


@dataclass(frozen=True, slots=True)
class Score:
    """One score: dimensions by name (None where nothing was assessed), overall with its 95% interval, level, and the formula."""

    data_class: str
    dimensions: Mapping[str, float | None]
    overall: float | None
    level: str | None
    formula: str
    low: float | None = None
    high: float | None = None


def score(
    data_class: str,
    counts: Mapping[str, tuple[int, int]],
    timeliness: float | None,
    policy: QualityPolicy,
    references: Mapping[str, int] | None = None,
) -> Score:
    """Score from dimension -> (tested, failed). ``timeliness`` is a share from 0 to 1, None where no age is promised;
    ``references`` says against what accuracy was tested, and how often."""
    found: dict[str, float | None] = {name: _share(*counts.get(name, (0, 0))) for name in DIMENSIONS}
    if timeliness is not None:
        found["timeliness"] = timeliness
    assessed = {name: value for name, value in found.items() if value is not None}
    weight = sum(policy.weights[name] for name in assessed)
    # Rounded far below what is shown, so that a score that is exactly a level's number is not just below it.
    overall = (
        round(sum(policy.weights[name] * value for name, value in assessed.items()) / weight, 9) if weight else None
    )
    level = None if overall is None else policy.level(overall)
    low, high = _interval(assessed, counts, overall, weight, policy)
    return Score(data_class, found, overall, level, formula(found, policy, references), low, high)


def _interval(
    assessed: Mapping[str, float],
    counts: Mapping[str, tuple[int, int]],
    overall: float | None,
    weight: float,
    policy: QualityPolicy,
) -> tuple[float | None, float | None]:
    """95% limits of the overall score; a dimension that is no share of tests, such as timeliness, adds no width."""
    if overall is None:
        return None, None
    below = above = 0.0
    for name, value in assessed.items():
        tested, failed = counts.get(name, (0, 0))
        if tested and abs(value - (1 - failed / tested)) < 1e-9:
            low, high = wilson(tested - failed, tested)
            share = policy.weights[name] / weight
            below, above = below + (share * (value - low)) ** 2, above + (share * (high - value)) ** 2
    return max(0.0, overall - below**0.5), min(1.0, overall + above**0.5)


def wilson(passed: float, tested: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson's 95% interval of a share (JASA 1927)."""
    share = passed / tested
    middle = (share + z * z / (2 * tested)) / (1 + z * z / tested)
    half = z / (1 + z * z / tested) * (share * (1 - share) / tested + z * z / (4 * tested * tested)) ** 0.5
    return max(0.0, middle - half), min(1.0, middle + half)


def _share(tested: int, failed: int) -> float | None:
    return None if tested == 0 else 1 - failed / tested


def formula(
    dimensions: Mapping[str, float | None], policy: QualityPolicy, references: Mapping[str, int] | None = None
) -> str:
    """The formula with this score's own weights, and what accuracy was measured against, for printing beside the number."""
    assessed = [name for name in DIMENSIONS if dimensions[name] is not None]
    left_out = [name for name in DIMENSIONS if dimensions[name] is None]
    if not assessed:
        return "nothing was assessed"
    total = sum(policy.weights[name] for name in assessed)
    terms = " + ".join(f"{policy.weights[name] / total:.3f} {name}" for name in assessed)
    missing = f"; not assessed: {', '.join(left_out)}" if left_out else ""
    against = ", ".join(f"{name} ({tests:,} tested)" for name, tests in sorted((references or {}).items()))
    accuracy = f"; accuracy against {against}" if against else ""
    return (
        f"overall = {terms}; each = 1 - failed / tested, of a check that allows a share to fail what is beyond it"
        f"{accuracy}{missing}"
    )


def timeliness(age_days: int | None, max_age_days: int | None) -> float | None:
    """1 while a delivery is no older than promised, then the promised age over the age; None without a promise."""
    if max_age_days is None or age_days is None:
        return None
    return 1.0 if age_days <= max_age_days else max_age_days / age_days


def record_dimensions(
    books: psycopg.Connection,
    batch: Batch,
    counts: Iterable[ClassCount],
    rules: Mapping[tuple[str, str], Rule],
    refused: int,
) -> None:
    """Keep a batch's counts by data class and dimension; ``refused`` records of loading count against validity."""
    sums: dict[tuple[str, str], tuple[int, int]] = {}
    rows_of: dict[str, int] = {}
    for each in counts:
        key = each.data_class, rules[each.label, each.rule].dimension
        tested, failed = sums.get(key, (0, 0))
        sums[key] = tested + each.tested, failed + each.failed
        rows_of[each.data_class] = max(rows_of.get(each.data_class, 0), each.tested)
    if refused and rows_of:
        key = max(rows_of, key=lambda name: rows_of[name]), "validity"
        tested, failed = sums.get(key, (0, 0))
        sums[key] = tested + refused, failed + refused
    books.execute("delete from quality.dimension_count where batch_id = %s", [batch.batch_id])
    with books.cursor() as cursor:
        cursor.executemany(
            "insert into quality.dimension_count values (%s, %s, %s, %s, %s)",
            [(batch.batch_id, *key, *numbers) for key, numbers in sorted(sums.items())],
        )


def score_source(books: psycopg.Connection, night: date, source: str) -> list[Score]:
    """Score a source's night from all its judged batches and write it to ``quality.score``, replacing what was there."""
    counts = books.execute(
        """select c.data_class, c.dimension, sum(c.tested)::bigint, sum(c.failed)::bigint
           from quality.dimension_count c join lifecycle.batch b using (batch_id)
           where b.night = %s and b.source = %s group by 1, 2
           union all
           select data_class, dimension, sum(tested)::bigint, sum(greatest(0, failed - floor(threshold * tested)))::bigint
           from quality.check_result
           where night = %s and source = %s and stage <> 'mart' and judge = 'engine' and status in ('passed', 'failed')
             and data_class is not null
           group by 1, 2""",
        [night, source, night, source],
    ).fetchall()
    state = books.execute(
        "select age_days, max_age_days from lifecycle.source_state where night = %s and source = %s", [night, source]
    ).fetchone()
    return _keep(
        books, night, source, _scores(counts, timeliness(*state) if state else None, _references(books, night, source))
    )


def score_marts(books: psycopg.Connection, night: date, source: str, mart_of: Mapping[str, str]) -> list[Score]:
    """Score every mart from the catalogue's checks of it, in the place of a data class of ``source``. ``mart_of``: subject of
    checks -> mart. Nobody promises a mart's age, so that timeliness is the sources' alone."""
    rows = books.execute(
        """select subject, dimension, check_name, sum(tested)::bigint, sum(greatest(0, failed - floor(threshold * tested)))::bigint
           from quality.check_result
           where night = %s and source = %s and stage = 'mart' and status in ('passed', 'failed') and subject = any(%s)
           group by 1, 2, 3""",
        [night, source, list(mart_of)],
    ).fetchall()
    counts = [(mart_of[subject], dimension, tested, failed) for subject, dimension, _, tested, failed in rows]
    references = _by_reference(
        (mart_of[subject], check, tested) for subject, dimension, check, tested, _ in rows if dimension == "accuracy"
    )
    return _keep(books, night, source, _scores(counts, None, references))


def _keep(books: psycopg.Connection, night: date, source: str, scores: list[Score]) -> list[Score]:
    """Write the scores in the place of those that were there."""
    books.execute("delete from quality.score where night = %s and source = %s", [night, source])
    for each in scores:
        _write(books, night, source, each)
    return scores


# What accuracy is measured against, by the check that does it.
_REFERENCES = {
    "agreesWithOtherSources": "other sources",
    "codeInTerminology": "terminology",
    "computedBodyMassIndex": "arithmetic",
    "computedSum": "arithmetic",
    "computedLength": "arithmetic",
}


def _references(books: psycopg.Connection, night: date, source: str) -> dict[str, dict[str, int]]:
    """Data class -> reference -> how often accuracy was tested against it."""
    rows = books.execute(
        """select data_class, check_name, sum(tested)::bigint from quality.check_result
           where night = %s and source = %s and stage <> 'mart' and dimension = 'accuracy' and status in ('passed', 'failed')
             and data_class is not null group by 1, 2""",
        [night, source],
    ).fetchall()
    return _by_reference(rows)


def _by_reference(rows: Iterable[tuple[str, str, int]]) -> dict[str, dict[str, int]]:
    """Data class or mart -> reference -> how often, from (data class or mart, check, how often)."""
    found: dict[str, dict[str, int]] = {}
    for data_class, check, tested in rows:
        of_class, name = found.setdefault(data_class, {}), _REFERENCES.get(check, "checks of one's own")
        of_class[name] = of_class.get(name, 0) + tested
    return found


def _write(books: psycopg.Connection, night: date, source: str, each: Score) -> None:
    compared, mean = books.execute(
        """select count(overall), avg(overall)::float8 from (
               select overall from quality.score where source = %s and data_class = %s and night < %s
               order by night desc limit 28) earlier""",
        [source, each.data_class, night],
    ).fetchone()
    change = None if each.overall is None or not compared else each.overall - mean
    books.execute(
        """insert into quality.score (night, source, data_class, completeness, accuracy, consistency, timeliness, validity,
               overall, level, formula, overall_low, overall_high, change, nights_compared)
           values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
        [
            night, source, each.data_class, *(each.dimensions[name] for name in DIMENSIONS), each.overall, each.level,
            each.formula, each.low, each.high, change, compared,
        ],
    )  # fmt: skip


def _scores(
    counts: Iterable[tuple[str, str, int, int]],
    of_source: float | None,
    references: Mapping[str, Mapping[str, int]] | None = None,
) -> list[Score]:
    by_class: dict[str, dict[str, tuple[int, int]]] = {}
    for data_class, dimension, tested, failed in counts:
        known = by_class.setdefault(data_class, {}).get(dimension, (0, 0))
        by_class[data_class][dimension] = (known[0] + tested, known[1] + failed)
    policy = load_quality_policy()
    known = references or {}
    return [score(name, found, of_source, policy, known.get(name)) for name, found in sorted(by_class.items())]
