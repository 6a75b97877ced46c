"""Copies the night's books from hot to ``governance`` in warm, where analysts and readers can see them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import psycopg
from psycopg import sql

from include.settings import Settings
from include.warehouse.connect import connect
from include.warehouse.data_catalogue import publish_catalogue


@dataclass(frozen=True, slots=True)
class Book:
    """A table of governance and the query in hot that fills it, by the night whose rows are replaced."""

    table: str
    query: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    is_whole_night: bool = False  # what the night no longer says goes as well


BOOKS = (
    Book("nights", "select {} from lifecycle.night where night = %(night)s",
         ("night", "attempt", "started_at", "finished_at", "verdict", "published", "reasons"), ("night",)),
    Book("batches", "select {} from lifecycle.batch where night = %(night)s or promoted_at >= %(since)s or state = 'held_back'",
         ("batch_id", "night", "source", "dataset", "state", "received", "loaded", "duplicate", "quarantined",
          "quality_share", "held_reason"), ("batch_id",)),
    Book("quarantine", "select {} from quality.quarantine where night = %(night)s or state_changed_at >= %(since)s",
         ("quarantine_id", "batch_id", "night", "source", "dataset", "place", "scope", "records", "resource_type",
          "reason_code", "found", "expected", "action", "stage", "state"), ("quarantine_id",)),
    Book("gate_results", """select {} from quality.gate_result where judged_at >= %(since)s""",
         ("batch_id", "suite", "rule", "resource_type", "severity", "dimension", "status", "tested", "failed", "threshold"),
         ("batch_id", "suite", "rule")),
    Book("quality_scores", "select {} from quality.score where night = %(night)s",
         ("night", "source", "data_class", "completeness", "accuracy", "consistency", "timeliness", "validity", "overall",
          "level", "formula", "overall_low", "overall_high", "change", "nights_compared"), ("night", "source", "data_class")),
    Book("check_results", "select {} from quality.check_result where night = %(night)s",
         ("night", "source", "instance", "check_name", "subject", "data_class", "kahn_context", "kahn_category",
          "kahn_subcategory", "dimension", "status", "tested", "failed", "threshold", "error_code", "judge", "stage"),
         ("night", "stage", "source", "instance")),
    Book("drift", "select {} from quality.drift where night = %(night)s",
         ("night", "source", "signal", "subject", "kind", "value", "expected", "deviation", "nights_compared", "is_alarm"),
         ("night", "source", "signal")),
    Book("source_state", "select {} from lifecycle.source_state where night = %(night)s",
         ("night", "source", "kind", "required", "missing", "stale", "age_days", "max_age_days", "files_new", "files_known",
          "drift"), ("night", "source")),
    Book("steps", "select {} from lifecycle.step where night = %(night)s",
         ("step_id", "night", "attempt", "step", "source", "state", "started_at", "finished_at", "counts", "error_code",
          "memory_peak_mb"), ("step_id",)),
    Book("unmapped_codes", "select {} from quality.unmapped_code where night = %(night)s",
         ("night", "source", "kind", "problem", "system", "code", "records"),
         ("night", "source", "kind", "problem", "system", "code")),
    Book("unmapped_fields", "select {} from quality.unmapped_field where night = %(night)s",
         ("night", "source", "batch_id", "message_type", "field", "occurrences"), ("batch_id", "message_type", "field")),
    Book("tiers", """select {} from (select %(night)s::date as night, data_class, tier, count(*) as records
                     from lifecycle.record group by data_class, tier) counted""",
         ("night", "data_class", "tier", "records"), ("night", "data_class", "tier")),
    Book("tier_moves", "select {} from lifecycle.move where night = %(night)s",
         ("move_id", "night", "subject", "data_class", "from_tier", "to_tier", "records", "bytes", "finished_at"),
         ("move_id",)),
    Book("anonymity", "select {} from quality.anonymity where night = %(night)s",
         ("night", "without", "quasi_identifiers", "people", "classes", "smallest_class", "unique_people", "people_below_k",
          "k_threshold"), ("night", "without"), is_whole_night=True),
    Book("anonymity_class", "select {} from quality.anonymity_class where night = %(night)s",
         ("night", "size_from", "size_to", "classes", "people"), ("night", "size_from"), is_whole_night=True),
    Book("anonymity_attribute", "select {} from quality.anonymity_attribute where night = %(night)s",
         ("night", "attribute", "distance_kind", "values_known", "fewest_values", "fewest_entropy", "people_with_one_value",
          "greatest_distance", "mean_distance", "people_below_l", "l_threshold", "people_beyond_t", "t_threshold"),
         ("night", "attribute"), is_whole_night=True),
)  # fmt: skip


_ROWS_AT_ONCE = 2_000


def copy_books(hot: psycopg.Connection, night: date, settings: Settings) -> None:
    """Bring governance up to date with the books of one night, in one transaction of warm."""
    (since,) = hot.execute("select started_at from lifecycle.night where night = %s", [night]).fetchone()
    with connect("publisher", "warm", settings) as warm:
        for book in BOOKS:
            names = sql.SQL(", ").join(map(sql.Identifier, book.columns))
            if book.is_whole_night:
                warm.execute(
                    sql.SQL("delete from {} where night = %s").format(sql.Identifier("governance", book.table)), [night]
                )
            # Streamed: a bad delivery may have a million refusals.
            with hot.cursor(name="book") as rows:
                rows.itersize = _ROWS_AT_ONCE
                rows.execute(sql.SQL(book.query).format(names), {"night": night, "since": since})
                _upsert(warm, book, rows)
        publish_catalogue(hot, warm, night, settings)


def _upsert(warm: psycopg.Connection, book: Book, rows: Iterable[tuple]) -> None:
    columns, key = map(sql.Identifier, book.columns), map(sql.Identifier, book.key)
    fresh = sql.Identifier("fresh_" + book.table)
    table = sql.Identifier("governance", book.table)
    names = sql.SQL(", ").join(columns)
    warm.execute(sql.SQL("create temp table {} (like {}) on commit drop").format(fresh, table))
    with warm.cursor() as cursor, cursor.copy(sql.SQL("copy {} ({}) from stdin").format(fresh, names)) as copy:
        for row in rows:
            copy.write_row([psycopg.types.json.Jsonb(cell) if isinstance(cell, (list, dict)) else cell for cell in row])
    updates = sql.SQL(", ").join(
        sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in book.columns if name not in book.key
    )
    warm.execute(
        sql.SQL(
            "insert into {table} ({names}) select {names} from {fresh} on conflict ({key}) do update set {updates}"
        ).format(table=table, names=names, fresh=fresh, key=sql.SQL(", ").join(key), updates=updates)
    )
