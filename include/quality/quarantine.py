"""Refused rows leave the intake for quarantine, with a reason a person can act on and no value of theirs."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
from psycopg import sql

from include.quality.batches import Batch, intake_columns
from include.quality.check_table import Part

BATCH_REASON = "below_threshold"


def move_failing_rows(books: psycopg.Connection, batch: Batch, parts: Sequence[Part]) -> int:
    """Move every row of the session's table ``failing`` from intake to quarantine; returns how many.

    Runs in the caller's transaction. The first failing rule in the order of suites and rules is the reason; the text
    names the others.
    """
    if not any(rule.severity == "critical" for part in parts for rule in part.rules):
        return 0
    _list_refused(books, parts)
    columns = intake_columns(books, batch)
    _quarantine(books, batch, columns)
    gone = books.execute(
        sql.SQL("delete from {} i using refused r where i.record_id = r.record_id").format(batch.intake)
    ).rowcount
    if "object_no" in columns:
        _recount_objects(books, batch)
    return gone


def hold_back(books: psycopg.Connection, batch: Batch, reason: str, top_rules: str) -> None:
    """Note that all rows of a batch stay outside, as one quarantine row that stands for them."""
    books.execute(
        "update lifecycle.batch_object set quarantined = quarantined + loaded, loaded = 0 where batch_id = %s",
        [batch.batch_id],
    )
    books.execute(
        """insert into quality.quarantine
               (quarantine_id, batch_id, night, source, dataset, place, scope, records, reason_code, found, expected, action, stage)
           values (md5(%(batch)s || ':batch:gate')::uuid, %(batch)s, %(night)s, %(source)s, %(dataset)s, 'batch', 'batch',
                   %(rows)s, %(code)s, %(found)s, 'the share of rows that the policy asks for', %(action)s, 'gate')
           on conflict (quarantine_id) do update set records = excluded.records, found = excluded.found,
               state = 'open', state_changed_at = null""",
        {
            "batch": batch.batch_id,
            "night": batch.night,
            "source": batch.source,
            "dataset": batch.dataset,
            "rows": batch.loaded,
            "code": BATCH_REASON,
            "found": f"{reason} (most often: {top_rules})",
            "action": "have the source correct the delivery; or, if it is as good as it gets, write an exception with an "
            "end into quality.yml, and open the batch again (make replay BATCH=…)",
        },
    )


def _list_refused(books: psycopg.Connection, parts: Sequence[Part]) -> None:
    """The session's table ``refused``: one row a record, with the first failing rule and the names of the others."""
    texts = [
        (number, rule_no, rule.name, rule.found, rule.expected, rule.action)
        for number, part in enumerate(parts)
        for rule_no, rule in enumerate(part.rules)
        if rule.severity == "critical"
    ]
    rows = sql.SQL(", ").join(sql.SQL("({})").format(sql.SQL(", ").join(map(sql.Literal, text))) for text in texts)
    books.execute("drop table if exists refused")
    books.execute(
        sql.SQL(
            """create temporary table refused as
               with reason (part_no, rule_no, rule, found, expected, action) as (values {rows}),
               named as (select f.record_id, r.* from failing f cross join unnest(f.rules) n (rule)
                         join reason r on r.part_no = f.part_no and r.rule = n.rule),
               first as (select distinct on (record_id) * from named order by record_id, part_no, rule_no),
               every as (select record_id, array_agg(distinct rule order by rule) rules from named group by record_id)
               select first.*, array_remove(every.rules, first.rule) as others from first join every using (record_id)"""
        ).format(rows=rows)
    )
    books.execute("analyze refused")


def _quarantine(books: psycopg.Connection, batch: Batch, columns: dict[str, str]) -> None:
    object_no = sql.SQL("i.object_no") if "object_no" in columns else sql.SQL("null::integer")
    place = sql.SQL("i.place::text") if "place" in columns else sql.SQL("null::text")
    kind = sql.SQL("i.resource_type") if batch.shape == "documents" else sql.SQL("null::text")
    books.execute(
        sql.SQL(
            """insert into quality.quarantine
                   (quarantine_id, batch_id, night, source, dataset, object_sha256, place, scope, record_id, resource_type,
                    person_token, reason_code, found, expected, action, stage)
               select md5({batch} || ':' || i.record_id || ':gate')::uuid, {batch}, {night}, {source}, {dataset}, o.sha256,
                      {place}, 'record', i.record_id, {kind}, i.person_token, r.rule,
                      r.found || case when r.others = '{{}}' then '' else ' (also: ' || array_to_string(r.others, ', ') || ')' end,
                      r.expected, r.action, 'gate'
               from refused r join {intake} i on i.record_id = r.record_id
               left join lifecycle.batch_object o on o.batch_id = {batch} and o.object_no = {object_no}
               on conflict (quarantine_id) do update set reason_code = excluded.reason_code, found = excluded.found,
                   expected = excluded.expected, action = excluded.action, state = 'open', state_changed_at = null"""
        ).format(
            batch=sql.Literal(batch.batch_id),
            night=sql.Literal(batch.night),
            source=sql.Literal(batch.source),
            dataset=sql.Literal(batch.dataset),
            place=place,
            kind=kind,
            intake=batch.intake,
            object_no=object_no,
        )
    )


def _recount_objects(books: psycopg.Connection, batch: Batch) -> None:
    """Keep the counts of each landing object true: what was refused is quarantined and no longer loaded."""
    books.execute(
        sql.SQL(
            """with moved as (select q.object_sha256 as sha256, count(*) n from refused r
                              join quality.quarantine q on q.quarantine_id = md5({batch} || ':' || r.record_id || ':gate')::uuid
                              group by 1)
               update lifecycle.batch_object o set loaded = o.loaded - m.n, quarantined = o.quarantined + m.n
               from moved m where o.batch_id = {batch} and o.sha256 = m.sha256"""
        ).format(batch=sql.Literal(batch.batch_id))
    )
