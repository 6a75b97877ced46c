"""The gate's counts in the words of the catalogue, beside the catalogue's own: one list of everything that was checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import psycopg

from include.quality.batches import Batch
from include.quality.catalogue.at_the_door import result_of
from include.quality.catalogue.results import GATE, Result
from include.quality.catalogue.run import under_policy
from include.quality.check_table import Part
from include.quality.judge import Count


def keep(books: psycopg.Connection, batch: Batch, parts: Iterable[Part]) -> None:
    """Write the rules of a batch into ``quality.check_result``, summed over the batches of its source and night."""
    parts = tuple(parts)
    counts = _counts(books, batch)
    for part in parts:
        label = batch.dataset if part.suite.name == "contract_checks" else part.suite.resource_type
        for rule in part.rules:
            tested, failed, data_class = counts.get((part.label, rule.name), (0, 0, None))
            count = Count(tested, failed, None if tested is not None else "NotCounted")
            _write(books, batch, under_policy(result_of(label, rule, count, data_class), batch.source, batch.night))


def _counts(
    books: psycopg.Connection, batch: Batch
) -> Mapping[tuple[str, str], tuple[int | None, int | None, str | None]]:
    rows = books.execute(
        """select g.suite, g.rule, case when bool_or(g.status = 'error') then null else sum(g.tested) end::bigint,
                  case when bool_or(g.status = 'error') then null else sum(g.failed) end::bigint,
                  (select max(c.data_class) from quality.dimension_count c where c.batch_id = %(batch)s)
           from quality.gate_result g join lifecycle.batch b using (batch_id)
           where b.source = %(source)s and b.night = %(night)s and b.batch_id !~ '__r[^_]*$'
           group by g.suite, g.rule""",
        {"batch": batch.batch_id, "source": batch.source, "night": batch.night},
    ).fetchall()
    return {(suite, rule): (tested, failed, data_class) for suite, rule, tested, failed, data_class in rows}


def _write(books: psycopg.Connection, batch: Batch, each: Result) -> None:
    books.execute(
        """insert into quality.check_result (night, source, instance, check_name, subject, data_class, kahn_context, kahn_category,
               kahn_subcategory, dimension, status, tested, failed, threshold, error_code, judge)
           values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
           on conflict (night, stage, source, instance) do update set status = excluded.status, tested = excluded.tested,
               failed = excluded.failed, threshold = excluded.threshold, error_code = excluded.error_code, judged_at = clock_timestamp()""",
        [
            batch.night, batch.source, each.instance, each.check.name, each.subject, each.data_class, each.check.context,
            each.check.category, each.check.subcategory, each.check.dimension, each.status, each.tested, each.failed,
            each.threshold, each.error_code, GATE,
        ],
    )  # fmt: skip
