"""What the report and the summary tell: read from warm as ``reader``, who has no row-level table at all.

So a report cannot hold anything about one person, whatever its template asks for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row

from include.errors import PlumblineError
from include.settings import Settings
from include.warehouse.connect import connect

Row = Any  # a named tuple, one per row of the query it came from


class ReportError(PlumblineError):
    """There is no such night to report on."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything of one night that readers may see."""

    night: Row
    sources: list[Row]
    held_back: list[Row]
    refused: list[Row]
    gate: list[Row]
    scores: list[Row]
    marts: list[Row]
    measures: list[Row]
    results: list[Row]
    disparities: list[Row]
    tiers: list[Row]
    moves: list[Row]
    steps: list[Row]
    nights: list[Row] = field(default_factory=list)
    score_history: list[Row] = field(default_factory=list)
    checks_failed: list[Row] = field(default_factory=list)
    mart_checks: list[Row] = field(default_factory=list)
    drift_alarms: list[Row] = field(default_factory=list)
    workbench: list[Row] = field(default_factory=list)
    unmapped: list[Row] = field(default_factory=list)
    unmapped_codes: list[Row] = field(default_factory=list)
    anonymity: list[Row] = field(default_factory=list)
    anonymity_classes: list[Row] = field(default_factory=list)
    anonymity_attributes: list[Row] = field(default_factory=list)
    datasets: list[Row] = field(default_factory=list)


def read_facts(night: date, settings: Settings) -> Facts:
    """Read a night's facts. Raises ReportError where the night's books were never closed."""
    with connect("reader", "warm", settings) as warm:
        warm.row_factory = namedtuple_row
        nights = warm.execute("select * from governance.nights where night = %s", [night]).fetchall()
        if not nights:
            raise ReportError(
                found=f"governance has no night {night}",
                expected="a night that was closed, green, amber or red",
                action=f"run 'make nightly DAY={night}'",
            )
        return Facts(night=nights[0], **{name: _read(warm, query, night) for name, query in _QUERIES.items()})


def _read(warm: psycopg.Connection, query: str, night: date) -> list[Row]:
    try:
        with warm.transaction():
            return warm.execute(query, {"night": night}).fetchall()
    except psycopg.errors.UndefinedTable:
        # Nothing has ever been published: a red first night still gets its report.
        return []


ANONYMITY = {
    "anonymity": "select * from governance.anonymity where night = %(night)s",
    "anonymity_classes": "select * from governance.anonymity_class where night = %(night)s",
    "anonymity_attributes": "select * from governance.anonymity_attribute where night = %(night)s",
}
_QUERIES = {
    "score_history": """
        select source, data_class, night, overall, overall_low, overall_high, change from governance.quality_scores
        where source <> 'marts' and night <= %(night)s and night > %(night)s::date - 28 order by source, data_class, night""",
    "checks_failed": """
        select * from (
            select source, stage, instance, status, dimension, failed, tested, threshold, error_code, failed::numeric / nullif(tested, 0) as share,
                   row_number() over (partition by status order by kahn_category = 'completeness' or check_name in ('cdmField', 'cdmTable'), failed::numeric / nullif(tested, 0) desc,
                                      failed desc, source, instance) as place
            from governance.check_results where night = %(night)s and stage <> 'mart' and status in ('failed', 'error')) ranked
        where place <= case status when 'failed' then 25 else 5 end order by status = 'failed', place""",
    "mart_checks": """
        select replace(subject, 'mart_', '') mart, count(*) filter (where status = 'passed') passed, count(*) filter (where status = 'failed') failed,
               count(*) filter (where status = 'error') errors, count(*) filter (where status = 'not_applicable') idle,
               (array_agg(instance order by failed::numeric / nullif(tested, 0) desc, instance) filter (where status = 'failed'))[1] worst
        from governance.check_results where night = %(night)s and stage = 'mart' group by subject order by subject""",
    "drift_alarms": """
        select source, signal, kind, deviation, nights_compared from governance.drift
        where night = %(night)s and is_alarm order by abs(deviation) desc, source, signal limit 20""",
    "workbench": "select * from governance.quarantine_workbench limit 12",
    "sources": """
        select s.source, s.kind, s.required, s.missing, s.stale, s.age_days, s.max_age_days, s.files_new, s.files_known,
               s.drift, coalesce(sum(b.received), 0)::bigint received, coalesce(sum(b.loaded), 0)::bigint loaded,
               coalesce(sum(b.duplicate), 0)::bigint duplicate, coalesce(sum(b.quarantined), 0)::bigint quarantined,
               count(b.*) filter (where b.state = 'promoted') promoted,
               count(b.*) filter (where b.state = 'held_back') held_back,
               (select min(q.overall) from governance.quality_scores q where (q.night, q.source) = (s.night, s.source)) quality,
               (select q.level from governance.quality_scores q where (q.night, q.source) = (s.night, s.source)
                order by q.overall nulls last limit 1) quality_level
        from governance.source_state s left join governance.batches b on (b.night, b.source) = (s.night, s.source)
        where s.night = %(night)s
        group by s.night, s.source order by s.source""",
    "held_back": """
        select source, dataset, night, received, held_reason from governance.batches
        where state = 'held_back' order by night, source, dataset""",
    "refused": """
        select source, stage, reason_code, sum(records)::bigint records, count(*) places,
               min(found) found, count(distinct found) - 1 as found_otherwise, min(expected) expected, min(action) action,
               string_agg(distinct coalesce(resource_type, nullif(dataset, 'resource')), ', ') about
        from governance.quarantine where night = %(night)s
        group by source, stage, reason_code order by records desc, source, reason_code""",
    "unmapped": """
        select source, message_type, field, sum(occurrences)::bigint occurrences,
               count(*) over (partition by source)::int fields
        from governance.unmapped_fields where night = %(night)s
        group by source, message_type, field order by source, occurrences desc, message_type, field""",
    "unmapped_codes": """
        select source, kind, problem, system, code, records, sum(records) over ()::bigint total
        from governance.unmapped_codes
        where night = %(night)s
        order by records desc, source, kind, problem, system, code""",
    "gate": """
        select b.source, b.dataset, count(*) filter (where g.status <> 'not applicable') rules,
               count(*) filter (where g.status = 'passed') passed,
               count(*) filter (where g.status = 'failed' and g.severity = 'critical') failed_critical,
               count(*) filter (where g.status = 'failed' and g.severity = 'warning') failed_warning,
               count(*) filter (where g.status = 'error') errors, b.quality_share, b.state, b.held_reason
        from governance.batches b left join governance.gate_results g using (batch_id)
        where b.night = %(night)s group by b.batch_id, b.source, b.dataset, b.quality_share, b.state, b.held_reason
        order by b.source, b.dataset""",
    "scores": "select * from governance.quality_scores where night = %(night)s order by source = 'marts', source, data_class",
    "marts": """
        select relation, version, night, rows, night = %(night)s as is_new from governance.published_version
        order by split_part(relation, '.', 1), relation""",
    "measures": "select * from measures.catalogue order by 1",
    "results": "select * from measures.results_by_group",
    "disparities": "select * from equity.disparities",
    "tiers": """select data_class, tier, records from governance.tiers where night = %(night)s order by 1, 2""",
    "moves": """select * from governance.tier_moves where night = %(night)s order by move_id""",
    "datasets": "select * from governance.datasets where night = %(night)s order by place = 'warm', dataset, tier",
    "steps": """
        select s.* from governance.steps s join governance.nights n on (n.night, n.attempt) = (s.night, s.attempt)
        where s.night = %(night)s order by step_id""",
    **ANONYMITY,
    "nights": "select * from governance.nights where night <= %(night)s order by night desc limit 14",
}
