"""Quality as five numbers between 0 and 1 and one over them, from the counts of the gate. Never a constant.

    dimension = 1 - failed / tested        over all rules of the dimension, critical and warning alike
    overall   = sum(weight * dimension) / sum(weight)    over the dimensions that were assessed

A dimension of which nothing was tested is None, and the weights of the others are scaled up. Records refused while
loading count as tested and failed for validity. Timeliness is the source's, from the age of its delivery:
1 up to ``max_age_days``, then max_age_days / age. Accuracy needs a reference to agree with; until a rule brings one it
is None.
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
from include.settings import Settings
from include.warehouse.connect import connect


@dataclass(frozen=True, slots=True)
class Score:
    """One score: dimensions by name (None where nothing was assessed), overall, level, and the formula in words."""

    data_class: str
    dimensions: Mapping[str, float | None]
    overall: float | None
    level: str | None
    formula: str


def score(
    data_class: str, counts: Mapping[str, tuple[int, int]], timeliness: float | None, policy: QualityPolicy
) -> Score:
    """Score from dimension -> (tested, failed). ``timeliness`` is a share from 0 to 1, None where no age is promised."""
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
    return Score(data_class, found, overall, level, formula(found, policy))


def _share(tested: int, failed: int) -> float | None:
    return None if tested == 0 else 1 - failed / tested


def formula(dimensions: Mapping[str, float | None], policy: QualityPolicy) -> str:
    """The formula with this score's own weights, for printing beside the number."""
    assessed = [name for name in DIMENSIONS if dimensions[name] is not None]
    left_out = [name for name in DIMENSIONS if dimensions[name] is None]
    if not assessed:
        return "nothing was assessed"
    total = sum(policy.weights[name] for name in assessed)
    terms = " + ".join(f"{policy.weights[name] / total:.3f} {name}" for name in assessed)
    missing = f"; not assessed: {', '.join(left_out)}" if left_out else ""
    return f"overall = {terms}; each = 1 - failed / tested{missing}"


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


def score_batch(batch_id: str, settings: Settings | None = None) -> list[Score]:
    """The scores of one batch, a data class each; empty where nothing was judged."""
    with connect("checker", "hot", settings) as books:
        counts = books.execute(
            "select data_class, dimension, tested, failed from quality.dimension_count where batch_id = %s", [batch_id]
        ).fetchall()
        state = books.execute(
            """select s.age_days, s.max_age_days from lifecycle.batch b
               join lifecycle.source_state s on (s.night, s.source) = (b.night, b.source) where b.batch_id = %s""",
            [batch_id],
        ).fetchone()
    return _scores(counts, timeliness(*state) if state else None)


def score_source(books: psycopg.Connection, night: date, source: str) -> list[Score]:
    """Score a source's night from all its judged batches and write it to ``quality.score``, replacing what was there."""
    counts = books.execute(
        """select c.data_class, c.dimension, sum(c.tested)::bigint, sum(c.failed)::bigint
           from quality.dimension_count c join lifecycle.batch b using (batch_id)
           where b.night = %s and b.source = %s group by 1, 2""",
        [night, source],
    ).fetchall()
    state = books.execute(
        "select age_days, max_age_days from lifecycle.source_state where night = %s and source = %s", [night, source]
    ).fetchone()
    scores = _scores(counts, timeliness(*state) if state else None)
    books.execute("delete from quality.score where night = %s and source = %s", [night, source])
    for each in scores:
        books.execute(
            """insert into quality.score (night, source, data_class, completeness, accuracy, consistency, timeliness,
                   validity, overall, level, formula) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
            [
                night,
                source,
                each.data_class,
                *(each.dimensions[name] for name in DIMENSIONS),
                each.overall,
                each.level,
                each.formula,
            ],
        )
    return scores


def _scores(counts: Iterable[tuple[str, str, int, int]], of_source: float | None) -> list[Score]:
    by_class: dict[str, dict[str, tuple[int, int]]] = {}
    for data_class, dimension, tested, failed in counts:
        by_class.setdefault(data_class, {})[dimension] = (tested, failed)
    policy = load_quality_policy()
    return [score(data_class, found, of_source, policy) for data_class, found in sorted(by_class.items())]
