"""The catalogue of data in ``governance.datasets``: what there is, whose, where, until when, from what, how good, last read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal

import psycopg

from include.lifecycle.policy import Retention, load_retention
from include.quality.catalogue.marts import SOURCE as MARTS
from include.settings import Settings

_COLUMNS = (
    "dataset, place, data_class, owner, classification, tier, records, first_year, last_year, kept_to, comes_from, quality, "
    "last_read, night"
)
_MART_CLASS = "population_metrics"
_OF_PERSONS = ("membership", "risk")


def publish_catalogue(hot: psycopg.Connection, warm: psycopg.Connection, night: date, settings: Settings) -> int:
    """Write the catalogue of a night over the last one, within warm's transaction. Returns datasets."""
    retention = load_retention()
    quality = _newest_scores(hot)
    rows = [*_raw_datasets(hot, retention, night, quality), *_marts(warm, retention, night, settings, quality)]
    warm.execute("delete from governance.datasets")
    with warm.cursor() as cursor, cursor.copy(f"copy governance.datasets ({_COLUMNS}) from stdin") as copy:
        for row in rows:
            copy.write_row(row)
    return len(rows)


Scores = Mapping[tuple[str, str], Decimal | None]


def _newest_scores(hot: psycopg.Connection) -> Scores:
    """(source, data class) and (marts, mart) -> overall score."""
    rows = hot.execute(
        "select distinct on (source, data_class) source, data_class, overall from quality.score order by 1, 2, night desc"
    ).fetchall()
    return {(source, name): overall for source, name, overall in rows}


def _raw_datasets(hot: psycopg.Connection, retention: Retention, night: date, quality: Scores) -> Iterator[tuple]:
    found = hot.execute(
        """select r.source, r.dataset, r.data_class, r.tier, count(*), min(counted), max(counted), max(f.last_read)
           from lifecycle.record r left join lifecycle.cold_file f using (file_id)
           cross join lateral (select extract(year from r.received_month)::int as received) y
           cross join lateral (select coalesce(f.event_year, case when r.event_year between %s and y.received + %s
                                                                  then r.event_year else y.received end) as counted) c
           where r.tier in ('hot', 'cold', 'archive') group by 1, 2, 3, 4 order by 1, 2, 3, 4""",
        [retention.events.since_year, retention.events.years_ahead],
    ).fetchall()
    for source, dataset, data_class, tier, records, first, last, read in found:
        rule = retention.rule(data_class).of_sources([source])
        yield (
            f"{source}.{dataset}", "raw" if tier == "hot" else tier, data_class, rule.owner, rule.classification, tier, records,
            first, last, rule.ends_after(last), f"source {source}", quality.get((source, data_class)), read, night,
        )  # fmt: skip


def _marts(
    warm: psycopg.Connection, retention: Retention, night: date, settings: Settings, quality: Scores
) -> Iterator[tuple]:
    parents = _parents(settings)
    rows = warm.execute(
        """select p.relation, p.rows, v.made_at::date, (
                      select greatest(s.last_seq_scan, s.last_idx_scan)::date from pg_stat_user_tables s
                      where s.schemaname = 'versions' and s.relname = v.table_name)
           from governance.published_version p join governance.version v using (relation, version) order by 1"""
    ).fetchall()
    for relation, count, made, read in rows:
        schema, _, table = relation.partition(".")
        is_of_persons = schema == "clinical" or table in _OF_PERSONS
        rule = retention.rule("patient_data" if is_of_persons else _MART_CLASS)
        # Rows about persons go with the records that they are made of; counts about nobody end by their own class.
        kept_to = None if is_of_persons else rule.ends_after(made.year)
        yield (
            relation, "warm", rule.data_class, rule.owner, rule.classification if schema == "clinical" else "confidential", "warm",
            count, None, None, kept_to, parents.get(relation), quality.get((MARTS, relation)), read, night,
        )  # fmt: skip


def _parents(settings: Settings) -> dict[str, str]:
    """What each mart is made of, by dbt's manifest: the models one step back."""
    manifest = settings.home / "dbt" / "target" / "manifest.json"
    if not manifest.is_file():
        return {}
    nodes = json.loads(manifest.read_text())["nodes"].values()
    return {
        f"{node['schema'].removeprefix('candidate_')}.{node['name']}": ", ".join(
            sorted(parent.rpartition(".")[2] for parent in node["depends_on"]["nodes"])
        )
        for node in nodes
        if node["resource_type"] == "model"
    }
